# SPDX-License-Identifier: MIT
"""A throw-away host with a real systemd, and what the tests put into it. See README.md."""

from .box import Box, BoxError, Guest
from .wait import WaitTimeout, wait_for

__all__ = ["Box", "BoxError", "Guest", "WaitTimeout", "wait_for"]
