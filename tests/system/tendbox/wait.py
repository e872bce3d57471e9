# SPDX-License-Identifier: MIT
"""Waiting for a condition: the only place of the suite where time is spent on purpose."""

import time


class WaitTimeout(AssertionError):
    """The condition did not come true in time."""


def wait_for(condition, timeout, what, interval=0.05):
    """Call condition() until it returns something true and return that.

    timeout and interval are seconds; what goes into the error: "waited 5 s for WHAT". Exceptions
    of condition() are passed on. It is asked once more after the last pause, so that a machine
    that stood still does not count as the condition's failure.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() >= deadline
        found = condition()
        if found:
            return found
        if late:
            raise WaitTimeout(f"waited {timeout:g} s for {what}")
        time.sleep(interval)
