# SPDX-License-Identifier: MIT
"""The CRM in a box: its units, its start, what can be asked of it."""

from . import seed
from .wait import wait_for

DROP_IN = "[Service]\nRestart=no\n"


def prepare(box):
    """Before the boot or after it: drop-ins, so that systemd does not heal what Tend should."""
    for unit in (seed.PG_UNIT, seed.WEB_UNIT):
        box.write(f"/etc/systemd/system/{unit}.d/10-tendbox.conf", DROP_IN)
    seed.push_guest(box)


def start(box, timeout=60):
    """Start database and server, and wait until somebody can log in."""
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", seed.PG_UNIT, timeout=timeout)
    box.run("systemctl", "start", seed.WEB_UNIT, timeout=timeout)
    wait_for(lambda: can_login(box), timeout, "a log-in to the CRM", interval=0.2)


def can_login(box, user="monitor"):
    """One log-in, now."""
    program = (f"import sys; sys.path.insert(0, '{seed.GUEST}'); import crm_rpc; "
               "crm_rpc.login(sys.argv[1], sys.stdin.read(), timeout=2)")
    done = box.run("/usr/bin/python3", "-c", program, user, stdin=seed.PASSWORDS[user],
                   check=False)
    return done.returncode == 0
