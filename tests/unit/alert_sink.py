# SPDX-License-Identifier: MIT
"""A webhook receiver that behaves as it is told, request by request.

    alert_sink.py LOG SECRET-FILE PORT [STEP ...]

Steps are used up one a request, then every answer is 204: a status (500), a status with Retry-After
(429/2), with a body (200={"code":0}), hang (no answer), huge (200 and a body without end), or
wait-STEP (that step once the file LOG.go is there). Prints its pid and port. Each request is one
JSON line in LOG: id, verified, answer, time, body.
"""

import http.server
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system", "tendbox", "guest"))
from webhook_sink import decode_secret, verify  # noqa: E402


class Handler(http.server.BaseHTTPRequestHandler):
    """One POST, one line, one step."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wrong = verify(self.server.secret, self.headers, body, time.time())
        step = self.server.next_step() if wrong is None else "401"
        self.server.record({
            "id": self.headers.get("webhook-id"), "verified": wrong is None, "why": wrong,
            "type": self.headers.get("Content-Type"), "answer": step, "time": time.time(),
            "body": json.loads(body)})
        if step == "hang":
            time.sleep(30)
            self.close_connection = True
            return
        if step.startswith("wait-"):
            step = step[len("wait-"):]
            while not os.path.exists(self.server.log.name + ".go"):
                time.sleep(0.01)
        status, _, answer = step.partition("=")
        status, _, retry_after = status.partition("/")
        self.send_response(200 if step == "huge" else int(status))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        if status == "302":
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        if step == "huge":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            return self.pour()
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def pour(self):
        try:
            while True:
                self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, format, *args):
        pass


class Sink(http.server.ThreadingHTTPServer):
    """The server and its script."""

    daemon_threads = True

    def __init__(self, log, secret_file, port, steps):
        with open(secret_file, encoding="utf-8") as file:
            self.secret = decode_secret(file.read())
        self.log = open(log, "a", encoding="utf-8", buffering=1)
        self.steps = steps
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request, client_address):
        pass  # the client gave up, as it should

    def next_step(self):
        with self.lock:
            return self.steps.pop(0) if self.steps else "204"

    def record(self, entry):
        with self.lock:
            self.log.write(json.dumps(entry) + "\n")


def main():
    sink = Sink(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    print(os.getpid(), sink.server_port, flush=True)
    sink.serve_forever()


if __name__ == "__main__":
    main()
