# SPDX-License-Identifier: MIT
"""A webhook receiver that checks Standard Webhooks signatures and keeps a log of what came.

    webhook_sink.py --secret-file F --log F [--port 8081] [--behaviour F]

Each request becomes one JSON line: time, id, verified, why (not verified), answer, body. A file
named by --behaviour may hold {"status": 503, "retry_after": 2, "delay": 0.5}; it is read for each
request, so that a test can make the sink misbehave and behave again. With --at-most N/SECONDS it
answers 429 with Retry-After to what is more than that.
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import threading
import time

MAX_BODY_BYTES = 1 << 20
MAX_SKEW_SECONDS = 300


def verify(secret, headers, body, now):
    """None when the signature is right, else what is wrong with it."""
    ident, stamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature", "").split()
    if not ident or not stamp or not signatures:
        return "a webhook-id, -timestamp or -signature header is missing"
    if not stamp.isdigit() or abs(now - int(stamp)) > MAX_SKEW_SECONDS:
        return f"the timestamp {stamp} is not of now"
    signed = f"{ident}.{stamp}.".encode() + body
    want = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(one, "v1," + want) for one in signatures):
        return "no signature fits"
    return None


def decode_secret(text):
    """The key of "whsec_BASE64"."""
    text = text.strip()
    if not text.startswith("whsec_"):
        raise ValueError("the secret does not begin with whsec_")
    return base64.b64decode(text[len("whsec_"):], validate=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """One POST, one line."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        now = time.time()
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            return self.answer(413, {})
        body = self.rfile.read(length)
        how = self.server.behaviour()
        time.sleep(how.get("delay", 0))
        wrong = verify(self.server.secret, self.headers, body, now + self.server.ahead())
        wait = self.server.throttle(now)
        if wait:
            how = {"status": 429, "retry_after": wait}
        status = how.get("status") or (401 if wrong else 204)
        self.server.record({
            "time": now, "path": self.path, "id": self.headers.get("webhook-id"),
            "type": self.headers.get("Content-Type"), "verified": wrong is None, "why": wrong,
            "answer": status, "body": parse(body)})
        extra = {"Retry-After": str(how["retry_after"])} if "retry_after" in how else {}
        return self.answer(status, extra)

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        pass


def parse(body):
    try:
        return json.loads(body)
    except ValueError:
        return {"unparsed": body[:1000].decode("utf-8", "replace")}


class Sink(http.server.ThreadingHTTPServer):
    """The server, its secret and its log."""

    daemon_threads = True
    address_family = socket.AF_INET6

    def __init__(self, options):
        with open(options.secret_file, encoding="utf-8") as file:
            self.secret = decode_secret(file.read())
        self.behaviour_file = options.behaviour
        self.calendar_file = options.calendar
        self.log = open(options.log, "a", encoding="utf-8", buffering=1)
        self.lock = threading.Lock()
        self.at_most, self.span = (int(part) for part in (options.at_most or "0/1").split("/"))
        self.taken = []
        super().__init__(("::", options.port), Handler)

    def behaviour(self):
        try:
            with open(self.behaviour_file or "", encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return {}

    def ahead(self):
        """How far the sender's time of day is ahead, as tendd --calendar reads it."""
        if not self.calendar_file:
            return 0
        with open(self.calendar_file, encoding="utf-8") as file:
            return float(file.read())

    def throttle(self, now):
        """Whole seconds to wait when too many came in the span; 0 takes this one."""
        if not self.at_most:
            return 0
        with self.lock:
            self.taken = [one for one in self.taken if one > now - self.span]
            if len(self.taken) < self.at_most:
                self.taken.append(now)
                return 0
            return max(1, int(self.taken[0] + self.span - now + 0.999))

    def record(self, entry):
        with self.lock:
            self.log.write(json.dumps(entry) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--behaviour")
    parser.add_argument("--at-most", metavar="N/SECONDS")
    parser.add_argument("--calendar", help="seconds that the sender's time of day is ahead")
    sink = Sink(parser.parse_args())
    if os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    sink.serve_forever()


if __name__ == "__main__":
    main()
