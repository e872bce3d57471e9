# SPDX-License-Identifier: MIT
"""tend-look by hand, as plain processes: what it says of files, logs, processes, ports, certificates
and file systems, in good and bad moods. The probes that ask it are in test_probe_machine.py."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import textwrap
import time
import unittest

from tendbox import wait_for
from tendbox.tend import build_dir

PROGRAM = f"{build_dir()}/daemon/exec/look/tend-look"


def run(kind, args=None, **options):
    """Status and document."""
    done = subprocess.run([PROGRAM, kind, "-"], input=json.dumps(args or {}), capture_output=True,
                          text=True, timeout=30, check=False, **options)
    assert len(done.stdout) <= 61441, len(done.stdout)
    return done.returncode, json.loads(done.stdout)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tend-look-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)

    def look(self, kind, **args):
        status, doc = run(kind, args)
        self.assertEqual(status, 0, doc)
        return doc

    def error(self, kind, args, **options):
        status, doc = run(kind, args, **options)
        self.assertEqual(status, 1, doc)
        return doc["error"]["code"], doc["error"]["message"]

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode="w"):
        with open(self.path(name), mode, encoding="utf-8") as f:
            f.write(text)
        return self.path(name)


class Arguments(Folder):
    def test_bad_ones(self):
        for kind, args, says in (("no-such", {}, "no kind"), ("file", {}, "needs the argument 'path'"),
                                 ("file", {"path": 7}, "not a text"),
                                 ("file", {"path": "/x", "shell": True}, "no argument 'shell'"),
                                 ("file", {"path": "a\0b"}, ""), ("file", [], "no object"),
                                 ("file", {"path": "etc"}, "no absolute path"),
                                 ("host", {"mounts": [1]}, "list of texts"),
                                 ("host", {"mount_timeout_msec": 1}, "10 to 600000"),
                                 ("process", {"cmdline": "("}, "no expression"),
                                 ("logfile", {"path": "/x", "patterns": {"a": "("}}, "no expression"),
                                 ("journal", {"patterns": {"a": 7}}, "no expression")):
            with self.subTest(kind=kind, args=args):
                code, message = self.error(kind, args) if args != [] else self.error(kind, [1])
                self.assertEqual(code, "invalid")
                self.assertIn(says, message)

    def test_help(self):
        said = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
        for kind in ("antivirus", "certfile", "file", "firewall", "host", "journal", "logfile",
                     "ports", "process", "timer", "unit"):
            self.assertIn(f"\n{kind}: ", said)


class Files(Folder):
    def test_file(self):
        path = self.write("a", "content")
        os.chmod(path, 0o640)
        os.utime(path, (1, 1000000000))
        doc = self.look("file", path=path, checksum=True)
        self.assertEqual((doc["type"], doc["size"], doc["mtime"], doc["mode"], doc["owner"]),
                         ("file", 7, 1000000000, "0640", "root"))
        self.assertEqual(doc["sha256"], hashlib.sha256(b"content").hexdigest())
        self.assertFalse(self.look("file", path=self.path("none"))["exists"])
        os.mkfifo(self.path("pipe"))
        self.assertEqual(self.look("file", path=self.path("pipe"), checksum=True)["type"], "pipe")

    def test_folder(self):
        os.makedirs(self.path("a/b/c"))
        for name in ("x.dump", "a/y.dump", "a/b/z.dump", "a/b/c/other"):
            self.write(name, "12345")
        os.symlink("/", self.path("a/root"))
        os.symlink("a", self.path("link"))
        doc = self.look("file", path=self.folder, recurse=True, pattern="*.dump")["inside"]
        self.assertEqual((doc["files"], doc["folders"], doc["bytes"]), (3, 3, 15))
        doc = self.look("file", path=self.folder, pattern="*.dump")["inside"]
        self.assertEqual((doc["files"], doc["folders"]), (1, 1))

    def test_what_may_not_be_read(self):
        os.mkdir(self.path("closed"), 0o700)
        path = self.write("closed/a", "x")
        with_rights = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        code, message = self.error("file", {"path": path}, **with_rights)
        self.assertEqual(code, "access-denied")
        self.assertIn(path, message)
        status, doc = run("file", {"path": self.folder, "recurse": True}, **with_rights)
        self.assertEqual((status, doc["inside"]["unreadable"]), (0, 1))


class Logs(Folder):
    def setUp(self):
        super().setUp()
        self.position = None

    def read(self, **more):
        """Counts of the lines `n`, since the last call."""
        args = {"path": self.path("x.log"), "patterns": {"n": "^n"}} | more
        if self.position:
            args["position"] = self.position
        doc = self.look("logfile", **args)
        self.position = doc["position"]
        return doc["matches"].get("n", {}).get("n", 0), doc

    def test_from_the_end(self):
        self.write("x.log", "n 1\n")
        self.assertEqual(self.read()[0], 0)
        self.write("x.log", "n 2\nn 3", "a")
        # A line without its end is not there yet.
        self.assertEqual(self.read()[0], 1)
        self.write("x.log", "3\nother\n", "a")
        count, doc = self.read()
        self.assertEqual((count, doc["lines"], doc["matches"]["n"]["sample"]), (1, 2, "n 33"))
        self.assertEqual(self.read()[0], 0)

    def test_renamed(self):
        self.write("x.log", "n 1\n" * 100)
        self.read()
        self.write("x.log", "n 2\n", "a")
        os.rename(self.path("x.log"), self.path("x.log.1"))
        self.write("x.log", "n 3\nn 4\n")
        count, doc = self.read()
        self.assertEqual((count, doc["rotated"], doc["gap"]), (3, True, False))
        # Twice between two looks; the one in the middle was never seen.
        self.write("x.log", "n 5\n", "a")
        os.rename(self.path("x.log.1"), self.path("x.log.2"))
        os.rename(self.path("x.log"), self.path("x.log.1"))
        self.write("x.log", "n 6\nlast without an end")
        os.rename(self.path("x.log"), self.path("x.log-new"))
        os.utime(self.path("x.log-new"), (time.time() + 5, time.time() + 5))
        self.write("x.log", "n 7\n")
        count, doc = self.read()
        self.assertEqual((count, doc["gap"]), (3, False), doc)
        self.assertEqual(self.read()[0], 0)

    def test_copied_and_truncated(self):
        self.write("x.log", "".join(f"line {i}\n" for i in range(100)))
        self.read()
        self.write("x.log", "n 1\n", "a")
        with open(self.path("x.log"), encoding="utf-8") as f:
            self.write("x.log.1", f.read())
        os.truncate(self.path("x.log"), 0)
        self.write("x.log", "n 2\n", "a")
        count, doc = self.read()
        self.assertEqual((count, doc["gap"]), (2, False), doc)
        # Grown beyond where it was: how it begins tells.
        with open(self.path("x.log"), encoding="utf-8") as f:
            self.write("x.log.1", f.read() + "n 3\n")
        os.truncate(self.path("x.log"), 0)
        self.write("x.log", "begun anew, long\n" * 100 + "n 4\n", "a")
        count, doc = self.read()
        self.assertEqual((count, doc["gap"]), (2, False), doc)

    def test_by_logrotate(self):
        for options in ("", "copytruncate", "dateext dateformat .%s", "delaycompress compress"):
            with self.subTest(options=options):
                self.position = None
                for name in os.listdir(self.folder):
                    os.unlink(self.path(name))
                self.write("x.log", "".join(f"{options} {i}\n" for i in range(50)))
                self.read()
                self.write("x.log", "n 1\n", "a")
                conf = self.write("rotate.conf", textwrap.dedent(f"""\
                    {self.path("x.log")} {{
                    rotate 5
                    create
                    """) + "\n".join(options.split(" ", 1) if "date" not in options else
                                     ["dateext", "dateformat .%s"]) + "\n}\n")
                os.chmod(conf, 0o644)
                subprocess.run(["/usr/sbin/logrotate", "-f", "-s", self.path("state"), conf],
                               check=True, capture_output=True)
                self.write("x.log", "n 2\n", "a")
                count, doc = self.read()
                self.assertEqual((count, doc["gap"]), (2, False), doc)

    def test_the_former_is_gone(self):
        self.write("x.log", "n 1\n" * 10)
        self.read()
        os.unlink(self.path("x.log"))
        self.assertEqual(self.error("logfile", {"path": self.path("x.log")})[0], "not-found")
        self.write("x.log", "n 2\n")
        count, doc = self.read()
        self.assertEqual((count, doc["gap"]), (1, True))

    def test_bounds(self):
        self.write("x.log", "n 1\n" * 1000 + "n" * 200000 + "\nn 2\n")
        total, looks = 0, 0
        while looks < 20:
            count, doc = self.read(from_start=True, max_bytes=1)
            total, looks = total + count, looks + 1
            if not doc["more"]:
                break
        self.assertGreater(looks, 1)
        self.assertGreaterEqual(total, 1002)
        # Bytes that are no text, and an expression that runs away.
        with open(self.path("x.log"), "ab") as f:
            f.write(b"\xff\xfe\x00n\n" + b"a" * 5000 + b"!\n")
        began = time.monotonic()
        doc = self.read(patterns={"away": "(a+)+$"})[1]
        self.assertEqual(doc["lines"], 2)
        self.assertLess(time.monotonic() - began, 5)

    def test_time(self):
        """A hostile writer, an expression that runs away: it stops in time, and goes on next time."""
        self.write("x.log", "".join("n" + "a" * 40 + f"!{i}\n" for i in range(3000)))
        total, looks = 0, 0
        while looks < 200:
            began = time.monotonic()
            count, doc = self.read(from_start=True, time_msec=100,
                                   patterns={"n": "^n", "away": "(a+)+$"})
            self.assertLess(time.monotonic() - began, 5)
            total, looks = total + count, looks + 1
            if not doc["more"]:
                break
        self.assertEqual(total, 3000)
        self.assertGreater(looks, 1)

    def test_kinds(self):
        self.write("x.log", "user 17 logged in from 10.0.0.1\nuser 18 logged in from fe80::1\n"
                            "it's \"this\" now\n")
        doc = self.read(from_start=True, seen="")[1]
        seen = "".join(one["hash"] for one in doc["new"])
        self.write("x.log", "user 19 logged in from 192.168.77.12:443\nit's 'that' now\n", "a")
        self.assertEqual(self.read(seen=seen)[1]["new"], [])
        self.write("x.log", "panic\n", "a")
        new, = self.read(seen=seen)[1]["new"]
        self.assertEqual((new["template"], new["n"]), ("panic", 1))
        # More than an answer can hold is told at the next look.
        self.write("x.log", "".join(f"{a}{b} happened\n" for a in "abcdefghijklmnopqrstuvwxyz"
                                    for b in "abcdefghijklmnopqrstuvwxyz"), "a")
        self.assertTrue(self.read(seen=seen)[1]["cut"])


class Processes(Folder):
    def child(self, *words, **options):
        child = subprocess.Popen(words, **options)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_states(self):
        mark = f"99{os.getpid()}"
        args = {"cmdline": f"^sleep {mark}$"}
        self.assertEqual(self.look("process", **args)["count"], 0)
        children = [self.child("sleep", mark) for _ in range(3)]
        self.assertEqual(self.look("process", **args)["count"], 3)
        children[0].send_signal(signal.SIGSTOP)
        wait_for(lambda: self.look("process", **args)["stopped"] == 1, 5, "it to stop")
        children[1].kill()
        os.waitid(os.P_PID, children[1].pid, os.WEXITED | os.WNOWAIT)
        doc = self.look("process", name="sleep", cmdline=f"{mark}|^$")
        self.assertEqual(doc["count"], 2)
        self.assertGreaterEqual(doc["zombies"], 1)
        one = self.look("process", **args)["processes"][0]
        self.assertEqual((one["name"], one["state"]), ("sleep", "T"))

    def test_what_they_hold(self):
        code = ("x = bytearray(50 << 20); f = [open('/dev/null') for i in range(20)]; "
                "print(1, flush=True); import time; time.sleep(1000)")
        child = self.child("python3", "-c", code, stdout=subprocess.PIPE)
        child.stdout.readline()
        self.addCleanup(child.stdout.close)
        doc = self.look("process", cmdline="x = bytearray.50 << 20.", user="root")
        self.assertEqual(doc["count"], 1)
        self.assertGreater(doc["rss"], 50 << 20)
        self.assertGreaterEqual(doc["fds"], 20)
        self.assertLess(doc["oldest"], 30)
        self.assertEqual(self.look("process", cmdline="x = bytearray.50", user="nobody")["count"], 0)
        self.assertEqual(self.error("process", {"user": "no-such-user"})[0], "not-found")


class Ports(Folder):
    def test_open_and_closed(self):
        listening = [socket.create_server(("127.0.0.1", 0)),
                     socket.create_server(("::1", 0), family=socket.AF_INET6)]
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.bind(("::1", 0))
        for one in listening + [udp]:
            self.addCleanup(one.close)
        for one, protocol in zip(listening + [udp], ("tcp", "tcp", "udp")):
            address, port = one.getsockname()[:2]
            found = [p for p in self.look("ports")["ports"] if
                     (p["port"], p["address"], p["protocol"]) == (port, address, protocol)]
            self.assertEqual(len(found), 1)
            self.assertEqual(found[0]["user"], "root")
            one.close()
            self.assertFalse([p for p in self.look("ports")["ports"] if p["port"] == port])


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


class Certificates(Folder):
    def test_chain_key_and_names(self):
        for name in ("ca", "other"):
            openssl(self.folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                    f"{name}.key", "-out", f"{name}.crt", "-days", "10", "-subj", f"/CN={name}")
        openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf")
        self.write("ext", "subjectAltName=DNS:*.crm.example,IP:192.0.2.1,IP:2001:db8::1\n")
        openssl(self.folder, "x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", "leaf.crt", "-days", "400", "-extfile", "ext")
        with open(self.path("leaf.crt"), encoding="ascii") as leaf, \
                open(self.path("ca.crt"), encoding="ascii") as ca, \
                open(self.path("other.crt"), encoding="ascii") as other:
            leaf, ca, other = leaf.read(), ca.read(), other.read()
        chain, broken = self.write("chain.pem", leaf + ca), self.write("broken.pem", leaf + other)
        names = ["a.crm.example", "192.0.2.1", "2001:db8::1"]
        one, = self.look("certfile", paths=[chain], names=names, key=self.path("leaf.key"))["files"]
        self.assertEqual((one["subject"], one["issuer"], one["chain"], one["joined"]),
                         ("leaf", "ca", 2, True))
        self.assertEqual((one["names"], one["names_missing"]),
                         (["*.crm.example", "192.0.2.1", "2001:db8::1"], []))
        self.assertTrue(one["key_matches"])
        # The chain ends with the one of it that ends first.
        self.assertEqual(one["ends_first"], "ca")
        self.assertAlmostEqual(one["not_after"], time.time() + 10 * 86400, delta=100)
        one, = self.look("certfile", paths=[broken], names=["b.a.crm.example", "192.0.2.2"],
                         key=self.path("ca.key"))["files"]
        self.assertEqual((one["joined"], one["key_matches"], one["names_missing"]),
                         (False, False, ["b.a.crm.example", "192.0.2.2"]))
        # What cannot be read, or is too much, is told, not left out.
        cut = self.write("cut.crt", leaf + ca[:300] + "!!!" + ca[303:])
        one, = self.look("certfile", paths=[cut])["files"]
        self.assertEqual((one["chain"], one["broken"]), (1, True))
        many = self.write("many.crt", (other + ca) * 150)
        one, = self.look("certfile", paths=[many])["files"]
        self.assertEqual((one["chain"], one["broken"], one["self_signed"]), (300, False, True))
        one, = self.look("certfile", paths=[self.write("more.crt", ca * 401)])["files"]
        self.assertTrue(one["broken"])
        openssl(self.folder, "x509", "-in", "leaf.crt", "-outform", "DER", "-out", "leaf.der")
        self.assertEqual(self.look("certfile", paths=[self.path("leaf.der")])["files"][0]["subject"],
                         "leaf")
        found = self.look("certfile", paths=[self.path("*.pem"), self.path("none.*")])["files"]
        self.assertEqual([os.path.basename(one["path"]) for one in found],
                         ["broken.pem", "chain.pem", "none.*"])
        self.assertEqual(found[2]["errno"], "missing")


HANGING = """
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x00020000) == 0
libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)
fd = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fd, True)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"hang", sys.argv[1].encode(), b"fuse", 0, options) != 0:
    sys.exit(77)
