# SPDX-License-Identifier: MIT
"""The box: a throw-away host with a real systemd, over a copy-on-write view of this host's root.

Owns its mounts, its control group and every process in it; close() (or leaving the with block, or
the death of this process, whatever kills it) ends them all. Boots in well under a second. Blocks
while it waits, never without a limit. Failures raise BoxError or WaitTimeout.

Mounts are made in a mount namespace of this process, so nothing is ever left mounted on the host.
"""

import atexit
import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from . import cgroups
from .wait import WaitTimeout, wait_for

_CLONE_NEWNS = 0x00020000
_MS_PRIVATE_REC = (1 << 18) | (1 << 14)

# Units of the host that a box does not want: they cost time at boot or reach for hardware.
_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service", "dpkg-db-backup.timer",
    "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "getty.target",
    "logrotate.timer", "man-db.timer", "packagekit.service", "systemd-logind.service",
    "systemd-networkd.service", "systemd-pstore.service", "systemd-resolved.service",
    "systemd-timesyncd.service", "systemd-update-utmp.service", "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp-runlevel.service", "systemd-binfmt.service", "networking.service",
    "systemd-firstboot.service", "ldconfig.service", "systemd-sysctl.service",
)

# Waits until this process has closed the pipe, be it by its death, and then ends the box: nspawn
# passes its own death on to nobody. Arguments: the box's folder, its control groups.
_KEEPER = """
cat >/dev/null
top=$1; shift
for try in 1 2 3 4 5 6 7 8 9; do
	for pid in $(find "$@" -name cgroup.procs -exec cat {} + 2>/dev/null); do
		kill -9 "$pid" 2>/dev/null
	done
	find "$@" -depth -type d -exec rmdir {} + 2>/dev/null
	umount -l "$top/root" "$top" 2>/dev/null
	rmdir "$top" 2>/dev/null
	[ -e "$1" ] || [ -e "$top" ] || break
	sleep 0.2
done
"""

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)
_mounts_are_ours = False


class BoxError(RuntimeError):
    """A box did not boot, or a command in it failed."""


def _own_mounts():
    """Move this process into a mount namespace of its own, once."""
    global _mounts_are_ours
    if _mounts_are_ours:
        return
    if _libc.unshare(_CLONE_NEWNS) != 0:
        code = ctypes.get_errno()
        raise BoxError(f"cannot make a mount namespace (are you root?): {os.strerror(code)}")
    if _libc.mount(b"none", b"/", None, _MS_PRIVATE_REC, None) != 0:
        raise BoxError(f"cannot make mounts private: {os.strerror(ctypes.get_errno())}")
    _mounts_are_ours = True
    # A plain kill of this process must run the exit handlers, which close the boxes.
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(_die(number)))


def _die(number):
    for box in list(_open_boxes):
        box.close(clean=False)
    return 128 + number


_open_boxes = []


@atexit.register
def _close_all():
    for box in list(_open_boxes):
        box.close(clean=False)


