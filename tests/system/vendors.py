# SPDX-License-Identifier: MIT
"""Plays the chat and paging services that Tend's webhook formats are for, as strictly as they are.

`check_NAME(request)` says what a service would not take (None: nothing): fields, sizes in the unit
the service counts, signatures reckoned anew, markup that foreign words must not have reached. They
are pure; tests/lua uses them on what the formats make. `Sink` is a server, with or without TLS, that
has all of them by path, remembers what came, keeps to their rates, and behaves as badly as it is told:

    with Sink() as sink:
        sink.moods["slack"] += ["throttle", "close"]     # one a request, then well again
        sink.url("slack")
        sink.requests("slack")                            # [Request], each with .answer and .wrong
"""

import base64
import collections
import datetime
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

SECRETS = {
    "dingtalk": "SEC4f1a0d7c9be2",
    "feishu": "kpBvTn0o2xQ",
    "pagerduty": "R0123456789ABCDEFGHIJKLMNOPQRSTU",
    "cloudevents": "whsec_" + base64.b64encode(b"a key of thirty-two bytes, really").decode(),
}
WECOM_KEY = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
DINGTALK_TOKEN = "66b5b1f0"
PATHS = {
    "slack": "/services/T0000/B0000/XXXX",
    "teams": "/workflows/1/triggers/manual/paths/invoke?api-version=2016-06-01&sig=abc",
    "dingtalk": f"/robot/send?access_token={DINGTALK_TOKEN}",
    "feishu": "/open-apis/bot/v2/hook/0f1e",
    "wecom": f"/cgi-bin/webhook/send?key={WECOM_KEY}",
    "pagerduty": "/v2/enqueue",
    "alertmanager": "/hooks/alertmanager",
    "alertmanager-api": "/api/v2/alerts",
    "template": "/generic",
    "cloudevents": "/events",
}
# (requests, seconds): what the services allow. Slack lets bursts pass.
RATES = {"slack": [(60, 60)], "teams": [(4, 1)], "dingtalk": [(20, 60)],
         "feishu": [(100, 60), (5, 1)], "wecom": [(20, 60)], "pagerduty": [(120, 60)]}
HOUR_SEC = 3600

Request = collections.namedtuple("Request", "vendor query headers body at")


class Entry(dict):
    """What the sink remembers of a request; its fields are attributes, too."""

    __getattr__ = dict.__getitem__


# ---- what each of them takes ------------------------------------------------------------------------

def _load(request):
    value = json.loads(request.body.decode("utf-8"))
    if not request.headers.get("content-type", "").split(";")[0] == "application/json":
        raise ValueError("content-type is " + request.headers.get("content-type", "missing"))
    return value


def _want(condition, what):
    if not condition:
        raise ValueError(what)


def _only(value, names, what):
    _want(isinstance(value, dict), f"{what} is no object")
    extra = set(value) - set(names)
    _want(not extra, f"{what} has {sorted(extra)}")


def _time(text, what):
    _want(isinstance(text, str) and re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text), f"{what}: {text!r}")
    return datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))


def _fresh(seconds, request):
    _want(abs(seconds - request.at) < HOUR_SEC, "the timestamp is more than an hour off")


def _mrkdwn(text, what):
    """Every command in <> is one that Tend makes, every & is an escape."""
    for command in re.findall(r"<([^<>]*)>?", text):
        _want(re.fullmatch(r"!(channel|here|everyone)|@[UW]\w+|!subteam\^S\w+|https?://[^|<> ]+\|[^|]+",
                           command), f"{what} has <{command}>")
    _want(">" not in re.sub(r"<[^<>]*>", "", text), f"{what} has a bare >")
    _want(not re.search(r"&(?!(amp|lt|gt);)", text), f"{what} has a bare &")


def _slack_block(block):
    _only(block, ("type", "text"), "a block")
    _want(block["type"] == "section" and block["text"]["type"] == "mrkdwn", "a block is no section")
    _only(block["text"], ("type", "text", "verbatim"), "a section's text")
    _want(1 <= len(block["text"]["text"]) <= 3000, "a section has 1 to 3,000 characters")
    _mrkdwn(block["text"]["text"], "a section")


