# SPDX-License-Identifier: MIT
"""The history of metrics: a real check, minutes that pass at once, a kill, `tendctl metric`."""

import contextlib
import json
import os
import sqlite3
import threading
import time
import unittest
import http.server

from inbox import Tendd
from tendbox import wait_for

CHECKS = """
[system crm]
environment = production
[component crm/web]
kind = web
[check crm/web/page]
probe = http
url = http://127.0.0.1:{port}/
interval = 1s
confirm = 1 of 1
"""
DAY = 86400


class Metrics(unittest.TestCase):
    def setUp(self):
        self.down, self.seconds = False, 0
        test = self

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(test.seconds)
                self.send_response(503 if test.down else 200)
                self.send_header("Content-Length", "7")
                self.end_headers()
                self.wfile.write(b"welcome")

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.shift = 0
        self.body = CHECKS.format(port=server.server_address[1])
        self.tendd = Tendd(self, self.body, options=["--calendar", "@shift"], files={"shift": "0\n"})

    def pass_time(self, seconds):
        """The time of day goes on at once; tendd reads the file each second."""
        self.shift += seconds
        path = f"{self.tendd.path}/shift"
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(f"{self.shift}\n")
        os.rename(path + ".new", path)

    def points(self, metric, days=1):
        """By the daemon's time of day, which tendctl does not know."""
        now = int(time.time()) + self.shift
        status, page = self.tendd.request(
            "GET", f"/v1/metrics/points?check=crm/web/page&metric={metric}"
            f"&since={now - days * DAY}&until={now + 60}")
        if status == 404:
            return page, []
        self.assertEqual(status, 200, page)
        return page, [point for point in page["points"] if point]

    def measured(self):
        done = self.tendd.ctl("-o", "json", "metric", "list", "crm/web/page", check=False)
        return any(row["metric"] == "total_seconds" for row in json.loads(done or "[]"))

    def shown_minutes(self, n, **of):
        wait_for(lambda: len(self.points("total_seconds", **of)[1]) >= n, 30, f"{n} points")
        return self.points("total_seconds", **of)

    def test_a_minute_becomes_an_hour_becomes_a_day(self):
        wait_for(self.measured, 15, "a first result")
        self.pass_time(60)
        page, points = self.shown_minutes(1)
        self.assertEqual((page["step"], page["unit"]), (60, "s"))
        n, least, mean, most = points[0]
        self.assertGreaterEqual(n, 1)
        self.assertTrue(0 < least <= mean <= most < 10, points)
        body = self.points("body_bytes")[1][0]
        self.assertEqual(body[1:], [7, 7, 7])

        # The machine dies: what was written is there, and the same series goes on.
        before = self.tendd.ctl("metric", "list", "crm/web/page")
        self.tendd.kill()
        self.tendd.start()
        self.assertGreaterEqual(len(self.points("total_seconds")[1]), 1)
        self.assertEqual(len(before.splitlines()),
                         len(self.tendd.ctl("metric", "list", "crm/web/page").splitlines()))

        # An hour, then a day, go by: packed, and still told.
        self.pass_time(2 * 3600)
        self.shown_minutes(2)
        self.pass_time(3 * DAY)
        page, points = self.shown_minutes(2, days=5)
        self.assertEqual(page["step"], 3600)
        self.assertEqual(self.points("body_bytes", days=5)[1][0][1:], [7, 7, 7])

    def state(self, state):
        wait_for(lambda: self.tendd.check("crm/web/page")["state"] == state, 15, state)

    def report(self, *args):
        rows = self.tendd.json("report", "availability", *args)
        self.assertEqual([row["component"] for row in rows], ["crm/web"])
        return rows[0]

    def test_availability(self):
        self.state("ok")
        self.pass_time(8 * 3600)
        wait_for(lambda: self.report()["up_seconds"] > 8 * 3600, 10, "the hours to pass")
        self.down = True
        self.state("critical")
        self.pass_time(2 * 3600)
        wait_for(lambda: self.report()["down_seconds"] > 2 * 3600, 10, "the hours to pass")
        self.down = False
        self.state("ok")
        # Two hours that nobody looked at.
        self.tendd.kill()
        self.pass_time(2 * 3600)
        self.tendd.start()
        self.state("ok")
        row = self.report("crm/web", "--since", "7d")
        self.assertEqual(row["failures"], 1, row)
        self.assertAlmostEqual(row["availability"], 0.8, delta=0.01)
        self.assertAlmostEqual(row["mttr_seconds"], 7200, delta=90)
        self.assertAlmostEqual(row["mtbf_seconds"], 8 * 3600, delta=120)
        self.assertAlmostEqual(row["unmonitored_seconds"], 7200, delta=120)
        text = self.tendd.ctl("report", "availability")
        self.assertRegex(text, r"crm/web +(79\.9|80\.\d)\d*% +1 +2h")
        with self.assertRaises(AssertionError) as caught:
            self.tendd.ctl("report", "availability", "crm/none")
        self.assertIn("there is no component 'crm/none'", str(caught.exception))

    def test_one_outage_over_restarts(self):
        self.state("ok")
        self.down = True
        self.state("critical")
        for _ in range(2):
            self.tendd.stop()
            self.tendd.start()
            self.state("critical")
        self.down = False
        self.state("ok")
        self.assertEqual(self.report()["failures"], 1)

    def test_components_that_are_gone(self):
        """Taken out while nobody runs: its time ends there. And there may be very many of them."""
        more = "[component crm/gone]\n[check crm/gone/page]\nprobe = http\ninterval = 1s\n" \
            "confirm = 1 of 1\nurl = http://127.0.0.1:9/\n"
        self.tendd.configure(self.body + more)
        self.tendd.ctl("reload")
        self.tendd.wait_state("crm/gone/page", "critical")
        self.state("ok")
        wait_for(lambda: len(self.tendd.json("report", "availability")) == 2, 10, "both")
        self.tendd.stop()
        n, started = 12000, time.time() - 7200
        with contextlib.closing(sqlite3.connect(f"{self.tendd.path}/state/tend.db")) as db, db:
            db.executemany("insert into component_state values (?, ?, ?)",
                           ((f"old/c{i:05}", int((started + k * 3600) * 1e6), state)
                            for i in range(n) for k, state in enumerate(("ok", "critical"))))
            # Long gone: in no report, and not for ever.
            db.execute("insert into component_state values ('past/c', ?, 'unmonitored')",
                       (int((started - 200 * DAY) * 1e6),))
        self.tendd.configure(self.body)
        self.tendd.start()
        self.state("ok")

        def retired():
            rows = {row["component"]: row for row in self.tendd.json("report", "availability")}
            return rows if len(rows) == n + 2 else None
        rows = wait_for(retired, 30, "all of them, and nothing else")
        self.assertNotIn("past/c", rows)
        gone = rows["crm/gone"]
        self.assertEqual((gone["availability"], gone["failures"]), (0, 1), gone)
        for name in ("old/c00000", f"old/c{n - 1:05}"):
            self.assertAlmostEqual(rows[name]["up_seconds"], 3600, delta=1)
            self.assertAlmostEqual(rows[name]["down_seconds"], 3600, delta=60)
        # Nothing is added to what is gone.
        before = self.tendd.json("report", "availability", "crm/gone")[0]["down_seconds"]
        self.pass_time(3600)
        wait_for(lambda: self.tendd.json("report", "availability", "crm/web")[0]["up_seconds"] > 0,
                 10, "the hour to pass")
        _, page = self.tendd.request("GET", "/v1/reports/availability?component=crm/gone&since="
                                     f"{int(started)}&until={int(time.time()) + 3600}")
        self.assertEqual(page[0]["down_seconds"], before)
        self.assertGreater(page[0]["unmonitored_seconds"], 3600)
        # A page at a time, by name.
        status, page = self.tendd.request("GET", "/v1/reports/availability?limit=2&after=old/c1")
        self.assertEqual([row["component"] for row in page], ["old/c10000", "old/c10001"], status)

        def pruned():
            with contextlib.closing(sqlite3.connect(f"{self.tendd.path}/state/tend.db")) as db:
                return not db.execute("select 1 from component_state where component = 'past/c'"
                                      ).fetchone()
        wait_for(pruned, 60, "its last row to go")

    def test_attempts_are_counted_when_they_end(self):
        """A counter that falls is a restart to whoever reads it: nothing counts as good in advance."""
        self.down, self.seconds = True, 0.4

        def counted():
            _, page = self.tendd.request("GET", "/metrics")
            return {line.split('result="')[1].split('"')[0]: int(line.rsplit(" ", 1)[1])
                    for line in page.splitlines() if line.startswith("tend_check_attempts_total{")}

        wait_for(lambda: counted().get("failed", 0) >= 2, 15, "failures")
        good = counted()["good"]
        seen = []

        def enough():
            seen.append(counted())
            return seen[-1]["failed"] >= seen[0]["failed"] + 3
        wait_for(enough, 15, "more failures", interval=0.05)
        self.assertEqual({one["good"] for one in seen}, {good}, seen)

    def test_what_people_see(self):
        wait_for(self.measured, 15, "a first result")
        self.pass_time(60)
        self.shown_minutes(1)
        text = self.tendd.ctl("metric", "show", "crm/web/page", "total_seconds", "--since", "1d")
        self.assertIn("crm/web/page  total_seconds\nleast ", text)
        self.assertRegex(text, "[▁▂▃▄▅▆▇█]")
        self.assertEqual(len(text.splitlines()), 4 + 24, text)
        text = self.tendd.ctl("metric", "show", "crm/web/page", "status", "--since", "1h")
        self.assertIn("least 200, mean 200, greatest 200", text)
        for args, said in ((("total",), "'crm/web/page' has no history of a metric 'total': "),
                           (("status:x",), "has no history of a metric 'status' of 'x'"),
                           (("status", "--since", "x"), "'x' is no span")):
            with self.assertRaises(AssertionError) as caught:
                self.tendd.ctl("metric", "show", "crm/web/page", *args)
            self.assertIn(said, str(caught.exception))
        with self.assertRaises(AssertionError) as caught:
            self.tendd.ctl("metric", "list", "crm/web/none")
        self.assertIn("there is no check 'crm/web/none'", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
