# SPDX-License-Identifier: MIT
"""The demo's whole site in one box: the CRM, those who are told, the witness, and Tend.

    with Site("mytest") as site:
        site.box.run("systemctl", "kill", "-s", "KILL", WEB_UNIT)
        wait_for(lambda: site.notices("raised"), 10, "a raise")

without_tend leaves Tend out (for tests of the site itself); configure(box) may change /etc/tend
before Tend starts.
"""

from . import crm, receivers, seed, tend
from .box import Box


class Site:
    """A box with everything in it; box is the machine."""

    def __init__(self, name, configure=None, without_tend=False, witness=True, nspawn=()):
        self.configure = configure
        self.without_tend = without_tend
        self.witness = witness
        self.box = Box(name, trees=[seed.crm_tree()], nspawn=nspawn)

    def __enter__(self):
        self.box.boot()
        try:
            self._start()
        except BaseException:
            self.box.close(clean=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.box.close(clean=kind is None)

    def _start(self):
        crm.prepare(self.box)
        if not self.without_tend:
            tend.install(self.box)
        receivers.prepare(self.box, "Debian-snmp" if self.without_tend else tend.USER)
        crm.start(self.box)
        receivers.start(self.box)
        if self.witness:
            receivers.start_witness(self.box)
        if self.configure:
            self.configure(self.box)
        if not self.without_tend:
            tend.start(self.box)

    def notices(self, kind=None, subject=None):
        """Events that the sink has verified; kind is raised, changed or cleared."""
        events = [entry["body"] for entry in receivers.sink_log(self.box) if entry["verified"]]
        return [event for event in events
                if (kind is None or event.get("type") == f"tend.incident.{kind}")
                and (subject is None or event.get("subject") == subject)]
