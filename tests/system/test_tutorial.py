# SPDX-License-Identifier: MIT
"""The tutorial of lua/README.md typed from top to bottom on a machine where Tend is installed."""

import os
import sys
import unittest

from tendbox import Box, tend, wait_for

sys.path.insert(0, os.path.join(tend.ROOT, "tests", "lua"))
import tutorial  # noqa: E402

README = "/usr/share/tend/lua/README.md"
HOME = "/root/tutorial"

CONFIGURATION = """[daemon]
policy_dirs = /etc/tend/policies

[system crm]
environment = staging

[component crm/web]
kind = web
unit = crm-web.service

[check crm/web/unit]
probe = unit
unit = crm-web.service
interval = 1s
timeout = 500ms
"""


class Tutorial(unittest.TestCase):
    def setUp(self):
        self.box = Box("tutorial")
        self.box.__enter__()
        self.addCleanup(self.box.__exit__, None, None, None)
        tend.install(self.box, etc=None)
        self.box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        self.box.run("mkdir", "-p", "/etc/tend/policies", HOME)
        self.box.write("/etc/tend/tend.conf", CONFIGURATION)
        self.box.write("/etc/tend/commands.d/crm.conf", "[unit crm-web.service]\nallow = restart\n")
        self.box.write("/etc/systemd/system/crm-web.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        self.box.run("systemctl", "daemon-reload")
        self.box.run("systemctl", "start", "crm-web.service")
        tend.start(self.box)

    def type(self, folder, code):
        """Types it in the folder; where that left us."""
        said = self.box.out("bash", "-ec", f"cd {folder}\n{code}pwd")
        return said.splitlines()[-1], said

    def test_from_top_to_bottom(self):
        at, said = HOME, ""
        for kind, name, content in tutorial.steps(self.box.read(README)):
            if kind == "file":
                self.box.write(f"{at}/{name}", content)
                continue
            at, now_said = self.type(at, content)
            said += now_said
        self.assertIn("a login that hangs is mended by a restart", said)
        self.assertIn("restart-stuck-web", said)

        def ended():
            runs = [run for run in tend.ctl(self.box, "run", "list") if run["policy"] == "restart-stuck-web"]
            return len(runs) == 1 and runs[0]["ended"] and runs[0]
        run = wait_for(ended, 30, "the dry run to end")
        self.assertEqual(run["state"], "done")
        listed = {one["name"]: one for one in tend.ctl(self.box, "policy", "list")}
        self.assertNotIn("error", listed["restart-stuck-web"])
        self.assertEqual(tend.complaints(self.box), [])


if __name__ == "__main__":
    unittest.main()
