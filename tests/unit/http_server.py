#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A web server that behaves and misbehaves, for test_http.c and test_net_transfer.c.

usage: http_server.py FOLDER. Makes certificates in FOLDER, listens on free ports of the loopback,
prints one line of JSON with the ports, serves until its standard input ends. The path of a request
says what happens.
"""
import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys

connections = 0
closed = 0  # requests that got no answer


def certificates(folder):
    """ca.pem, and good, expired and selfsigned as NAME.pem with key."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=test ca")
    openssl("req", "-x509", *key, "-keyout", "selfsigned.key", "-out", "selfsigned.pem",
            "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    for name, days, subject in (("good", "30", "DNS:localhost,IP:127.0.0.1"),
                                ("expired", "-1", "DNS:localhost"), ("other", "30", "DNS:other.test")):
        openssl("req", *key, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=x")
        with open(os.path.join(folder, "ext"), "w", encoding="ascii") as f:
            f.write("subjectAltName=" + subject + "\n")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", days, "-extfile", "ext", "-out", name + ".pem")


def answer(status, body, *headers):
    body = body if isinstance(body, bytes) else body.encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


async def read_request(reader):
    first = await reader.readexactly(1)
    if not first.isalpha():
        raise ValueError
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if ": " in line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, path, headers, body


PLAIN = {
    "/ok": answer(200, "all is well"),
    "/empty": answer(204, b""),
    "/json": answer(200, '{"result":[7,"key"],"n":3.0,"ok":true,"none":null,"a/b":{"m~n":"x"}}'),
    "/json-error": answer(200, '{"id":1,"error":["NotLogged","denied"]}'),
    "/503": answer(503, "<html>\n  <b>down for\r\n maintenance</b>\x1b[31m</html>"),
    "/403": answer(403, "no"),
    "/installer": answer(302, b"", "Location: /install.php"),
    "/redirect": answer(302, b"", "Location: /echo"),
    "/redirect307": answer(307, b"", "Location: /echo"),
    "/loop": answer(301, b"", "Location: /loop"),
    "/to-ftp": answer(301, b"", "Location: ftp://127.0.0.1/"),
    "/huge": answer(200, b"x" * 200000 + b"end"),
    "/evil": answer(200, b"a" * 60000),
    "/binary": answer(200, bytes(range(256))),
    "/garbage": b"\x00\xff\xfe 220 SMTP here\r\n\r\n",
    "/badheader": b"HTTP/1.1 200 OK\r\nContent-Length: zehn\r\n\r\nx",
    "/partial": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
    "/close": b"",
}
KEPT = ("/ok", "/json")


async def misbehave(path, writer):
    if path == "/slow":
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + b"y" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)
    elif path == "/endless":
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"z" * 1000)
            await writer.drain()
            await asyncio.sleep(0.005)
    elif path == "/flood":
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"z" * 65536)
            await writer.drain()
    else:
        await asyncio.sleep(60)


def respond(method, path, headers, body, ports):
    if path == "/echo":
        return answer(200, json.dumps({"method": method, "headers": headers, "body": body.decode()}))
    if path == "/auth":
        given = headers.get("authorization", "")
        good = ("Basic " + base64.b64encode(b"ops:s3cret").decode(), "Bearer t0ken")
        return answer(200, "in") if given in good else answer(401, "who are you?")
    if path == "/connections":
        return answer(200, json.dumps({"n": connections, "closed": closed}))
    if path == "/elsewhere307":
        return answer(307, b"", f"Location: http://[::1]:{ports['http6']}/echo")
    if path == "/elsewhere":
        return answer(302, b"", f"Location: http://[::1]:{ports['http6']}/echo")
    if method == "HEAD":
        return b"HTTP/1.1 200 X\r\nContent-Length: 11\r\n\r\n"
    return PLAIN.get(path)


async def serve(reader, writer, ports):
    global connections, closed
    connections += 1
    try:
        while True:
            method, path, headers, body = await read_request(reader)
            closed += path == "/close"
            data = respond(method, path, headers, body, ports)
            if data is None:
                await misbehave(path, writer)
                break
            writer.write(data)
            await writer.drain()
            if path not in KEPT:
                break
    except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        pass
    except ValueError:  # no HTTP, as in a TLS hello
        writer.write(b"what?")
    finally:
        writer.close()


async def main():
    folder = sys.argv[1]
    certificates(folder)
    ports = {}

    async def listen(name, host, context=None, handler=None):
        server = await asyncio.start_server(
            handler or (lambda r, w: serve(r, w, ports)), host, 0, ssl=context)
        ports[name] = server.sockets[0].getsockname()[1]
        return server

    async def silent(reader, writer):
        await reader.read()

    servers = [await listen("http", "127.0.0.1"), await listen("http6", "::1"),
               await listen("silent", "127.0.0.1", handler=silent)]
    servers.append(await asyncio.start_unix_server(
        lambda r, w: serve(r, w, ports), os.path.join(folder, "http.sock")))
    for name in ("good", "expired", "other", "selfsigned"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key"))
        servers.append(await listen(name, "127.0.0.1", context))
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
