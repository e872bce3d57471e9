# SPDX-License-Identifier: MIT
"""The shipped webhook formats, run as tendd runs them, and the sample views to run them on."""
import glob
import json
import os

from format_host import Format, library

TEND_LUA, TEND_RUN = os.environ["TEND_LUA"], os.environ["TEND_RUN"]
VIEWS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats")
NAMES = sorted(os.path.basename(path)[:-4] for path in glob.glob(f"{TEND_LUA}/formats/*.lua"))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def view(name):
    return json.loads(read(os.path.join(VIEWS, name + ".json")))


def view_names():
    return sorted(os.path.basename(path)[:-5] for path in glob.glob(f"{VIEWS}/*.json"))


class FormatError(Exception):
    """What the format said instead of an answer."""


def encode(value):
    """As tendd encodes a body that is a table."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


class Runner:
    """One format."""

    def __init__(self, name, source=None):
        self.host = Format(TEND_RUN, source or read(f"{TEND_LUA}/formats/{name}.lua"), f"{name}.lua",
                           library(TEND_LUA))
        self.declared = self.host.described()

    def format(self, notice, **given):
        """The request; its body as bytes."""
        value = self._ok(self.host.format(notice, **given))
        body = value["body"]
        value["body"] = body.encode() if isinstance(body, str) else encode(body)
        return value

    def judge(self, status, body, /, **given):
        """(verdict, after, why)"""
        value = self._ok(self.host.judge(status, body, given))
        return value["verdict"], value.get("after"), value.get("why")

    @staticmethod
    def _ok(reply):
        if reply is None:
            raise FormatError("it ended")
        if "error" in reply:
            raise FormatError(reply["error"]["message"])
        return reply["ok"]

    def close(self):
        self.host.close()
