# SPDX-License-Identifier: MIT
"""tendctl format: what it lists, what it shows, that no secret shows, and that it sends once."""
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

CTL = os.environ["TEND_CTL"]
LUA = pathlib.Path(os.environ["TEND_LUA"])
SAMPLES = ("raised", "changed", "cleared", "raised-cleared", "reminder", "acknowledged", "late", "group", "storm",
           "long", "policy", "message", "heartbeat", "test")
SECRET = "whsec_dGVuZGJveDogdGhpcnR5LXR3byBieXRlcyBvZiBrZXk="
TOKEN = "T0KEN&T0KEN=T0KEN"  # %26, %3D in the url



class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers, body))
        answer = self.server.answer
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


class Tool(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        libexec = self.folder / "libexec"
        libexec.mkdir()
        for name in ("TEND_RUN", "TEND_FORMAT"):
            program = pathlib.Path(os.environ[name])
            (libexec / program.name).symlink_to(program)
        self.env = {**os.environ, "TEND_LIBEXECDIR": str(libexec), "TEND_LUADIR": str(LUA)}

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def ctl(self, *args, status=0):
        for _ in range(10):
            done = subprocess.run([CTL, *args], env=self.env, capture_output=True, text=True, timeout=60,
                                  check=False)
            # The limit is one of wall time: on a busy machine a good format may miss it.
            if "no answer within" not in done.stderr or status:
                break
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stdout + done.stderr

    def shipped(self):
        return sorted(path.stem for path in (LUA / "formats").glob("*.lua"))

    def test_list(self):
        rows = json.loads(self.ctl("-o", "json", "format", "list"))
        self.assertEqual(sorted(row["format"] for row in rows), sorted(self.shipped() + ["cloudevents"]))
        for row in rows:
            self.assertNotIn("error", row)
            self.assertTrue(row["doc"])
        self.assertEqual(self.ctl("-o", "names", "format", "list").split(), [row["format"] for row in rows])
        self.assertIn("option.mention", self.ctl("format"))

    def test_every_format_fits_every_sample(self):
        for name in self.shipped():
            needed = ['body={"text": "{title}: {text}"}'] if name == "template" else []
            for sample in SAMPLES:
                with self.subTest(format=name, sample=sample):
                    said = json.loads(self.ctl("-o", "json", "format", "test", name, "--sample", sample,
                                               "--language", "zh", *needed))
                    self.assertLessEqual(said["bytes"], said["max_bytes"])
                    self.assertGreater(said["bytes"], 0)

    def test_what_is_wrong(self):
        bad = self.write("bad.lua", 'return {\n\tname = "b",\n\tdok = "x",\n}\n')
        loop = self.write("loop.lua", 'return { name = "l", doc = "d", format = function() while true do end end }')
        long = self.write("long.lua", 'return { name = "l", doc = "d", sign = "none", max_bytes = 256,\n'
                          'format = function() return { body = ("x"):rep(300) } end }')
        rows = [
            ([str(bad)], "bad.lua:3: unknown key 'dok'; did you mean 'doc'?"),
            ([str(loop)], "no answer within 250 ms"),
            ([str(long)], "it has 300 bytes, and the limit is 256"),
            (["slak"], "No such file"),
            (["slack", "mentoin=here"], "did you mean 'mention'?"),
            (["slack", "mention"], "an option is written NAME=VALUE"),
            (["template"], "option.body: the format 'template' needs it"),
            (["slack", "--sample", "none"], "there is no such sample"),
            (["slack", "--send"], "--send needs --receiver"),
        ]
        for args, message in rows:
            with self.subTest(args=args):
                self.assertIn(message, self.ctl("format", "test", *args, status=1))
        self.assertIn("no language", self.ctl("format", "test", "slack", "--language", "de", status=64))

    def test_own_file_anywhere(self):
        self.write("mine.lua", 'local text = require "tend.text"\nreturn { name = "m", doc = "d", sign = "none",\n'
                   'format = function(n) return { body = text.cut(n.title, 9) } end }')
        done = subprocess.run([CTL, "format", "test", "mine.lua"], env=self.env, cwd=self.folder,
                              capture_output=True, text=True, timeout=60, check=True)
        self.assertIn("\n[Criti", done.stdout)

    def test_send(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
        server.seen, server.answer = [], b'{"errcode":0}'
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(lambda: (server.shutdown(), server.server_close()))
        secret, token = self.write("secret", SECRET + "\n"), self.write("token", TOKEN + "\n")
        config = self.write("tend.conf", f"""[daemon]
lua_dir = {LUA}
[receiver ding]
type = webhook
url = http://127.0.0.1:{server.server_port}/robot/send?access_token={{token}}
token = file:{token}
secret = file:{secret}
format = dingtalk
language = zh
""")
        args = ("format", "test", "dingtalk", "--receiver", "ding", "--config", str(config))
        shown = self.ctl(*args)
        self.assertEqual(server.seen, [])
        self.assertIn("【严重】", shown)
        sent = self.ctl(*args, "--send")
        self.assertIn("delivered", sent)
        server.answer = b'{"errcode":310000,"errmsg":"sign not match"}'
        refused = self.ctl(*args, "--send", status=1)
        self.assertIn("failed", refused)
        self.assertEqual(len(server.seen), 2)
        path, _, body = server.seen[0]
        self.assertEqual(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["access_token"], [TOKEN])
        self.assertEqual(json.loads(body)["msgtype"], "markdown")
        for text in (shown, sent, refused):
            self.assertNotIn("T0KEN", text)
            self.assertNotIn(SECRET, text)
        self.assertIn("there is no such receiver", self.ctl("format", "test", "slack", "--receiver", "none",
                                                            "--config", str(config), status=1))


if __name__ == "__main__":
    unittest.main()
