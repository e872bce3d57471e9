# SPDX-License-Identifier: MIT
"""A tendd that is told from outside, by its unix socket and loopback HTTP, and a webhook sink."""

import datetime
import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import threading

from tendbox import wait_for
from snmpbox import BUILD, Scratch

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JOB = "job-0123456789abcdef"
PROM = "prom-0123456789abcdef"
TOKEN = "http-0123456789abcdef"


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def tcp_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def stamp(at):
    return datetime.datetime.fromtimestamp(int(at), datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


class Sink:
    """Keeps every notice that arrives: (kind, subject, data); a repeat (the same id) only once."""

    def __init__(self):
        told = self.told = []
        seen = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if body["id"] not in seen:
                    told.append((body["type"].replace("tend.", ""), body.get("subject"),
                                 body.get("data", {})))
                seen.add(body["id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def kinds(self, subject):
        return [kind.replace("incident.", "") for kind, about, _ in list(self.told)
                if about == subject]


class Tendd:
    """`body`: the configuration beside [daemon] and the receiver."""

    def __init__(self, test, body, daemon="", options=(), files=None):
        self.scratch = Scratch()
        test.addCleanup(self.scratch.close)
        self.sink = Sink()
        test.addCleanup(self.sink.close)
        self.test = test
        self.port = tcp_port()
        for name in ("state", "run", "libexec", "conf.d", "lua", "lua/tend", "lua/policies"):
            os.mkdir(self.scratch.file(name))
        for program in ("run/tend-run", "work/tend-work"):
            os.symlink(os.path.abspath(os.path.join(BUILD, "daemon", program)),
                       self.scratch.file("libexec/" + os.path.basename(program)))
        for name, text in (("secret", SECRET), ("job", JOB), ("prom", PROM), ("http", TOKEN)):
            os.chmod(self.scratch.file(name, text + "\n"), 0o600)
        self.path = self.scratch.path
        self.config = self.scratch.file("tend.conf", "")
        self.log = self.scratch.file("tendd.log")
        self.daemon = daemon
        for name, text in (files or {}).items():
            self.scratch.file(name, text)
        self.options = [option.replace("@", self.path + "/") for option in options]
        self.configure(body)
        self.process = None
        self.headers = {}
        self.start()

    def in_folder(self, text):
        """`@` is the folder, `\\@` is itself."""
        return text.replace("\\@", "\0").replace("@", self.path + "/").replace("\0", "@")

    def configure(self, body, more=""):
        self.scratch.file("tend.conf", f"""[daemon]
state_dir = {self.path}/state
run_dir = {self.path}/run
libexec_dir = {self.path}/libexec
lua_dir = {self.path}/lua
http_listen = 127.0.0.1:{self.port}
http_token = file:{self.path}/http
{self.daemon}
[receiver ops]
type = webhook
url = http://127.0.0.1:{self.sink.port}/
secret = file:{self.path}/secret
storm_burst = 0
{self.in_folder(body)}
{more}""")

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.scratch.spawn(
                [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c", self.config, "--plugin-dir",
                 os.path.join(BUILD, "plugins"), *self.options], stdout=log, stderr=log)
        self.wait(lambda: self.ctl("status", check=False), 15, "tendd to answer")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ctl(self, *args, check=True):
        done = subprocess.run(
            [os.path.join(BUILD, "daemon/ctl/tendctl"), "-s", f"{self.path}/run/tend.sock", *args],
            capture_output=True, text=True, check=False)
        # The exit status of `status` and `check show` is the state.
        if check and (done.returncode > 3 or done.stderr):
            self.test.fail(f"tendctl {args}: {done.returncode} {done.stderr}")
        return "" if done.returncode > 3 else done.stdout

    def json(self, *args):
        return json.loads(self.ctl("-o", "json", *args))

    def check(self, name):
        for row in self.json("check", "list"):
            if row["name"] == name:
                return row
        return None

    def state(self, name):
        row = self.check(name)
        return row and row["state"]

    def request(self, method, path, body=None, token=None, tcp=False):
        """(status, JSON or text); the headers of the answer are self.headers."""
        client = (http.client.HTTPConnection("127.0.0.1", self.port) if tcp
                  else Unix(f"{self.path}/run/tend.sock"))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            client.request(method, path, body=body, headers=headers)
        except BrokenPipeError:
            pass  # refused before it was read: the answer says why
        answer = client.getresponse()
        text = answer.read().decode()
        self.headers = dict(answer.getheaders())
        client.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def wait(self, condition, timeout, what):
        try:
            return wait_for(condition, timeout, what, interval=0.05)
        except AssertionError as error:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise AssertionError(
                    f"{error}\n{self.sink.told}\n{log.read()[-3000:]}") from error

    def wait_state(self, name, state, timeout=10):
        self.wait(lambda: self.state(name) == state, timeout, f"{name} to be {state}")

    def wait_told(self, subject, kinds, timeout=10):
        self.wait(lambda: self.sink.kinds(subject) == kinds, timeout, f"{kinds} of {subject}")