def check_slack(request):
    body = _load(request)
    _only(body, ("text", "attachments"), "the message")
    _want(0 < len(body["text"]) <= 40000, "text is empty or too long")
    _mrkdwn(body["text"], "text")
    for one in body.get("attachments", []):
        _only(one, ("color", "blocks"), "an attachment")
        _want(re.fullmatch("#[0-9a-f]{6}", one["color"]), "the colour")
        _want(1 <= len(one["blocks"]) <= 50, "1 to 50 blocks")
        for block in one["blocks"]:
            _slack_block(block)


_CARD_COLORS = ("default", "dark", "light", "accent", "good", "warning", "attention")


def _card_element(element):
    if element["type"] == "TextBlock":
        _only(element, ("type", "text", "wrap"), "a TextBlock")
        # This one is Markdown: only names of people go there.
        _want(re.fullmatch(r"(<at>[^<>]+</at> ?)+", element["text"]), "a TextBlock has other words")
        return
    _only(element, ("type", "inlines"), "an element")
    _want(element["type"] == "RichTextBlock" and element["inlines"], "an element is no RichTextBlock")
    for run in element["inlines"]:
        _only(run, ("type", "text", "weight", "size", "color", "fontType", "isSubtle"), "a run")
        _want(run["type"] == "TextRun" and isinstance(run["text"], str), "a run is no TextRun")
        _want(run.get("color", "default") in _CARD_COLORS, "a run's colour")


def check_teams(request):
    _want(len(request.body) <= 28 * 1024, "more than 28 KB")
    body = _load(request)
    _only(body, ("type", "attachments"), "the message")
    _want(body["type"] == "message" and len(body["attachments"]) == 1, "one message, one attachment")
    one = body["attachments"][0]
    _only(one, ("contentType", "contentUrl", "content"), "the attachment")
    _want(one["contentType"] == "application/vnd.microsoft.card.adaptive", "the contentType")
    _want(one["contentUrl"] is None, "contentUrl must be null")
    card = one["content"]
    _only(card, ("$schema", "type", "version", "fallbackText", "body", "actions", "msteams"), "the card")
    _want(card["type"] == "AdaptiveCard" and card["version"] == "1.2", "an AdaptiveCard 1.2")
    _want(card["body"], "the card is empty")
    for element in card["body"]:
        _card_element(element)
    for action in card.get("actions", []):
        _only(action, ("type", "title", "url"), "an action")
        _want(action["type"] == "Action.OpenUrl" and re.match("https?://", action["url"]), "an action")
    texts = [element["text"] for element in card["body"] if element["type"] == "TextBlock"]
    for entity in card["msteams"].get("entities", []):
        _want(entity["type"] == "mention" and any(entity["text"] in text for text in texts),
              "a mention that no text has")


def _markdown(text, what, tags):
    """Links and tags are only those that Tend makes."""
    for tag in re.findall(r"<[^>]*>?", text):
        _want(re.fullmatch(tags, tag), f"{what} has {tag}")
    for link in re.findall(r"\[[^\]]*\]\(([^)]*)\)", text):
        _want(re.fullmatch(r"https?://[^\s()<>]+", link), f"{what} has a link to {link}")


def dingtalk_sign(timestamp, secret):
    mac = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def check_dingtalk(request):
    _want(len(request.body) <= 20000, "460101: more than 20,000 bytes")
    _want(request.query.get("access_token") == DINGTALK_TOKEN, "300001: the token")
    stamp = request.query.get("timestamp", "")
    _want(re.fullmatch(r"\d{13}", stamp), "310000: the timestamp is not in milliseconds")
    _fresh(int(stamp) / 1000, request)
    _want(hmac.compare_digest(request.query.get("sign", ""), dingtalk_sign(stamp, SECRETS["dingtalk"])),
          "310000: the sign does not fit")
    body = _load(request)
    _only(body, ("msgtype", "markdown", "at"), "the message")
    _want(body["msgtype"] == "markdown", "the msgtype")
    _only(body["markdown"], ("title", "text"), "markdown")
    _want(body["markdown"]["title"] and body["markdown"]["text"], "title and text must be there")
    _markdown(body["markdown"]["text"], "the text", r"(?!)")
    _only(body.get("at", {}), ("atMobiles", "atUserIds", "isAtAll"), "at")
    for name in body.get("at", {}).get("atMobiles", []) + body.get("at", {}).get("atUserIds", []):
        _want("@" + name in body["markdown"]["text"], f"@{name} is not in the text")


