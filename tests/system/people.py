# SPDX-License-Identifier: MIT
"""People at a box, for as long as the block lasts.

    with people.installing(box): ...        dpkg's lock is held, as apt does
    with people.logged_in(box, "eve"): ...  a session of logind
"""

import contextlib

from tendbox import wait_for

LOCK = "/var/lib/dpkg/lock-frontend"

HOLD_LOCK = f"""import fcntl, sys
file = open("{LOCK}", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
sys.stdin.read()
"""


@contextlib.contextmanager
def installing(box):
    box.write("/tmp/hold.py", HOLD_LOCK)
    box.run("systemd-run", "--unit=installs", "-p", "StandardInput=null", "sh", "-c",
            "tail -f /dev/null | /usr/bin/python3 /tmp/hold.py")
    try:
        inode = box.out("stat", "-c", "%i", LOCK)
        wait_for(lambda: f":{inode} " in box.read("/proc/locks"), 10, "the lock")
        yield
    finally:
        box.run("systemctl", "stop", "installs.service")


@contextlib.contextmanager
def logged_in(box, user):
    box.run("systemctl", "unmask", "--now", "systemd-logind.service")
    box.run("systemctl", "start", "systemd-logind.service")
    box.run("systemd-run", "--unit=visit", "-p", "PAMName=login", "-p", f"User={user}",
            "-p", "Environment=XDG_SESSION_CLASS=user", "sleep", "infinity")
    def is_there():
        return user in box.out("loginctl", "--no-legend", "list-sessions")
    try:
        wait_for(is_there, 10, "the session")
        yield
    finally:
        box.run("systemctl", "stop", "visit.service")
    wait_for(lambda: not is_there(), 20, "the session's end")
