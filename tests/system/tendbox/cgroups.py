# SPDX-License-Identifier: MIT
"""A control group of its own for each box, on hybrid and on pure cgroup2 hosts.

Without it two boxes would share one cgroup tree, and the systemd of one would kill the units of
the other.
"""

import os
import signal
import time

PREFIX = "tendbox-"


def _hierarchies():
    """The mounted hierarchies a box needs: cgroup2 and, on hybrid hosts, name=systemd."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, point, kind, options = line.split()[:4]
            if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
                found.append(point)
    if not found:
        raise RuntimeError("no cgroup2 and no name=systemd hierarchy is mounted on this host")
    return found


def create(name):
    """Make the group in every hierarchy; returns the folders."""
    folders = [os.path.join(point, name) for point in _hierarchies()]
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
    return folders


def _members(folder):
    pids = []
    for where, _, _ in os.walk(folder):
        try:
            with open(os.path.join(where, "cgroup.procs"), encoding="utf-8") as procs:
                pids += [int(line) for line in procs]
        except OSError:
            continue
    return pids


def remove(folders, timeout=5.0):
    """Kill what is left in the group and remove it, deepest folder first."""
    deadline = time.monotonic() + timeout
    for folder in folders:
        while True:
            for pid in _members(folder):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for where, _, _ in os.walk(folder, topdown=False):
                try:
                    os.rmdir(where)
                except OSError:
                    pass
            if not os.path.isdir(folder) or time.monotonic() > deadline:
                break
            time.sleep(0.02)


def sweep():
    """Remove groups of boxes whose owner was killed before it could tidy up."""
    for point in _hierarchies():
        for entry in os.listdir(point):
            owner = entry[len(PREFIX):].split("-")[0] if entry.startswith(PREFIX) else ""
            if owner.isdigit() and not os.path.isdir(f"/proc/{owner}"):
                remove([os.path.join(point, entry)])