def feishu_sign(timestamp, secret):
    mac = hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def _feishu_text(value, what):
    _only(value, ("tag", "content"), what)
    _want(value["tag"] in ("plain_text", "lark_md") and value["content"], f"{what}: no text")
    if value["tag"] == "lark_md":
        _want(re.fullmatch(r"(<at id=\w+></at> ?)+", value["content"]), f"{what} has other words")


def _feishu_card(card):
    _only(card, ("config", "header", "elements"), "the card")
    _feishu_text(card["header"]["title"], "the header")
    _want(card["header"]["template"] in ("red", "orange", "blue", "green", "grey"), "the template")
    for element in card.get("elements", []):
        if element["tag"] == "div":
            _feishu_text(element["text"], "a div")
        elif element["tag"] == "note":
            for one in element["elements"]:
                _feishu_text(one, "a note")
        else:
            _want(element["tag"] == "action", f"an element is {element['tag']}")
            for one in element["actions"]:
                _feishu_text(one["text"], "a button")
                _want(re.match("https?://", one["url"]), "a button's url")


def check_feishu(request):
    _want(len(request.body) <= 20 * 1024, "9499: more than 20 KB")
    body = _load(request)
    _only(body, ("timestamp", "sign", "msg_type", "content", "card"), "the message")
    stamp = body.get("timestamp", "")
    _want(isinstance(stamp, str) and re.fullmatch(r"\d{10}", stamp), "19021: the timestamp")
    _fresh(int(stamp), request)
    _want(hmac.compare_digest(body.get("sign", ""), feishu_sign(stamp, SECRETS["feishu"])),
          "19021: the sign does not fit")
    if body["msg_type"] == "interactive":
        return _feishu_card(body["card"])
    _want(body["msg_type"] == "text" and body["content"]["text"], "19001: the msg_type")
    for tag in re.findall(r"<\s*/?\s*[aA][tT][^>]*>?", body["content"]["text"]):
        _want(re.fullmatch(r'<at user_id="\w+">|</at>', tag), f"the text has {tag}")


def check_wecom(request):
    _want(request.query.get("key") == WECOM_KEY, "93000: the key")
    body = _load(request)
    if body["msgtype"] == "markdown":
        _only(body, ("msgtype", "markdown"), "the message")
        _only(body["markdown"], ("content",), "markdown")
        content = body["markdown"]["content"]
        _want(0 < len(content.encode()) <= 4096, "40058: markdown has 1 to 4,096 bytes")
        _markdown(content, "the text", r'<font color="(info|comment|warning)">|</font>|<@[\w.-]+>')
        return
    _want(body["msgtype"] == "text", "40058: the msgtype")
    _only(body["text"], ("content", "mentioned_list", "mentioned_mobile_list"), "text")
    _want(0 < len(body["text"]["content"].encode()) <= 2048, "40058: a text has 1 to 2,048 bytes")


