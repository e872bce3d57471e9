# SPDX-License-Identifier: MIT
"""tend-spawn in a box, with a stand-in for tendd (see execbox.py) and programs that do their worst."""

import os

import execbox
from tendbox import Box, wait_for
from tendbox.tend import ROOT, build_dir, complaints

SOCKET = "/run/tend-spawn/spawn.sock"
PROBES = "/opt/probes"
PLUGINS = "/usr/lib/nagios/plugins"

# Each leaves its pid, or those of its children, in its arguments: all have MARK in their command line.
MARK = "tend-spawn-victim"
PROGRAMS = {
    "ok": "#!/bin/sh\necho \"OK - args $#: $*\"\n",
    "environment": "#!/usr/bin/python3\nimport os, json\n"
                   "print(json.dumps([dict(os.environ), os.getcwd(), os.getuid(), os.umask(0),\n"
                   "                  open('/proc/self/cgroup').read(),\n"
                   "                  open('/proc/self/status').read(), os.listdir('/proc/self/fd'),\n"
                   "                  open('/proc/self/limits').read()]))\n",
    "cat": "#!/bin/sh\ncat\n",
    "flood": "#!/bin/sh\nexec yes flooding\n",
    "frozen": "#!/bin/sh\nkill -STOP $$\n",
    "late": "#!/bin/sh\nsleep 0.4\necho OK late\n",
    "garbage": "#!/bin/sh\nprintf '\\377\\000\\001=;;|'\nexit 77\n",
    "flood2": "#!/bin/sh\n(yes err >&2) & yes out\n",
    "stubborn": "#!/bin/sh\ntrap '' TERM HUP INT\nwhile :; do sleep 0.1; done\n",
    "tree": "#!/bin/sh\nfor i in 1 2 3 4; do (sh -c \"trap '' TERM; sleep 1000 & sleep 1000 & wait\" "
            f"{MARK} &) ; done\necho planted\nsleep 1000\n",
    "daemon": "#!/usr/bin/python3\nimport os, time, sys, signal\n"
              "if os.fork():\n    print('OK - left a daemon'); sys.exit(0)\n"
              "os.setsid()\nif os.fork():\n    os._exit(0)\n"
              "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nfor fd in range(3): os.close(fd)\n"
              "time.sleep(1000)\n",
    "escape": "#!/usr/bin/python3\nimport os, time\n"
              "own = open('/proc/self/cgroup').read().strip().split('::')[1]\n"
              "for k in range(3):\n"
              "    if os.fork() == 0:\n"
              "        os.setsid()\n        if os.fork(): os._exit(0)\n"
              "        for fd in range(3): os.close(fd)\n        time.sleep(1000)\n"
              "print('forked', flush=True)\ntime.sleep(1000)\n",
    "silent": "#!/usr/bin/python3\nimport os, time\nfor fd in range(3): os.close(fd)\ntime.sleep(1000)\n",
    "holder": "#!/bin/sh\nsleep 1000 &\necho 'OK - a child holds the output'\n",
    "bomb": "#!/usr/bin/python3\nimport os, time\nn = 0\n"
            "while n < 500:\n    try:\n        if os.fork() == 0: time.sleep(1000)\n"
            "    except OSError as e:\n        print('stopped after', n, e, flush=True); break\n"
            "    n += 1\ntime.sleep(1000)\n",
    "hog": "#!/usr/bin/python3\nx = []\nwhile True: x.append(bytearray(1 << 20))\n",
    "segv": "#!/bin/sh\necho 'half a line'\nkill -SEGV $$\n",
    "binary": "#!/bin/sh\nprintf 'OK \\377\\376\\000\\033[31m\\303\\244 \\342\\202' \n",
    "sleep": "#!/bin/sh\nexec sleep \"$1\"\n",
    # Out of its session and its group, and then at those who watch it.
    "assassin": "#!/usr/bin/python3\nimport os, signal, sys, time\n"
                "warden = os.getppid()\n"
                "own = open('/proc/self/cgroup').read().strip().split('::')[1]\n"
                "if os.fork(): time.sleep(1000)\n"
                "os.setsid()\nif os.fork(): os._exit(0)\n"
                "with open('/sys/fs/cgroup' + os.path.dirname(own) + '/main/cgroup.procs', 'w') as f:\n"
                "    f.write('0')\n"
                "print('moved', flush=True)\n"
                "os.kill(warden, getattr(signal, sys.argv[1]))\n"
                "if len(sys.argv) > 2: os.kill(int(sys.argv[2]), signal.SIGSTOP)\n"
                "for fd in range(3): os.close(fd)\ntime.sleep(1000)\n",
    "burglar": "#!/usr/bin/python3\nimport ctypes, os, sys\n"
               "libc = ctypes.CDLL(None, use_errno=True)\n"
               "def attempt(name, call):\n    try:\n        call()\n        print(name, 'DONE')\n"
               "    except OSError as e:\n        print(name, 'refused', e.strerror)\n"
               "def write_into(pid):\n    byte = ctypes.create_string_buffer(1)\n"
               "    vec = (ctypes.c_size_t * 2)(ctypes.addressof(byte), 1)\n"
               "    if libc.process_vm_readv(pid, vec, 1, vec, 1, 0) < 0 and \\\n"
               "            ctypes.get_errno() != 14:\n"
               "        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
               "for pid in map(int, sys.argv[1:]):\n"
               "    attempt('memory', lambda: open(f'/proc/{pid}/mem', 'r+b').close())\n"
               "    attempt('fds', lambda: os.readlink(f'/proc/{pid}/fd/1'))\n"
               "    attempt('environment', lambda: open(f'/proc/{pid}/environ').read())\n"
               "    attempt('vm', lambda: write_into(pid))\n",
    "peers": "#!/usr/bin/python3\nimport os, signal, socket\n"
             "def attempt(name, call):\n    try:\n        call()\n        print(name, 'DONE')\n"
             "    except OSError as e:\n        print(name, 'refused', e.strerror)\n"
             "def connect(path):\n    s = socket.socket(socket.AF_UNIX)\n    s.connect(path)\n"
             "parent = int(open('/proc/%d/stat' % os.getppid()).read().rsplit(')', 1)[1].split()[1])\n"
             "attempt('memory', lambda: open(f'/proc/{parent}/mem', 'rb').read(1))\n"
             "attempt('fds', lambda: os.listdir(f'/proc/{parent}/fd'))\n"
             f"attempt('spawn', lambda: connect('{SOCKET}'))\n"
             "attempt('tendd', lambda: os.listdir('/var/lib/tend'))\n"
             "attempt('etc', lambda: open('/etc/x', 'w'))\n"
             "attempt('home', lambda: os.listdir('/root'))\n"
             "attempt('shadow', lambda: open('/etc/shadow'))\n",
}

