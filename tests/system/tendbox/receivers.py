# SPDX-License-Identifier: MIT
"""Those who are told, in a box: webhook sink, snmptrapd, the NMS's snmpd; and the login witness.

Each is a unit; each keeps a log of its own, which the readers below return as lists of dicts.
"""

import base64
import datetime
import json
import re

from . import seed

SINK_UNIT = "tendbox-sink.service"
WITNESS_UNIT = "tendbox-login.service"
TRAPD_UNIT = "snmptrapd.service"
SNMPD_UNIT = "snmpd.service"

SINK_URL = "http://127.0.0.1:8081/hook"
SINK_LOG = "/var/log/tendbox/sink.jsonl"
SINK_BEHAVIOUR = "/run/tendbox-sink.json"
LOGIN_LOG = "/var/log/tendbox/login.jsonl"
TRAP_LOG = "/var/log/tendbox/snmptrapd.log"

SINK_SECRET = "whsec_" + base64.b64encode(b"tendbox: thirty-two bytes of key").decode()
INFORM_USER, INFORM_AUTH, INFORM_PRIV = "tend", "inform-auth-pass", "inform-priv-pass"
NMS_USER, NMS_AUTH, NMS_PRIV = "nms", "walker-auth-pass", "walker-priv-pass"

_SINK = f"""[Unit]
Description=Webhook sink of the test
[Service]
Type=notify
ExecStart=/usr/bin/python3 {seed.GUEST}/webhook_sink.py --port 8081 --log {SINK_LOG} \
 --secret-file /etc/tendbox/sink-secret --behaviour {SINK_BEHAVIOUR}
"""

_WITNESS = f"""[Unit]
Description=Logs in to the CRM each second
[Service]
ExecStart=/usr/bin/python3 {seed.GUEST}/login_witness.py --log {LOGIN_LOG} \
 --password-file /etc/tendbox/monitor-password
"""

# One line a trap: the time, then the variables, each between the characters STX and ETX, which
# the wire's text is not expected to hold.
_TRAPD = f"""snmpTrapdAddr udp:127.0.0.1:162,udp6:[::1]:162
createUser {INFORM_USER} SHA-256 "{INFORM_AUTH}" AES "{INFORM_PRIV}"
authUser log {INFORM_USER} priv
format2 %y-%02.2m-%02.2lT%02.2h:%02.2j:%02.2k \x02%V\x03\x02%v\x03\\n
"""

_TRAPD_UNIT = f"""[Service]
Environment=TZ=UTC
ExecStart=
AmbientCapabilities=CAP_NET_BIND_SERVICE
ExecStart=/usr/sbin/snmptrapd -f -On -Ot -Lf {TRAP_LOG}
"""

_SNMPD = f"""agentAddress udp:127.0.0.1:161,udp6:[::1]:161
master agentx
agentXSocket /run/agentx/master
agentXPerms 0660 0755 Debian-snmp {{group}}
createUser {NMS_USER} SHA-256 "{NMS_AUTH}" AES "{NMS_PRIV}"
rouser {NMS_USER} priv
sysName tendbox
"""


def prepare(box, agentx_group="Debian-snmp"):
    """Write configurations and units; agentx_group may connect to snmpd as a subagent."""
    seed.push_guest(box)
    box.run("mkdir", "-p", "/var/log/tendbox", "/etc/tendbox")
    box.run("chown", "Debian-snmp", "/var/log/tendbox")
    box.write("/etc/tendbox/sink-secret", SINK_SECRET + "\n", mode=0o600)
    box.write("/etc/tendbox/monitor-password", seed.PASSWORDS["monitor"], mode=0o600)
    box.write(f"/etc/systemd/system/{SINK_UNIT}", _SINK)
    box.write(f"/etc/systemd/system/{WITNESS_UNIT}", _WITNESS)
    box.write("/etc/snmp/snmptrapd.conf", _TRAPD, mode=0o640, owner="root:Debian-snmp")
    box.write(f"/etc/systemd/system/{TRAPD_UNIT}.d/10-tendbox.conf", _TRAPD_UNIT)
    box.write("/etc/snmp/snmpd.conf", _SNMPD.format(group=agentx_group), mode=0o640,
              owner="root:Debian-snmp")
    box.run("systemctl", "daemon-reload")


def start(box, units=(SINK_UNIT, TRAPD_UNIT, SNMPD_UNIT)):
    for unit in units:
        box.run("systemctl", "start", unit)


def start_witness(box):
    box.run("systemctl", "start", WITNESS_UNIT)


def misbehave(box, **how):
    """Make the sink answer otherwise: status=503, retry_after=2, delay=0.5; nothing: well."""
    box.write(SINK_BEHAVIOUR, json.dumps(how))


def sink_log(box):
    return _json_lines(box.read(SINK_LOG))


def login_log(box):
    return _json_lines(box.read(LOGIN_LOG))


def trap_log(box):
    return parse_traps(box.read(TRAP_LOG))


def snmp_walk(box, oid, timeout=10):
    """The variables below oid, v3 authPriv, as {numeric OID: text}."""
    out = box.out("snmpwalk", "-v3", "-l", "authPriv", "-u", NMS_USER, "-a", "SHA-256", "-A",
                  NMS_AUTH, "-x", "AES", "-X", NMS_PRIV, "-On", "-Oe", "-OQ", "-Ot", "-t", "3",
                  "-r", "1", "udp:127.0.0.1:161", oid, timeout=timeout)
    pairs = re.findall(r"^(\.[0-9.]+) = (.*?)(?=\n\.[0-9]|\Z)", out, re.M | re.S)
    return {name: _plain(value) for name, value in pairs}


def _json_lines(text):
    """Every whole line; the last one may still be in the making."""
    lines = text.split("\n")[:-1]
    return [json.loads(line) for line in lines if line]


def parse_traps(text):
    """snmptrapd's log as [{"time": Unix seconds, whole ones, "vars": {OID: text}}]."""
    found = []
    for stamp, body in re.findall(r"^([0-9T:-]+) \x02(.*?)\x03\n(?=[0-9]|\Z)", text, re.M | re.S):
        moment = datetime.datetime.strptime(stamp + "+0000", "%Y-%m-%dT%H:%M:%S%z")
        pairs = [item.partition(" = ") for item in re.split("\x03?\x02", body)]
        found.append({"time": moment.timestamp(),
                      "vars": {name.strip(): _plain(value) for name, _, value in pairs}})
    return found


def _plain(value):
    """A value as snmptrapd and snmpwalk write it, without its type and quotes."""
    kind, _, rest = value.strip().partition(": ")
    if kind == "Hex-STRING":
        # Text that is not plain ASCII is written like this too.
        return bytes.fromhex(rest).rstrip(b"\0").decode("utf-8", "replace")
    value = rest if re.fullmatch(r"[A-Za-z0-9-]+", kind) and rest else value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value