def check_pagerduty(request):
    _want(len(request.body) <= 512 * 1024, "more than 512 KB")
    body = _load(request)
    _only(body, ("routing_key", "event_action", "dedup_key", "payload", "links", "client",
                 "client_url", "images"), "the event")
    _want(body.get("routing_key") == SECRETS["pagerduty"], "the routing_key")
    _want(body["event_action"] in ("trigger", "acknowledge", "resolve"), "the event_action")
    _want(0 < len(body.get("dedup_key", "")) <= 255, "the dedup_key")
    payload = body["payload"]
    _only(payload, ("summary", "source", "severity", "timestamp", "component", "group", "class",
                    "custom_details"), "the payload")
    _want(0 < len(payload["summary"]) <= 1024, "the summary has 1 to 1,024 characters")
    _want(payload["source"], "the source")
    _want(payload["severity"] in ("critical", "error", "warning", "info"), "the severity")
    _time(payload["timestamp"], "timestamp")
    for link in body.get("links", []):
        _want(re.match("https?://", link["href"]) and link["text"], "a link")


def _labels(labels):
    _want(labels, "no labels")
    for name, value in labels.items():
        _want(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name), f"a label's name is {name!r}")
        _want(isinstance(value, str) and value, f"the label {name} is {value!r}")


def label_fingerprint(labels):
    """As github.com/prometheus/common/model has it: FNV-1a, 255 between."""
    value = 0xcbf29ce484222325
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            value = ((value ^ byte) * 0x100000001b3) & (1 << 64) - 1
    return f"{value:016x}"


def check_alertmanager(request):
    body = _load(request)
    _only(body, ("version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels",
                 "commonLabels", "commonAnnotations", "externalURL", "alerts"), "the message")
    _want(len(body) == 10 and body["version"] == "4", "all ten members, version 4")
    _want(body["status"] in ("firing", "resolved") and body["alerts"], "status and alerts")
    for alert in body["alerts"]:
        _want(set(alert) == {"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL",
                             "fingerprint"}, f"an alert has {sorted(alert)}")
        _labels(alert["labels"])
        _want(alert["labels"].get("alertname"), "no alertname")
        _time(alert["startsAt"], "startsAt")
        if alert["status"] == "resolved":
            _want(_time(alert["endsAt"], "endsAt").year > 1, "resolved without an end")
        _want(alert["fingerprint"] == label_fingerprint(alert["labels"]), "the fingerprint")
        for name, value in body["commonLabels"].items():
            _want(alert["labels"][name] == value, f"{name} is not common")
    _want(any(alert["status"] == "firing" for alert in body["alerts"]) or body["status"] == "resolved",
          "the status is not the alerts'")


def check_alertmanager_api(request):
    body = _load(request)
    _want(isinstance(body, list) and body, "no list of alerts")
    for alert in body:
        _only(alert, ("labels", "annotations", "startsAt", "endsAt", "generatorURL"), "an alert")
        _labels(alert["labels"])
        _want(alert["labels"].get("alertname"), "no alertname")
        starts, ends = _time(alert["startsAt"], "startsAt"), _time(alert["endsAt"], "endsAt")
        _want(starts <= ends, f"it ends {ends} before it starts {starts}")
        for name, value in alert.get("annotations", {}).items():
            _want(isinstance(value, str), f"the annotation {name} is {value!r}")


def check_template(request):
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        _want(json.loads(request.body.decode("utf-8")), "it is empty")
    elif kind.startswith("application/x-www-form-urlencoded"):
        _want(urllib.parse.parse_qs(request.body.decode("ascii"), strict_parsing=True), "no form")
    else:
        request.body.decode("utf-8")


def check_cloudevents(request):
    kind = request.headers.get("content-type", "")
    _want(kind == "application/cloudevents+json", f"content-type is {kind}")
    name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    _fresh(int(stamp), request)
    key = base64.b64decode(SECRETS["cloudevents"].removeprefix("whsec_"))
    mac = hmac.new(key, f"{name}.{stamp}.".encode() + request.body, hashlib.sha256).digest()
    _want("v1," + base64.b64encode(mac).decode() in request.headers["webhook-signature"].split(),
          "the signature does not fit")
    body = json.loads(request.body.decode("utf-8"))
    _want(body["specversion"] == "1.0" and body["id"] == name, "no event of this id")


CHECKS = {name: globals()["check_" + name.replace("-", "_")] for name in PATHS}


def wrong_with(request):
    """What the service would say no to; None: nothing."""
    try:
        CHECKS[request.vendor](request)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"{type(error).__name__}: {error}"
    return None


