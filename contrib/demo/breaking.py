# SPDX-License-Identifier: MIT
"""The six ways in which the demo breaks the CRM, and how it mends it when nobody else did."""

import subprocess
import time

from judge import PG_UNIT, WEB_UNIT
from tendbox import crm, wait_for


class Breaker:
    """Breaks the CRM of one box; begin(kind) returns when the fault began (Unix seconds)."""

    def __init__(self, box):
        self.box = box
        self._locker = None

    def begin(self, kind):
        return getattr(self, "_begin_" + kind)()

    def mend(self):
        """Whatever is still broken is put right, as an administrator would."""
        self.unlock()
        if not self.box.active(PG_UNIT):
            self.box.run("systemctl", "restart", PG_UNIT)
        if not crm.can_login(self.box):
            self.box.run("systemctl", "restart", WEB_UNIT)
        wait_for(lambda: crm.can_login(self.box), 30, "the CRM after the demo's own repair")

    def start_web(self):
        """What the operator of fault (e) does in the end."""
        began = time.time()
        self.box.run("systemctl", "start", WEB_UNIT)
        return began

    def _signal(self, unit, signal):
        began = time.time()
        self.box.run("kill", "-s", signal, str(self.box.main_pid(unit)))
        return began

    def _begin_kill(self):
        return self._signal(WEB_UNIT, "KILL")

    def _begin_term(self):
        return self._signal(WEB_UNIT, "TERM")

    def _begin_freeze(self):
        return self._signal(WEB_UNIT, "STOP")

    def _begin_crash(self):
        return self._signal(PG_UNIT, "KILL")

    def _begin_stop(self):
        began = time.time()
        self.box.run("systemctl", "stop", WEB_UNIT)
        return began

    def _begin_lock(self):
        """A report that locks a table and then idles: psql, waiting for more on its input."""
        self._locker = subprocess.Popen(
            self.box.argv("psql", "-X", "-d", "crm", user="tryton",
                          env={"PGAPPNAME": "nightly-report"}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._locker.stdin.write("BEGIN;\nLOCK TABLE ir_session;\n")
        self._locker.stdin.flush()
        for line in self._locker.stdout:
            if "LOCK TABLE" in line:
                return time.time()
        raise RuntimeError("psql ended before it held the lock")

    def unlock(self):
        """End the report, if it is there."""
        if self._locker:
            self._locker.stdin.close()
            self._locker.stdout.close()
            self._locker.wait(10)
            self._locker = None