# In the place of tend-look: what it was started as.
LOOK = """#!/usr/bin/python3
import json, os, sys, time
args = json.load(sys.stdin)
print(json.dumps([sys.argv[1:], open('/proc/self/status').read(), os.listdir('/proc/self/fd')]),
      flush=True)
if args.get("wait"):
    time.sleep(1000)
"""

RULES = f"[spawn]\npaths = {PLUGINS}, {PROBES}\nmax_programs = 8\nmax_queue = 4\nmemory_max = 64M\n"


def prepare_programs(box):
    for name, text in PROGRAMS.items():
        box.write(f"{PROBES}/{name}", text, mode=0o755)
    box.write(f"{PROBES}/plain", "no program\n", mode=0o644)
    box.write(f"{PROBES}/closed", "#!/bin/sh\n", mode=0o700)
    box.write(f"{PROBES}/interpreter", "#!/no/such/interpreter\n", mode=0o755)
    box.write(f"{PROBES}/writable", "#!/bin/sh\necho OK\n", mode=0o777)
    box.run("ln", "-s", "/bin/sh", f"{PROBES}/outside")
    box.run("ln", "-s", "ok", f"{PROBES}/inside")
    box.run("mkdir", "-m", "0777", f"{PROBES}/open")
    box.write(f"{PROBES}/open/x", "#!/bin/sh\necho OK\n", mode=0o755)


class SpawnBox:
    """tend-spawn alone and a stand-in tendd; connect() is a connection of tendd's."""

    def __init__(self, name):
        self.box = Box(name)

    def __enter__(self):
        box = self.box.boot()
        try:
            for user in ("tend", "tend-probe"):
                if box.run("id", user, check=False).returncode != 0:
                    box.run("useradd", "--system", "--user-group", "--no-create-home", user)
            box.push(f"{build_dir()}/daemon/exec/spawn/tend-spawn", "/usr/libexec/tend/tend-spawn",
                     mode=0o755)
            box.write("/usr/libexec/tend/tend-look", LOOK, mode=0o755)
            for unit in ("tend-spawn.socket", "tend-spawn.service"):
                box.push(f"{ROOT}/etc/systemd/{unit}", f"/etc/systemd/system/{unit}")
            if execbox.sanitized():
                box.write("/etc/systemd/system/tend-spawn.service.d/asan.conf", "[Service]\n"
                          "MemoryMax=infinity\nSystemCallFilter=\n"
                          "Environment=ASAN_OPTIONS=detect_leaks=0\n")
            box.write("/usr/libexec/standin.py", execbox.STANDIN.replace(execbox.SOCKET, SOCKET))
            box.write("/etc/systemd/system/tendd.service", execbox.STANDIN_UNIT)
            box.write("/etc/tend/spawn.conf", RULES)
            prepare_programs(box)
            box.run("systemctl", "daemon-reload")
            box.run("systemctl", "start", "tend-spawn.socket", "tendd.service")
            wait_for(lambda: os.path.exists(box.path(execbox.PROXY)), 10, "the stand-in to listen")
        except BaseException:
            self.box.close(clean=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if complaints(self.box) and not kind:
                raise AssertionError(complaints(self.box))
        finally:
            self.box.close(clean=kind is None)

    def connect(self):
        def attempt():
            try:
                connection = execbox.Connection(self.box.path(execbox.PROXY))
                connection.hello = connection.call("hello")
                return connection
            except (execbox.Gone, ConnectionRefusedError, FileNotFoundError):
                return None
        return wait_for(attempt, 20, "tend-spawn to listen to the stand-in")

    def processes(self):
        """[(pid in the box, user, command line)] of all in the unit but tend-spawn itself."""
        text = self.box.out("ps", "-eo", "pid=,stat=,user:20=,comm:20=,args=")
        found = []
        for line in text.splitlines():
            pid, stat, user, name, args = line.split(None, 4)
            if name == "tend-keeper":
                continue
            if user == "tend-probe" and not args.startswith("/usr/libexec/tend/tend-spawn"):
                found.append((int(pid), stat, args))
            elif user == "tend-probe" and int(pid) != self.box.main_pid("tend-spawn.service"):
                found.append((int(pid), stat, args))
        return found

    def groups(self):
        path = self.box.out("systemctl", "show", "-P", "ControlGroup", "tend-spawn.service").strip()
        text = self.box.out("ls", "/sys/fs/cgroup" + path)
        return [name for name in text.split() if name.startswith("program-")]
