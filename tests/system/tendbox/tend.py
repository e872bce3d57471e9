# SPDX-License-Identifier: MIT
"""Tend in a box: installed as a package would be, configured, started, asked by tendctl."""

import json
import os
import subprocess

from . import receivers, seed
from .box import BoxError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DEMO_ETC = os.path.join(ROOT, "contrib", "demo", "etc")

UNIT = "tendd.service"
EXEC_SOCKET = "tend-exec.socket"
EXEC_UNIT = "tend-exec.service"
SPAWN_SOCKET = "tend-spawn.socket"
USER = "tend"

# Where the configuration looks for secrets, and what they are in a box.
SECRETS = {
    "webhook": receivers.SINK_SECRET,
    "snmp-auth": receivers.INFORM_AUTH,
    "snmp-priv": receivers.INFORM_PRIV,
    "db-read": seed.PASSWORDS["tend"],
    "db-admin": seed.PASSWORDS["tend_healer"],
    "crm-monitor": seed.PASSWORDS["monitor"],
    "login.json": json.dumps({
        "id": 1, "method": "common.db.login",
        "params": ["monitor", {"password": seed.PASSWORDS["monitor"]}]}),
}


def build_dir():
    """The build under test: TEND_BUILD_DIR, else the release build."""
    return os.environ.get("TEND_BUILD_DIR") or os.path.join(ROOT, "build", "release")


def install(box, etc=DEMO_ETC):
    """cmake --install into the box, users and folders, etc/ over /etc/tend, the secrets."""
    done = subprocess.run(["cmake", "--install", build_dir()], capture_output=True, text=True,
                          env={**os.environ, "DESTDIR": box.root}, check=False)
    if done.returncode != 0:
        raise BoxError(f"cmake --install {build_dir()}:\n{done.stdout}{done.stderr}")
    box.run("systemd-sysusers")
    box.run("systemd-tmpfiles", "--create")
    if etc:
        box.push(etc, "/etc/tend")
    for name, value in SECRETS.items():
        box.write(f"/etc/tend/secrets/{name}", value, mode=0o600, owner=f"{USER}:{USER}")
    box.run("chown", f"{USER}:{USER}", "/etc/tend/secrets")
    box.run("chmod", "0700", "/etc/tend/secrets")
    # A sanitizer's report must not get lost: it goes to the journal, and ends the process.
    box.write(f"/etc/systemd/system/{UNIT}.d/10-tendbox.conf",
              "[Service]\nEnvironment=ASAN_OPTIONS=abort_on_error=0:detect_leaks=0\n")
    box.run("systemctl", "daemon-reload")


def check(box):
    """tendd -t on what is in /etc/tend; returns CompletedProcess."""
    return box.run("tendd", "-t", user=USER, check=False)


def start(box, timeout=30):
    """Start Tend's units; an error shows what the journal says."""
    for unit in (EXEC_SOCKET, SPAWN_SOCKET, UNIT):
        done = box.run("systemctl", "start", unit, check=False, timeout=timeout)
        if done.returncode != 0:
            said = "\n".join(str(entry.get("MESSAGE")) for entry in box.journal("-u", unit)[-20:])
            raise BoxError(f"{unit} did not start: {done.stderr.strip()}\n{said}")


def ctl(box, *words, check=True, timeout=20):
    """tendctl -o json WORDS, parsed."""
    done = box.run("tendctl", "-o", "json", *words, check=check, timeout=timeout)
    return json.loads(done.stdout) if done.stdout.strip() else None


def complaints(box):
    """What a sanitizer said in the box: must be empty after every test."""
    found = box.journal("-g", "ERROR: AddressSanitizer|runtime error:|ERROR: LeakSanitizer")
    return [str(entry.get("MESSAGE")) for entry in found]
