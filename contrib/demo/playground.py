# SPDX-License-Identifier: MIT
"""The demo's site, and contrib/dev run: the same site, left running, with a shell in it."""

import json
import os
import subprocess
import sys

from tendbox import receivers, tend, wait_for
from tendbox.site import Site

HINTS = """
You are in the demo's machine: PostgreSQL, Tryton, snmpd, snmptrapd, a webhook sink, and Tend.
Leave the shell to switch it off.

  tendctl status; tendctl check list; tendctl incident list; tendctl delivery list
  systemctl kill -s KILL tryton-server     break the CRM, and see it healed
  systemctl kill -s STOP tryton-server     freeze it
  systemctl stop tryton-server             as an operator: Tend tells, and leaves it alone
  kill -9 $(head -1 /var/lib/postgresql/15/crm/postmaster.pid)
  journalctl -fu tendd                     what Tend says
  tail -f {sink}       what the webhook receiver was told
  tail -f {trap}   what the NMS was told
  tail -f {login}      can a user log in, each second
  snmpwalk -v3 -l authPriv -u {user} -a SHA-256 -A {auth} -x AES -X {priv} localhost \\
    1.3.6.1.4.1.8072.9999.9999.7363        what the NMS may ask
"""


def observe_only(box):
    """Before Tend starts: every policy only says what it would do."""
    path = "/etc/tend/tend.conf"
    text = box.read(path)
    changed = text.replace("mode.production = auto", "mode.production = observe")
    if changed == text:
        raise RuntimeError(f"{path} does not say mode.production = auto")
    box.write(path, changed)


def wait_until_well(box, timeout=40):
    """Until every check of the demo's configuration has a good result."""
    def well():
        checks = tend.ctl(box, "check", "list", check=False)
        return checks and all(check["state"] == "ok" for check in rows(checks))
    wait_for(well, timeout, "every check to be ok", interval=0.3)


def rows(answer):
    """The rows of a list of tendctl."""
    return answer if isinstance(answer, list) else next(
        value for value in answer.values() if isinstance(value, list))


def keep_logs(box, folder):
    """Copy what the witnesses wrote, and the whole journal, to the host."""
    os.makedirs(folder, exist_ok=True)
    for path in (receivers.SINK_LOG, receivers.TRAP_LOG, receivers.LOGIN_LOG):
        with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8") as file:
            file.write(box.read(path))
    with open(os.path.join(folder, "journal.jsonl"), "w", encoding="utf-8") as file:
        for entry in box.journal():
            file.write(json.dumps(entry) + "\n")


def main():
    with Site("run") as site:
        print(HINTS.format(sink=receivers.SINK_LOG, trap=receivers.TRAP_LOG,
                           login=receivers.LOGIN_LOG, user=receivers.NMS_USER,
                           auth=receivers.NMS_AUTH, priv=receivers.NMS_PRIV), flush=True)
        return subprocess.run(site.box.argv("bash", "-i", env={"PS1": "demo:\\w# "}),
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
