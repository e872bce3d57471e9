# SPDX-License-Identifier: MIT
"""A small client of Tryton's JSON-RPC, for programs that run inside the box."""

import base64
import json
import urllib.error
import urllib.request

SERVER = "http://localhost:8000/"
URL = SERVER + "crm/"


class RpcError(RuntimeError):
    """The CRM answered, but not with a result."""


def call(method, *params, user=None, password=None, session=None, timeout=10, url=URL):
    """One call; signed with a session (login, id, key) or by basic authentication."""
    body = json.dumps({"id": 1, "method": method, "params": list(params)}).encode()
    request = urllib.request.Request(url, data=body, method="POST")
    request.add_header("Content-Type", "application/json")
    if session:
        token = base64.b64encode(":".join(map(str, session)).encode()).decode()
        request.add_header("Authorization", "Session " + token)
    elif user:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", "Basic " + token)
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        answer = json.load(reply)
    # Tryton reports its errors in a body of status 200.
    if not isinstance(answer, dict) or "error" in answer:
        raise RpcError(f"{method}: {json.dumps(answer)[:300]}")
    return answer["result"]


def login(user, password, timeout=10):
    """Log in; returns the session (login, id, key)."""
    result = call("common.db.login", user, {"password": password}, timeout=timeout)
    if not result:
        raise RpcError("common.db.login: refused")
    return (user, result[0], result[1])
