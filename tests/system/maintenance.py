# SPDX-License-Identifier: MIT
"""What the tests of backup and patch share: pgBackRest over the seeded CRM, and a small service
that comes as Debian packages from an archive in the box, in versions that work and one that does
not."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from tendbox import seed, tend

HELPERS = os.path.join(tend.ROOT, "etc", "helpers")
COMMANDS = os.path.join(tend.ROOT, "etc", "commands.d")
REPOSITORY = "/var/lib/pgbackrest"

_PGBACKREST = """[global]
repo1-path=/var/lib/pgbackrest
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=a-host-that-lives-for-minutes
expire-auto=n
start-fast=y
lock-path=/var/lib/pgbackrest/lock
log-level-file=off
compress-type=zst

[crm]
pg1-path=/var/lib/postgresql/15/crm
pg1-port=5432
pg1-socket-path=/run/postgresql
"""

_ARCHIVING = """
archive_mode = on
archive_command = 'pgbackrest --stanza=crm archive-push %p'
"""


def commands(name):
    """The shipped example of a manifest, with room for more runs an hour than nights have."""
    with open(f"{COMMANDS}/{name}.conf.example", encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"(?m)^(\[command .*\]|\[unit .*\])$", r"\1\nmax_per_hour = 1000", text)


def prepare_backup(box):
    """pgBackRest with an encrypted repository over the CRM's cluster, which must not run yet."""
    box.write("/etc/pgbackrest.conf", _PGBACKREST, mode=0o640, owner="root:postgres")
    for path, owner in ((f"{REPOSITORY}/lock", "postgres"), ("/var/lib/tend-backup", "postgres"),
                        ("/var/lib/tend-drill", "postgres"), ("/var/lib/tend-files", "root")):
        box.run("install", "-d", "-m", "0700", "-o", owner, "-g", owner, path)
    box.run("chown", "-R", "postgres:postgres", REPOSITORY)
    conf = "/etc/postgresql/15/crm/postgresql.conf"
    box.write(conf, box.read(conf) + _ARCHIVING)
    box.write("/etc/tend/commands.d/backup.conf", commands("backup"))


def create_stanza(box):
    """Once the cluster runs."""
    box.run("pgbackrest", "--stanza=crm", "stanza-create", user="postgres")


def fill(box, n):
    """The CRM's day: rows come, change and go."""
    seed.psql(box, f"""
        create table if not exists day (n int, at timestamptz default now());
        insert into day (n) select {n} from generate_series(1, 10 + {n});
        delete from day where n < {n} - 3;
        insert into party_party (code, name, active) values ('day{n}', 'Day {n}', true);
        """, database=seed.DATABASE)


def labels(box):
    """The sets in the repository, by pgBackRest's own folders, oldest first."""
    folder = box.path(f"{REPOSITORY}/backup/crm")
    return sorted((name for name in os.listdir(folder) if name[0].isdigit()),
                  key=lambda name: name.split("_")[-1])


KEPT_TABLE = "written_once"


def write_once(box):
    """A table that stays as it is: later sets take its file from the next one to be taken."""
    seed.psql(box, f"""drop table if exists {KEPT_TABLE};
        create table {KEPT_TABLE} as select g, md5(g::text) from generate_series(1, 2000) g;
        -- Else the first reader writes hints into it.
        vacuum freeze {KEPT_TABLE};
        checkpoint;""", database=seed.DATABASE)


def flip_byte(box, label):
    """Flips one byte in the file of that table, which must be in the set itself."""
    relation = seed.psql(box, f"select pg_relation_filepath('{KEPT_TABLE}')",
                         database=seed.DATABASE)
    path = box.path(f"{REPOSITORY}/backup/crm/{label}/pg_data/{relation}.zst")
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    return path


# ---- the service that is patched

SERVICE = "crmdemo.service"
PACKAGE = "crmdemo"
PORT = 8090
ARCHIVE = "/srv/archive"
# Comes with it, and does nothing.
SECOND = "crmdemo-data"

_UNIT = f"""[Unit]
Description=A small service
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/lib/{PACKAGE}/{PACKAGE}d -u /usr/lib/{PACKAGE}/app.py
"""

