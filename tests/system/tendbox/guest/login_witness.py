# SPDX-License-Identifier: MIT
"""Logs in to the CRM each second, as a user would, and keeps a log: is it serving?

    login_witness.py --password-file F --log F [--user monitor]

One JSON line a second: time (of the beginning), seconds, ok, error. It knows nothing of Tend.
"""

import argparse
import json
import time

from crm_rpc import login

PERIOD_SECONDS = 1.0
TIMEOUT_SECONDS = 0.9


def attempt(user, password):
    """One log-in as one line of the log."""
    began, clock = time.time(), time.monotonic()
    try:
        login(user, password, timeout=TIMEOUT_SECONDS)
        error = None
    except Exception as problem:  # whatever it is, the user did not get in
        error = f"{type(problem).__name__}: {problem}"[:200]
    return {"time": began, "seconds": round(time.monotonic() - clock, 4), "ok": error is None,
            "error": error}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--user", default="monitor")
    options = parser.parse_args()
    with open(options.password_file, encoding="utf-8") as file:
        password = file.read().strip()
    due = time.monotonic()
    with open(options.log, "a", encoding="utf-8", buffering=1) as log:
        while True:
            log.write(json.dumps(attempt(options.user, password)) + "\n")
            due = max(due + PERIOD_SECONDS, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
