# SPDX-License-Identifier: MIT
"""The http probe against nginx, tinyproxy and servers of ours, in all moods, on IPv4 and IPv6."""

import base64
import collections
import http.server
import json
import os
import select
import socket
import ssl
import threading
import time
import unittest
import urllib.parse

from probes import (Authority, Odd, Probes, Server, Slow, answers, full_backlog, hanging_up, saying,
                    silent, tcp_port)
from snmpbox import Scratch

NGINX = """
daemon off;
master_process off;
pid {path}/nginx.pid;
error_log {path}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {path}/b; proxy_temp_path {path}/p; fastcgi_temp_path {path}/f;
  uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
  ssl_session_cache shared:s:1m;
  server {{
    listen 127.0.0.1:{plain}; listen [::1]:{plain6};
    location / {{ return 200 '{{"well":true}}'; }}
    location /denied {{ return 403; }}
    location /error {{ return 503; }}
    location /loop {{ return 302 /loop; }}
    location /private {{ auth_basic x; auth_basic_user_file {path}/users; root {path}; }}
  }}
  server {{
    listen 127.0.0.1:{clear} http2;
    return 200 "by $server_protocol";
  }}
  server {{
    listen 127.0.0.1:{tls} ssl http2; listen [::1]:{tls6} ssl http2;
    ssl_certificate {good}; ssl_certificate_key {good_key};
    return 200 "by $server_protocol";
  }}
  server {{
    listen 127.0.0.1:{expired} ssl;
    ssl_certificate {old}; ssl_certificate_key {old_key}; return 200;
  }}
  server {{
    listen 127.0.0.1:{named} ssl;
    ssl_certificate {other}; ssl_certificate_key {other_key}; return 200;
  }}
  server {{
    listen 127.0.0.1:{wants} ssl;
    ssl_certificate {good}; ssl_certificate_key {good_key};
    ssl_client_certificate {ca}; ssl_verify_client on;
    return 200 "hello $ssl_client_s_dn";
  }}
}}
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Case(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def path(self, name):
        return self.scratch.file(name)

    def secret(self, name, text):
        path = write(self.path(name), text)
        os.chmod(path, 0o600)
        return f"file:{path}"

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, value in metrics.items():
            self.assertIn(metric, got.metrics, got)
            if value is not None:
                self.assertEqual(got.metrics[metric], value, got)
        return got


class Moods(Case):
    def nginx(self):
        ca = Authority(self.path("ca"))
        names = {}
        for name, options in {"good": {}, "old": {"days": -3},
                              "other": {"names": "DNS:crm.example"}}.items():
            names[name], names[name + "_key"] = ca.issue(name, **options)
        pem, key = ca.issue("client")
        with open(pem, encoding="utf-8") as one, open(key, encoding="utf-8") as two:
            self.client = self.secret("client.pem", one.read() + two.read())
        ports = {name: tcp_port("::1" if name.endswith("6") else "127.0.0.1") for name in
                 ("plain", "plain6", "clear", "tls", "tls6", "expired", "named", "wants")}
        self.ca = ca.path("ca.pem")
        write(self.path("users"), "ops:{PLAIN}letmein\n")
        write(self.path("private"), "only for ops")
        text = NGINX.format(path=self.scratch.path, ca=self.ca, **ports, **names)
        conf = write(self.path("nginx.conf"), text)
        server = Server(self, ["nginx", "-e", self.path("error.log"), "-c", conf],
                        lambda: answers(ports["plain"]))
        return server, ports

    def test_moods(self):
        server, ports = self.nginx()
        v4, v6 = f"http://127.0.0.1:{ports['plain']}", f"http://[::1]:{ports['plain6']}"
        tls, tls6 = f"https://localhost:{ports['tls']}", f"https://[::1]:{ports['tls6']}"
        trust = {"ca_file": self.ca}
        checks = {
            "v4": {"url": v4 + "/", "expect_json./well": "true", "percentiles": 4},
            "v6": {"url": v6 + "/", "expect_body": "well"},
            "name": {"url": f"http://localhost:{ports['plain']}/"},
            "nobody": {"url": "http://nothing.invalid/"},
            "denied": {"url": v4 + "/denied"},
            "error": {"url": v4 + "/error"},
            "basic": {"url": v4 + "/private", "auth": "basic", "user": "ops",
                      "password": self.secret("good", "letmein"), "expect_body": "only for ops"},
            "basic-wrong": {"url": v4 + "/private", "auth": "basic", "user": "ops",
                            "password": self.secret("bad", "letmeout")},
            "loop": {"url": v4 + "/loop", "follow_redirects": 2},
            "kept": {"url": v4 + "/", "keep": "yes"},
            "tls": {"url": tls, **trust},
            "tls6": {"url": tls6, **trust},
            "stranger": {"url": tls},
            "expired": {"url": f"https://localhost:{ports['expired']}", **trust},
            "named": {"url": f"https://localhost:{ports['named']}", **trust},
            "not-tls": {"url": f"https://127.0.0.1:{ports['plain']}", **trust},
            "resumed": {"url": tls, **trust, "tls_resume": "yes"},
            "h2": {"url": tls, **trust, "http_version": 2, "expect_body": "^by HTTP/2"},
            "h2-clear": {"url": f"http://127.0.0.1:{ports['clear']}", "http_version": 2,
                         "expect_body": "^by HTTP/2"},
            "no-h2": {"url": f"https://localhost:{ports['expired']}", "verify_tls": "no",
                      "http_version": 2},
            "no-client": {"url": f"https://localhost:{ports['wants']}", **trust},
            "client": {"url": f"https://localhost:{ports['wants']}", **trust,
                       "client_certificate": self.client, "expect_body": "CN=client"},
            "slow": {"url": f"http://127.0.0.1:{Slow(self, ports['plain']).port}/",
                     "critical.first_byte_seconds": 0.1},
            "slow6": {"url": f"http://[::1]:{Slow(self, ports['plain6'], '::1').port}/",
                      "critical.first_byte_seconds": 0.1},
        }
        probes = Probes(self, {name: {"probe": "http", **options}
                               for name, options in checks.items()}, timeout="1500ms")
        for _ in range(5):
            got = self.check(probes, "v4", "ok", "status 200", total_seconds_p50=None,
                             total_seconds_p95=None, total_seconds_p99=None)
        self.assertGreaterEqual(got.metrics["total_seconds_p99"], got.metrics["total_seconds_p50"])
        self.check(probes, "v6", "ok", connect_seconds=None, dns_seconds=None,
                   first_byte_seconds=None, status=200)
        self.check(probes, "name", "ok")
        self.check(probes, "nobody", "dns-failed", "nothing.invalid")
        self.check(probes, "denied", "auth-failed", "got 403")
        self.check(probes, "error", "status-unexpected", "got 503")
        self.check(probes, "basic", "ok")
        self.check(probes, "basic-wrong", "auth-failed", "got 401")
        self.check(probes, "loop", "status-unexpected", "got 302")
        self.check(probes, "kept", "ok", connection_kept=None)
        got = self.check(probes, "kept", "ok", connection_kept=1)
        self.assertNotIn("connect_seconds", got.metrics)
        got = self.check(probes, "tls", "ok", tls_seconds=None, certificate_days=None)
        self.assertAlmostEqual(got.metrics["certificate_days"], 30, delta=0.2)
        self.check(probes, "tls6", "ok")
        self.check(probes, "stranger", "tls-untrusted", "unable to get local issuer")
        self.check(probes, "expired", "tls-expired", "certificate has expired")
        self.check(probes, "named", "tls-name", "localhost")
        self.check(probes, "not-tls", "tls-failed", "wrong version number")
        self.check(probes, "resumed", "ok", tls_resumed=None)
        self.check(probes, "resumed", "ok", tls_resumed=1)
        self.assertIn("certificate_days", self.check(probes, "tls", "ok").metrics)
        self.check(probes, "h2", "ok")
        self.check(probes, "h2-clear", "ok")
        self.check(probes, "no-h2", "protocol", "expected HTTP/2")
        self.check(probes, "no-client", "auth-failed", "certificate")
        self.check(probes, "client", "ok")
        self.check(probes, "slow", "threshold", "first_byte_seconds", status=200)
        self.check(probes, "slow6", "threshold", "first_byte_seconds", status=200)
        with server.frozen():
            self.check(probes, "v4", "too-slow", "waiting for the answer")
            self.check(probes, "v6", "too-slow")
            self.check(probes, "kept", "too-slow")
            self.check(probes, "tls", "too-slow", "in the TLS handshake")
            self.check(probes, "tls6", "too-slow", "in the TLS handshake")
        self.check(probes, "v4", "ok")
        server.kill()
        self.check(probes, "v4", "connect-refused", f"127.0.0.1 port {ports['plain']}: ")
        self.check(probes, "v6", "connect-refused", "[::1]")
        self.check(probes, "kept", "connect-refused")
        self.check(probes, "tls", "connect-refused")

    def test_misbehaving(self):
        half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf a body"

        def half_then_gone(sock):
            sock.recv(4096)
            sock.sendall(half)
            sock.close()

        def dripping(sock):
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n":
                sock.sendall(bytes([byte]))
                time.sleep(0.02)
        odd = {"silent": (silent, "too-slow"),
               "dripping": (dripping, "too-slow"),
               "garbage": (saying(b"\x00\xff\x01nonsense\r\n\r\n"), "protocol"),
               "greeting": (saying(b"220 mail.example ESMTP\r\n"), "protocol"),
               "hang-up": (hanging_up, "protocol"),
               "half": (half_then_gone, "protocol"),
               "stuck": (saying(half), "too-slow"),
               "endless": (saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400000), "protocol")}
        checks = {"half-open": {"url": f"http://127.0.0.1:{full_backlog(self)}/"}}
        for name, (talk, _) in odd.items():
            for family, address in (("v4", "127.0.0.1"), ("v6", "::1")):
                server = Odd(self, talk, address)
                host = f"[{address}]" if ":" in address else address
                checks[f"{name}-{family}"] = {"url": f"http://{host}:{server.port}/"}
        probes = Probes(self, {name: {"probe": "http", **options}
                               for name, options in checks.items()}, timeout="400ms")
        self.check(probes, "half-open", "connect-timeout", "still connecting")
        for name, (_, reason) in odd.items():
            self.check(probes, f"{name}-v4", reason)
            self.check(probes, f"{name}-v6", reason)

    def test_weak_tls(self):
        authority = Authority(self.path("ca"))
        cert, key = authority.issue("weak")
        port = tcp_port()
        Server(self, ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key",
                      key, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-www", "-quiet"],
               lambda: answers(port))
        url = {"probe": "http", "url": f"https://localhost:{port}/",
               "ca_file": self.path("ca/ca.pem")}
        checks = {"weak": url, "taken": {**url, "tls_floor": "1.1"}}
        checks["long"] = {**url, "url": f"https://localhost:{tcp_port()}/"}
        port = int(checks["long"]["url"].rpartition(":")[2].rstrip("/"))
        strong = authority.issue("strong", key=("rsa:2048",))
        Server(self, ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", strong[0],
                      "-key", strong[1], "-tls1_2", "-cipher", "kDHE:@SECLEVEL=0", "-dhparam",
                      authority.long_dh(), "-www", "-quiet"], lambda: answers(port))
        for name in ("tls1_2", "tls1_3"):
            checks[name] = {**url, "url": f"https://localhost:{tcp_port()}/"}
            port = int(checks[name]["url"].rpartition(":")[2].rstrip("/"))
            Server(self, ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert,
                          "-key", key, "-" + name, "-Verify", "1", "-CAfile",
                          self.path("ca/ca.pem"), "-www", "-quiet"], lambda port=port: answers(port))
        probes = Probes(self, checks)
        self.check(probes, "weak", "tls-weak")
        self.check(probes, "long", "tls-failed", "handshake failure")
        self.check(probes, "taken", "ok")
        # nginx says 400 to those who bring no certificate; others end the handshake, which before
        # TLS 1.3 tells libcurl nothing of why.
        self.check(probes, "tls1_3", "auth-failed", "certificate required")
        self.check(probes, "tls1_2", "tls-failed", "handshake failure")


class Crm(http.server.BaseHTTPRequestHandler):
    """A log-in form with a token, an API with OAuth 2, errors in a 200, and quotas."""
    protocol_version = "HTTP/1.1"
    tokens, asked, issued = set(), [], collections.Counter()

    def log_message(self, *args):
        pass

    def answer(self, status, body, **headers):
        body = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def cookies(self):
        return dict(part.strip().split("=", 1)
                    for part in self.headers.get("Cookie", "").split(";") if "=" in part)

    def do_GET(self):
        Crm.asked.append(self.path)
        path = self.path.split("?")[0]
        if path == "/login":
            self.answer(200, LOGIN_PAGE, Set_Cookie="seed=abc; HttpOnly")
        elif path == "/home":
            if self.cookies().get("session") == "s3cret":
                self.answer(200, "<h1>Welcome, ops</h1>")
            else:
                self.answer(302, "", Location="/login")
        elif path == "/api":
            if self.headers.get("Authorization", "")[7:] in Crm.tokens:
                self.answer(200, {"errcode": 0})
            else:
                self.answer(401, {"error": "invalid_token"})
        elif path.startswith("/code/"):
            self.answer(400 if path.endswith("8303") else 200,
                        {"errcode": int(path[6:]), "errmsg": "no <luck>"})
        elif path == "/quota":
            self.answer(200, "{}", Sforce_Limit_Info="api-usage=4990/5000")
        elif path == "/quota-used-up":
            self.answer(200, "{}", X_Remaining="0", X_Limit="50")
        elif path == "/too-many":
            self.answer(429, "{}", Retry_After="120")
        else:
            self.answer(404, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        if self.path == "/do-login?next=%2Fhome":
            good = (fields.get("csrf") == "t&k\"1" and fields.get("user") == "ops" and
                    fields.get("pass") == "p&ss w=rd" and self.cookies().get("seed") == "abc" and
                    fields.get("go") == "Log in" and fields.get("lang") == "en" and
                    self.headers["Referer"].endswith("/login"))
            if good:
                self.answer(303, "", Location="/home", Set_Cookie="session=s3cret; Path=/")
            else:
                self.answer(200, LOGIN_PAGE)
        elif self.path == "/token":
            given = self.headers.get("Authorization", "")[6:]
            basic = base64.b64decode(given).decode() == "tend:client secret"
            if not basic and fields.get("client_secret") != "client secret":
                self.answer(401, {"error": "invalid_client", "error_description": "who?"})
                return
            scope = fields.get("scope", "short")
            Crm.issued[scope] += 1
            token = f"token-{scope}-{Crm.issued[scope]}"
            Crm.tokens.add(token)
            self.answer(200, {"access_token": token, "token_type": "Bearer",
                              "expires_in": 1 if scope == "short" else 3600})
        else:
            self.answer(404, "")


LOGIN_PAGE = """<!DOCTYPE html><title>Log <in></title><!-- <form><input type=password></form> -->
<form id=search><input name=q></form>
<form id="login" action='/do-login?next=%2Fhome' method=POST>
<input type="hidden" name="csrf" value="t&amp;k&quot;1"><input name=user>
<input type=password name=pass>
<select name=lang><option value=de>D<option value=en selected>E</select>
<input type=checkbox name=stay><button name=go value="Log in">Log in</button></form>"""


class Flows(Case):
    def setUp(self):
        super().setUp()
        Crm.tokens, Crm.asked, Crm.issued = set(), [], collections.Counter()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Crm)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.top = f"http://127.0.0.1:{server.server_address[1]}"

    def probes(self, checks, **more):
        return Probes(self, {name: {"probe": "http", "url": self.top + path, **options}
                             for name, (path, options) in checks.items()}, **more)

    def test_login(self):
        good, bad = self.secret("good", "p&ss w=rd"), self.secret("bad", "wrong")
        login = {"login.url": self.top + "/login", "login.field.user": "ops",
                 "expect_body": "Welcome, ops"}
        dead = f"http://127.0.0.1:{tcp_port()}"
        probes = self.probes({
            "well": ("/home", {**login, "login.secret.pass": good}),
            "well-expect": ("/home", {**login, "login.secret.pass": good,
                                      "login.expect": "Welcome"}),
            "without": ("/home", {"follow_redirects": 1, "expect_body": "Welcome"}),
            "wrong": ("/home", {**login, "login.secret.pass": bad}),
            "wrong-expect": ("/home", {**login, "login.secret.pass": bad,
                                       "login.expect": "Welcome"}),
            "no-form": ("/home", {**login, "login.secret.pass": good, "login.form": "nothing"}),
            "no-page": ("/home", {**login, "login.secret.pass": good,
                                  "login.url": self.top + "/nowhere"}),
            "dead": ("/home", {**login, "login.secret.pass": good, "url": dead + "/home",
                               "login.url": dead + "/login"}),
        })
        for _ in range(2):
            self.check(probes, "well", "ok", "status 200", login_seconds=None)
        self.check(probes, "well-expect", "ok")
        self.check(probes, "without", "content-unexpected")
        self.check(probes, "wrong", "auth-failed", "logging in: the log-in was refused")
        self.check(probes, "wrong-expect", "auth-failed", "does not match login.expect")
        self.check(probes, "no-form", "content-unexpected", "no such form")
        self.check(probes, "no-page", "status-unexpected", "for the log-in page: ")
        self.check(probes, "dead", "connect-refused", "for the log-in page: ")

    def test_oauth(self):
        oauth = {"auth": "oauth2", "oauth.url": self.top + "/token", "oauth.client_id": "tend",
                 "oauth.client_secret": self.secret("client", "client secret"),
                 "oauth.scope": "read"}
        short = {key: value for key, value in oauth.items() if key != "oauth.scope"}
        probes = self.probes({
            "well": ("/api", {**oauth, "error_pointer": "/errcode"}),
            "in-body": ("/api", {**oauth, "oauth.client_auth": "body", "oauth.scope": "body"}),
            "short": ("/api", short),
            "wrong": ("/api", {**oauth, "oauth.client_secret": self.secret("no", "no")}),
            "nowhere": ("/api", {**oauth, "oauth.url": self.top + "/nowhere"}),
        })
        self.check(probes, "well", "ok")
        got = self.check(probes, "well", "ok")
        self.assertNotIn("token_seconds", got.metrics)
        self.assertEqual(Crm.issued["read"], 1)
        Crm.tokens.clear()  # revoked
        self.check(probes, "well", "ok", token_seconds=None)
        self.assertEqual(Crm.issued["read"], 2)
        self.check(probes, "in-body", "ok")
        self.check(probes, "short", "ok")
        time.sleep(1)  # what it lasts
        self.check(probes, "short", "ok", token_seconds=None)
        self.check(probes, "wrong", "auth-failed", "invalid_client")
        self.check(probes, "nowhere", "status-unexpected", "for the token: no token: status 404")
        for root, _, names in os.walk(probes.path):
            for name in names:
                path = os.path.join(root, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        self.assertNotIn(b"token-read", file.read(), path)

    def test_codes_and_quotas(self):
        codes = {"error_pointer": "/errcode", "error_ok": "0, 100", "error_auth": "40001",
                 "error_quota": "8303", "error_text": "/errmsg"}
        probes = self.probes({
            "ok": ("/code/0", codes), "also-ok": ("/code/100", codes),
            "failed": ("/code/7", codes), "auth": ("/code/40001", codes),
            "limit": ("/code/8303", codes),
            "quota": ("/quota", {"quota_used": "Sforce-Limit-Info"}),
            "used-up": ("/quota-used-up", {"quota_remaining": "X-Remaining",
                                           "quota_max": "X-Limit"}),
            "too-many": ("/too-many", {}),
        })
        self.check(probes, "ok", "ok")
        self.check(probes, "also-ok", "ok")
        self.check(probes, "failed", "content-unexpected", "error \"7\" at /errcode: \"no <luck>\"")
        self.check(probes, "auth", "auth-failed", "40001")
        self.check(probes, "limit", "quota", "status 400: the answer says error \"8303\"")
        self.check(probes, "quota", "ok", quota_used=4990, quota_max=5000, quota_remaining=10,
                   quota_used_pct=99.8)
        self.check(probes, "used-up", "quota", "used up: 50 of 50", quota_used=50)
        self.check(probes, "too-many", "quota", "asked again in 120 s", retry_after_seconds=120)
        n_asked = len(Crm.asked)
        self.check(probes, "too-many", "quota", "so it was not")
        self.assertEqual(len(Crm.asked), n_asked)

    def tinyproxy(self):
        port = tcp_port()
        conf = write(self.path("proxy.conf"), f"Port {port}\nListen 127.0.0.1\nTimeout 20\n"
                     f"LogFile \"{self.path('proxy.log')}\"\nMaxClients 20\nAllow 127.0.0.1\n"
                     f"ConnectPort {self.tls_port}\nBasicAuth ops letmein\n")
        return Server(self, ["tinyproxy", "-d", "-c", conf], lambda: answers(port)), port

    @staticmethod
    def socks(user, password):
        """RFC 1928 and 1929, as much as it takes to pass one connection on."""
        def talk(sock):
            sock.recv(2 + sock.recv(2)[1])
            sock.sendall(b"\x05\x02")
            said = sock.recv(600)
            if said != b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password:
                sock.sendall(b"\x01\x01")
                return
            sock.sendall(b"\x01\x00")
            asked = sock.recv(600)
            host = asked[5:5 + asked[4]].decode() if asked[3] == 3 else socket.inet_ntoa(asked[4:8])
            try:
                server = socket.create_connection((host, int.from_bytes(asked[-2:], "big")), 1)
            except OSError:
                sock.sendall(b"\x05\x04\x00\x01" + bytes(6))
                return
            sock.sendall(b"\x05\x00\x00\x01" + bytes(6))
            while True:
                for ready in select.select([sock, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        sock.close()
                        server.close()
                        return
                    (server if ready is sock else sock).sendall(data)
        return talk

    def test_proxy(self):
        cert, key = Authority(self.path("ca")).issue("good")
        secure = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Crm)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        threading.Thread(target=secure.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(secure.server_close)
        self.addCleanup(secure.shutdown)
        self.tls_port = secure.server_address[1]
        proxy, port = self.tinyproxy()
        socks = Odd(self, self.socks(b"ops", b"letmein"))
        through = {"proxy": f"http://localhost:{port}", "proxy_user": "ops",
                   "proxy_password": self.secret("proxy", "letmein"),
                   "ca_file": self.path("ca/ca.pem")}
        tls = f"https://127.0.0.1:{self.tls_port}/login"
        checks = {
            "plain": ("/login", through),
            "tunnel": ("/", {**through, "url": tls}),
            "tunnel-away": ("/", {**through, "url": f"https://127.0.0.1:{tcp_port()}/"}),
            "wrong": ("/login", {**through, "proxy_password": self.secret("no", "no")}),
            "wrong-tunnel": ("/", {**through, "url": tls,
                                   "proxy_password": self.secret("no", "no")}),
            "by-name": ("/", {**through, "url": "http://nothing.invalid/"}),
            "socks": ("/login", {**through, "proxy": f"socks5h://127.0.0.1:{socks.port}"}),
            "socks-tls": ("/", {**through, "proxy": f"socks5h://127.0.0.1:{socks.port}",
                                "url": tls}),
            "socks-away": ("/", {**through, "proxy": f"socks5h://127.0.0.1:{socks.port}",
                                 "url": "http://nothing.invalid/"}),
            "socks-wrong": ("/login", {**through, "proxy": f"socks5h://127.0.0.1:{socks.port}",
                                       "proxy_password": self.secret("no", "no")}),
            "no-proxy-name": ("/login", {**through, "proxy": "http://nothing.invalid:3128"}),
        }
        probes = self.probes(checks)
        self.check(probes, "plain", "ok")
        self.check(probes, "tunnel", "ok", tls_seconds=None)
        self.check(probes, "tunnel-away", "access-denied", "the proxy answers CONNECT with 403")
        self.check(probes, "wrong", "auth-failed", "got 401")  # tinyproxy's 407
        self.check(probes, "wrong-tunnel", "auth-failed", "CONNECT with 401")
        self.check(probes, "by-name", "status-unexpected")
        self.check(probes, "no-proxy-name", "dns-failed", "nothing.invalid:3128")
        self.check(probes, "socks", "ok")
        self.check(probes, "socks-tls", "ok", tls_seconds=None)
        self.check(probes, "socks-away", "connect-failed")
        self.check(probes, "socks-wrong", "auth-failed")
        with proxy.frozen():
            self.check(probes, "plain", "too-slow")
        proxy.kill()
        self.check(probes, "plain", "connect-refused", "cannot connect to the proxy localhost")


if __name__ == "__main__":
    unittest.main()