done = subprocess.run([sys.argv[2], "host", sys.argv[3]], capture_output=True, text=True)
print(done.stdout, end="")
"""


class FileSystems(Folder):
    def test_one_that_hangs(self):
        """A FUSE file system that nobody serves: statfs() never comes back."""
        os.mkdir(self.path("hung"))
        began = time.monotonic()
        done = subprocess.run(
            ["python3", "-c", HANGING, self.path("hung"), PROGRAM,
             json.dumps({"mounts": ["/", self.path("hung"), "/none"], "mount_timeout_msec": 300})],
            capture_output=True, text=True, timeout=20, check=False)
        if done.returncode == 77 or not os.path.exists("/dev/fuse"):
            self.skipTest("no FUSE here")
        doc = json.loads(done.stdout)
        mounts = {one["mount"]: one for one in doc["mounts"]}
        self.assertIn("hung", mounts[self.path("hung")], done.stdout)
        self.assertGreater(mounts["/"]["size"], 0)
        self.assertTrue(mounts["/none"]["missing"])
        self.assertLess(time.monotonic() - began, 10)

    def test_left_alone_while_a_child_hangs_in_it(self):
        """What looks before have told of is not touched while their child is there."""
        with open(f"/proc/{os.getpid()}/stat", encoding="ascii") as f:
            start = int(f.read().rsplit(")", 1)[1].split()[19])
        stuck = {"/": {"pid": os.getpid(), "start": start}}
        found = [one for one in self.look("host", stuck=stuck)["mounts"] if one["mount"] == "/"]
        self.assertEqual(found[0]["hung"], stuck["/"])
        stuck["/"]["start"] -= 1  # another process has its number now
        found = [one for one in self.look("host", stuck=stuck)["mounts"] if one["mount"] == "/"]
        self.assertNotIn("hung", found[0])


if __name__ == "__main__":
    unittest.main()