# ---- how each of them answers -----------------------------------------------------------------------

def _json(status, value):
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _text(status, text):
    return status, {"Content-Type": "text/plain"}, text.encode()


def _robot(code, message):
    return _json(200, {"errcode": code, "errmsg": message})


def _bot(code, message):
    return _json(200, {"code": code, "msg": message, "data": {}})


YES = {
    "slack": _text(200, "ok"),
    "teams": (202, {}, b""),
    "dingtalk": _robot(0, "ok"),
    "feishu": _json(200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}),
    "wecom": _robot(0, "ok"),
    "pagerduty": _json(202, {"status": "success", "message": "Event processed", "dedup_key": "x"}),
    "alertmanager": (200, {}, b""),
    "alertmanager-api": (200, {}, b""),
    "template": _json(200, {"ok": True}),
    "cloudevents": (204, {}, b""),
}
# What each says when it is asked too often, and when it does not like a request: by 200, where it can.
BUSY = {
    "slack": (429, {"Retry-After": "1"}, b"rate_limited"),
    "teams": _text(200, "Webhook message delivery failed with error: Microsoft Teams endpoint "
                   "returned HTTP error 429 with ContextId tcid=0"),
    "dingtalk": _robot(130101, "send too fast, exceed 20 times per minute"),
    "feishu": _bot(11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"),
    "wecom": _robot(45009, "api freq out of limit"),
    "pagerduty": (429, {"Retry-After": "1"}, b'{"status":"throttle exceeded"}'),
    "alertmanager": (503, {}, b"busy"),
    "alertmanager-api": (503, {}, b"busy"),
    "template": (429, {"Retry-After": "1"}, b""),
    "cloudevents": (429, {"Retry-After": "1"}, b""),
}
NO = {
    "slack": _text(200, "no_service"),
    "teams": _text(200, "Webhook message delivery failed with error: Microsoft Teams endpoint "
                   "returned HTTP error 404 with ContextId tcid=0"),
    "dingtalk": _robot(310000, "sign not match, more: [https://ding-doc.dingtalk.com]"),
    "feishu": _bot(19021, "sign match fail or timestamp is not within one hour from current time"),
    "wecom": _robot(93000, "invalid webhook url, hint: [1700000000_1]"),
    "pagerduty": _json(400, {"status": "invalid event", "message": "Event object is invalid",
                             "errors": ["Length of 'routing_key' is incorrect"]}),
    "alertmanager": _text(400, "bad request"),
    "alertmanager-api": _json(400, "start time must be before end time"),
    "template": _json(200, {"ok": False, "error": "no such channel"}),
    "cloudevents": _text(400, "bad request"),
}
TOO_LONG = {
    "slack": _text(400, "msg_too_long"),
    "teams": _text(413, "RequestEntityTooLarge"),
    "dingtalk": _robot(460101, "message too long, exceed 20000 bytes"),
    "feishu": _bot(9499, "Bad Request: request body too large"),
    "wecom": _robot(40058, "markdown.content exceed max length 4096"),
}
PLAIN_MOODS = {
    "fail": _text(500, "internal error"),
    "unavailable": (503, {"Retry-After": "1"}, b""),
    "throttle": (429, {"Retry-After": "1"}, b"slow down"),
    "deny": _text(403, "not for you"),
    "gone": _text(410, "gone"),
    "html": (200, {"Content-Type": "text/html"}, b"<html><body>Please log in</body></html>"),
    "empty": (200, {}, b""),
}


class Sink:
    """The server. certificate: (file with chain and key) for https."""

    def __init__(self, certificate=None, limits=True):
        self.moods = collections.defaultdict(list)
        self.limits = limits
        self.lock = threading.Lock()
        self.log = []
        self.scheme = "https" if certificate else "http"
        self.release = threading.Event()
        sink = self

        class Bound(_Handler):
            pass
        Bound.sink = sink
        self.server = _Server(("127.0.0.1", 0), Bound)
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
            self.server.context = self.context
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def url(self, vendor, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{PATHS[vendor]}"

    def requests(self, vendor):
        with self.lock:
            return [entry for entry in self.log if entry.vendor == vendor]

    def taken(self, vendor):
        """The bodies that were answered with yes."""
        return [entry.body for entry in self.requests(vendor) if entry.answer == "ok"]

    def decide(self, request):
        """Remembers it; returns the word for its answer."""
        with self.lock:
            mood = self.moods[request.vendor].pop(0) if self.moods[request.vendor] else "ok"
            wrong = wrong_with(request)
            if mood == "ok" and self._too_fast(request):
                mood = "busy"
            if mood == "ok" and wrong:
                mood = "no"
            self.log.append(Entry(vendor=request.vendor, query=request.query, headers=request.headers,
                                  body=request.body, at=request.at, wrong=wrong, answer=mood))
            return mood

    def _too_fast(self, request):
        if not self.limits:
            return False
        mine = [one.at for one in self.log if one.vendor == request.vendor]
        return any(sum(at > request.at - seconds for at in mine) >= n
                   for n, seconds in RATES.get(request.vendor, ()))


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None
    request_queue_size = 128

    def finish_request(self, request, client_address):
        # The handshake in the request's thread: a client that hangs in it holds up nobody else.
        if not self.context:
            super().finish_request(request, client_address)
            return
        request.settimeout(10)
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        pass  # The client gave up or does not trust us, as it should.


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink = None

    def log_message(self, *args):
        pass

    def do_POST(self):
        parts = urllib.parse.urlsplit(self.path)
        vendor = next((name for name, path in PATHS.items() if path.split("?")[0] == parts.path), None)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not vendor:
            return self.reply(404, {}, b"no such path")
        request = Request(vendor, dict(urllib.parse.parse_qsl(parts.query)),
                          {name.lower(): value for name, value in self.headers.items()}, body,
                          time.time())
        mood = self.sink.decide(request)
        rude = getattr(self, "be_" + mood, None)
        if rude:
            return rude()
        table = {"ok": YES, "busy": BUSY, "no": NO, "oversize": TOO_LONG}.get(mood)
        return self.reply(*(table[vendor] if table else PLAIN_MOODS[mood]))

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def be_redirect(self):
        self.reply(302, {"Location": f"{self.sink.scheme}://127.0.0.1:{self.sink.port}/elsewhere"}, b"")

    def be_slow(self):
        self.sink.release.wait(60)
        self.close_connection = True

    def be_drip(self):
        """A byte now and then, for ever."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.sink.release.wait(0.2):
            try:
                self.wfile.write(b"x")
            except OSError:
                break
        self.close_connection = True

    def be_close(self):
        self.close_connection = True

    def be_reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def be_garbage(self):
        self.wfile.write(bytes(range(256)) * 8)
        self.close_connection = True

    def be_half(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"errcode\":0")
        self.close_connection = True

    def be_huge(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while not self.sink.release.is_set():
                self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            pass
        self.close_connection = True


def make_certificates(folder):
    """ca.pem; good.pem, of localhost and 127.0.0.1, other.pem, of another name, client.pem: each with
    its key; selfsigned.pem, that nobody trusts."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    def join(name):
        with open(os.path.join(folder, name + ".pem"), "a", encoding="ascii") as out:
            with open(os.path.join(folder, name + ".key"), encoding="ascii") as key:
                out.write(key.read())

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=test ca")
    openssl("req", "-x509", *key, "-keyout", "selfsigned.key", "-out", "selfsigned.pem", "-days",
            "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    join("selfsigned")
    for name, subject in (("good", "DNS:localhost,DNS:hooks.localhost,IP:127.0.0.1"),
                          ("other", "DNS:other.test"), ("client", "DNS:tend")):
        openssl("req", *key, "-keyout", name + ".key", "-out", name + ".csr", "-subj", f"/CN={name}")
        with open(os.path.join(folder, "ext"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={subject}\n")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-extfile", "ext", "-out", name + ".pem")
        join(name)