_APP = """import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"version VERSION"
        self.send_response(API if self.path == "/api" else STATUS)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""

# What depends on it: as well as the part of the service that it asks.
WEB = "crmweb.service"
WEB_PORT = 8091

_WEB_UNIT = """[Unit]
Description=What asks the small service
[Service]
ExecStart=/usr/bin/python3 -u /srv/web.py
"""

_WEB = """import http.server
import urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with urllib.request.urlopen("http://127.0.0.1:PORT/api", timeout=1) as answer:
                body, status = b"page of " + answer.read(100), 200
        except OSError as error:
            body, status = str(error).encode(), 502
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", WEB_PORT), Handler).serve_forever()
"""


# Both as components, with the checks that say whether they are well.
APP_COMPONENT, WEB_COMPONENT = "crm/app", "crm/web"


def _service(component, unit, checks, more=""):
    text = f"\n[component {component}]\nkind = {component.split('/')[1]}\nunit = {unit}\n{more}"
    for name, what, timeout in checks:
        text += (f"\n[check {component}/{name}]\n{what}interval = 1s\ntimeout = {timeout}\n"
                 "confirm = 2 of 2\nflap_high = 0\n")
    return text


def _page(port):
    return f"probe = http\nurl = http://127.0.0.1:{port}/\nexpect_status = 200\n"


SERVICES = _service(APP_COMPONENT, SERVICE, (
    ("http", _page(PORT), "500ms"),
    ("unit", f"probe = unit\nunit = {SERVICE}\n", "500ms"),
)) + _service(WEB_COMPONENT, WEB, (("page", _page(WEB_PORT), "1s"),), "depends = app\n") + """
# What the policy breaks the policy takes back.
[policy restart-unit]
enabled = no
"""


def _build(folder, package, version, status, api):
    root = os.path.join(folder, f"root-{version}")
    os.makedirs(f"{root}/DEBIAN", mode=0o755)
    if package == PACKAGE:
        _build_service(root, version, status, api)
    _put(f"{root}/DEBIAN/control",
         f"Package: {package}\nVersion: {version}\nArchitecture: all\n"
         "Maintainer: Tests <t@invalid>\nDescription: a small service\n")
    deb = os.path.join(folder, f"{package}_{version}_all.deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", root, deb], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    return deb


def _build_service(root, version, status, api):
    lib = os.path.join(root, "usr/lib", PACKAGE)
    units = os.path.join(root, "lib/systemd/system")
    for path in (lib, units):
        os.makedirs(path, mode=0o755)
    # An interpreter of its own: what runs on after an upgrade is a file that is gone.
    shutil.copyfile(os.path.realpath("/usr/bin/python3"), f"{lib}/{PACKAGE}d")
    os.chmod(f"{lib}/{PACKAGE}d", 0o755)
    app = _APP
    for word, value in (("VERSION", version), ("STATUS", status), ("API", api), ("PORT", PORT)):
        app = app.replace(word, str(value))
    _put(f"{lib}/app.py", app)
    _put(f"{units}/{SERVICE}", _UNIT)
    _put(f"{root}/DEBIAN/postinst", "#!/bin/sh\nsystemctl daemon-reload\n", 0o755)


def _put(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def publish(box, version, status=200, api=None, package=PACKAGE):
    """Puts a version of the package into the archive; one whose status is not 200 is broken, `api`
    is the status of what others ask it for. Nobody reads the archive anew here."""
    with tempfile.TemporaryDirectory(prefix="tend-deb-") as folder:
        deb = _build(folder, package, version, status, api or status)
        with open(deb, "rb") as file:
            data = file.read()
        name = os.path.basename(deb)
        box.write(f"{ARCHIVE}/{name}", data)
        control = subprocess.run(["dpkg-deb", "-f", deb], check=True, capture_output=True,
                                 text=True).stdout.rstrip("\n")
    entry = (f"{control}\nFilename: ./{name}\nSize: {len(data)}\n"
             f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n")
    listed = box.read(f"{ARCHIVE}/Packages") + entry
    box.write(f"{ARCHIVE}/Packages", listed)
    box.write(f"{ARCHIVE}/Packages.gz", gzip.compress(listed.encode()))


def prepare_patch(box):
    """The archive with version 1.0, installed and running, what asks it, and the manifest."""
    box.run("sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* "
            "/var/lib/apt/lists/* /etc/apt/apt.conf.d/*proxy*")
    box.write("/etc/apt/sources.list", f"deb [trusted=yes] file:{ARCHIVE} ./\n")
    box.write("/etc/tend/commands.d/patch.conf",
              commands("patch").replace(f"\n\t{PACKAGE}\n", f"\n\t{PACKAGE}\n\t{SECOND}\n"))
    publish(box, "1.0")
    publish(box, "1.0", package=SECOND)
    box.run("apt-get", "-q", "update", timeout=120)
    box.run("apt-get", "-q", "-y", "install", f"{PACKAGE}=1.0",
            f"{SECOND}=1.0", timeout=120)
    box.write("/srv/web.py", _WEB.replace("WEB_PORT", str(WEB_PORT)).replace("PORT", str(PORT)))
    box.write(f"/etc/systemd/system/{WEB}", _WEB_UNIT)
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", SERVICE, WEB)


def version(box):
    return box.out("dpkg-query", "-W", "-f", "${Version}", PACKAGE)


def installs(box, package=PACKAGE):
    """The versions that dpkg has put in place, in order, by its own log."""
    lines = re.findall(rf"^\S+ \S+ status installed {package}:all (\S+)$",
                       box.read("/var/log/dpkg.log"), re.M)
    return lines