class Guest:
    """What can be done in a running host: commands, files, units, its journal."""

    leader = None
    root = None

    def run(self, *argv, check=True, timeout=60, user=None, stdin=None, env=None):
        """Run a command in the box; returns CompletedProcess with text output.

        user runs it as that user (setpriv, no login shell). check raises BoxError with the
        output when it does not exit with 0.
        """
        command = self.argv(*argv, user=user, env=env)
        try:
            done = subprocess.run(command, input=stdin if stdin is not None else "",
                                  capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as late:
            raise BoxError(f"in the box, {' '.join(argv)}: no end after {timeout} s") from late
        if check and done.returncode != 0:
            raise BoxError(f"in the box, {' '.join(argv)}: exit {done.returncode}\n"
                           f"{done.stdout}{done.stderr}")
        return done

    def out(self, *argv, **options):
        """The command's standard output without the white space at its ends."""
        return self.run(*argv, **options).stdout.strip()

    def argv(self, *argv, user=None, env=None):
        """The argument vector that runs argv in the box, for Popen."""
        words = ["nsenter", "-t", str(self.leader), "-a", "-r", "-w", "env", "-i", "LANG=C.UTF-8",
                 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                 "HOME=/root", "TERM=" + os.environ.get("TERM", "dumb")]
        words += [f"{key}={value}" for key, value in (env or {}).items()]
        if user:
            words += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return words + list(argv)

    def path(self, path):
        """The path by which this process reaches a file of the box (also below /run, /tmp)."""
        if self.leader and os.path.isdir(f"/proc/{self.leader}/root"):
            return f"/proc/{self.leader}/root{path}"
        return self.root + path

    def write(self, path, text, mode=0o644, owner=None):
        """Write a file, with its folders; owner is "user:group" in the box's own names."""
        real = self.path(path)
        os.makedirs(os.path.dirname(real), exist_ok=True)
        data = text.encode() if isinstance(text, str) else text
        fd = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
        os.chmod(real, mode)
        if owner:
            self.run("chown", owner, path)

    def read(self, path):
        """The text of a file, "" when there is none."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def push(self, source, path, mode=None):
        """Copy a file or a folder of this host into the box."""
        real = self.path(path)
        os.makedirs(os.path.dirname(real), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, real, dirs_exist_ok=True, copy_function=_copy_plain,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            _copy_plain(source, real)
            if mode is not None:
                os.chmod(real, mode)

    def show(self, unit, *properties):
        """Properties of a unit as a dict."""
        words = [f"--property={name}" for name in properties]
        text = self.out("systemctl", "show", unit, *words)
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def active(self, unit):
        return self.show(unit, "ActiveState").get("ActiveState") == "active"

    def main_pid(self, unit):
        """The unit's main process, as a number of the box; 0 when it has none."""
        return int(self.show(unit, "MainPID").get("MainPID") or 0)

    def journal(self, *matches, since=None):
        """Entries of the box's journal as dicts, oldest first; readable after power-off too.

        matches are journalctl's (FIELD=value, -u UNIT, ...); since is a Unix time in seconds.
        """
        words = ["journalctl", "--no-pager", "-q", "-o", "json", "-D",
                 self.root + "/var/log/journal", *matches]
        if since is not None:
            words.append(f"--since=@{since:.6f}")
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


class Box(Guest):
    """with Box() as box: ...

    name appears in the host name; trees are folders copied over the host's root before the boot
    (a seeded database, say); prepare(root) is called before the boot with the path of the box's
    root; nspawn are further options of systemd-nspawn; size_bytes bounds what the box may write.
    """

    def __init__(self, name="box", trees=(), prepare=None, nspawn=(), size_bytes=3 << 30):
        self.name = f"{cgroups.PREFIX}{os.getpid()}-{next(_numbers)}-{name}"[:60].rstrip("-")
        self.trees = list(trees)
        self.prepare = prepare
        self.nspawn = list(nspawn)
        self.size_bytes = size_bytes
        self.boot_seconds = None
        self._groups = []
        self._process = None
        self._keeper = None
        self._top = None
        self._console = None

    def __enter__(self):
        return self.boot()

    def __exit__(self, kind, value, trace):
        self.close(clean=kind is None)

    def boot(self, timeout=60):
        """Mount, prepare, start and wait until systemd says that it is up."""
        _own_mounts()
        cgroups.sweep()
        began = time.monotonic()
        _open_boxes.append(self)
        try:
            self._mount()
            self._strip()
            if self.prepare:
                self.prepare(self.root)
            self._start()
            self._wait_up(timeout)
        except BaseException:
            self.close(clean=False)
            raise
        self.boot_seconds = time.monotonic() - began
        return self

    def _mount(self):
        self._top = tempfile.mkdtemp(prefix=cgroups.PREFIX)
        _mount("tmpfs", self._top, "tmpfs", f"mode=0755,size={self.size_bytes}")
        for folder in ("up", "wk", "root"):
            os.mkdir(f"{self._top}/{folder}", 0o755)
        self.root = f"{self._top}/root"
        _mount("overlay", self.root, "overlay",
               f"lowerdir=/,upperdir={self._top}/up,workdir={self._top}/wk")
        for tree in self.trees:
            # Not further lower layers: overlayfs refuses a layer that lies inside another one.
            subprocess.run(["cp", "-a", tree + "/.", self.root], check=True)

    def _strip(self):
        """Take from the view of the host what is the host's own: identity, enabled services."""
        units = f"{self.root}/etc/systemd/system"
        for entry in os.listdir(units):
            if entry.endswith(".wants"):
                shutil.rmtree(f"{units}/{entry}")
        for level in "S0123456":
            folder = f"{self.root}/etc/rc{level}.d"
            for entry in os.listdir(folder) if os.path.isdir(folder) else ():
                if entry.startswith("S"):
                    os.unlink(f"{folder}/{entry}")
        for path in ("etc/fstab", "etc/machine-id", "usr/sbin/policy-rc.d"):
            if os.path.lexists(f"{self.root}/{path}"):
                os.unlink(f"{self.root}/{path}")
        with open(f"{self.root}/etc/machine-id", "w", encoding="utf-8"):
            pass
        for unit in _MASKED:
            if os.path.lexists(f"{units}/{unit}"):
                os.unlink(f"{units}/{unit}")
            os.symlink("/dev/null", f"{units}/{unit}")
        # The journal starts empty, and on disk.
        shutil.rmtree(f"{self.root}/var/log/journal", ignore_errors=True)
        os.makedirs(f"{self.root}/var/log/journal")

    def _start(self):
        self._groups = cgroups.create(self.name)
        # In a session of its own: a ^C at the terminal must not end it before its work.
        self._keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, "sh", self._top, *self._groups],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        joins = "".join(f"echo $$ > '{folder}/cgroup.procs' && " for folder in self._groups)
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                   "--link-journal=no", "--resolv-conf=off", "--timezone=off",
                   "--private-network", "--console=pipe", f"--machine={self.name}",
                   "-D", self.root, *self.nspawn, "systemd.unit=multi-user.target"]
        self._console = open(f"{self._top}/console", "wb")
        self._process = subprocess.Popen(
            ["sh", "-c", joins + 'exec "$@"', "sh", *command],
            stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            start_new_session=True)

    def _wait_up(self, timeout):
        wait_for(self._find_leader, timeout, "the box's systemd to start", interval=0.01)
        # The bus socket is there long before the last unit: ask only when it can answer.
        wait_for(lambda: os.path.exists(self.path("/run/systemd/private")) or self._gone(),
                 timeout, "the box's systemd to listen", interval=0.01)

        def up():
            if self._gone():
                return True
            done = self.run("systemctl", "is-system-running", check=False, timeout=timeout)
            return done.stdout.strip() in ("running", "degraded")

        try:
            wait_for(up, timeout, "the box to finish its boot", interval=0.02)
        except WaitTimeout as late:
            jobs = self.run("systemctl", "list-jobs", check=False).stdout
            raise BoxError(f"{late}; jobs:\n{jobs}\nconsole:\n{self.console()}") from late
        if self._gone():
            raise BoxError(f"the box ended at boot:\n{self.console()}")

    def _gone(self):
        return self._process is None or self._process.poll() is not None

    def _find_leader(self):
        if self._gone():
            raise BoxError(f"systemd-nspawn ended at once:\n{self.console()}")
        pid = self._process.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
                candidates = [int(word) for word in children.read().split()]
            for child in candidates:
                with open(f"/proc/{child}/comm", encoding="utf-8") as comm:
                    if comm.read().strip() == "systemd":
                        self.leader = child
                        return True
        except OSError:
            pass
        return False

    def console(self):
        """What the boot wrote on the console."""
        try:
            with open(f"{self._top}/console", encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def power_off(self, timeout=30):
        """An orderly shutdown; the files stay readable below root until close()."""
        if self._process and not self._gone():
            os.kill(self.leader, signal.SIGRTMIN + 4)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired as late:
                raise BoxError(f"the box was not off after {timeout} s") from late
        self.leader = None

    def close(self, clean=True):
        """End everything. Not clean: no shutdown, the processes are killed."""
        if self not in _open_boxes:
            return
        _open_boxes.remove(self)
        try:
            if clean and self.leader:
                self.power_off()
        except BoxError:
            pass
        finally:
            self._kill()

    def _kill(self):
        if self._process:
            if not self._gone():
                self._process.kill()
            self._process.wait()
        self.leader = None
        cgroups.remove(self._groups)
        if self._console:
            self._console.close()
        if self._top:
            for point in (self.root, self._top):
                if point:
                    _libc.umount2(point.encode(), 2)
            try:
                os.rmdir(self._top)
            except OSError:
                pass
            self._top = None
        if self._keeper:
            self._keeper.stdin.close()
            self._keeper.wait()
            self._keeper = None


def _mount(source, point, kind, options):
    if _libc.mount(source.encode(), point.encode(), kind.encode(), 0, options.encode()) != 0:
        code = ctypes.get_errno()
        raise BoxError(f"cannot mount {kind} on {point}: {os.strerror(code)}")


def _copy_plain(source, target):
    """Root's, and writable by nobody else, whatever the checkout's owner and umask were."""
    shutil.copyfile(source, target)
    os.chown(target, 0, 0)
    os.chmod(target, os.stat(source).st_mode & 0o755)
