# SPDX-License-Identifier: MIT
"""The seeded CRM: PostgreSQL 15 and Tryton 6 with data, made once and kept as a tree of files.

crm_tree() returns a folder for Box(trees=[...]). The first call takes about two minutes and works
in a box of its own; the result lies below the cache, its name is a hash of the package versions
and of what this folder puts in, so it is made again when one of them changes.
"""

import fcntl
import hashlib
import inspect
import json
import os
import pwd
import shutil
import subprocess
import sys
import time

from .box import Box
from .wait import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("TEND_DEV_CACHE", "/var/cache/tend-dev")

PG_UNIT = "postgresql@15-crm.service"
WEB_UNIT = "tryton-server.service"
DATABASE = "crm"
GUEST = "/opt/tendbox"

# Of a private host that lives for minutes: known on purpose, of no use elsewhere.
PASSWORDS = {
    "admin": "Wq7-blu3MonkTy",
    "monitor": "Zp4-gLx9vRmHit",
    "tend": "Kd8-fYw2cNjBsu",
    "tend_healer": "Rh5-tVa6eQoPmi",
}

_KEPT = ("/var/lib/postgresql/15/crm", "/etc/postgresql/15/crm", "/etc/tryton", "/var/lib/tryton")
_INPUTS = ("guest/crm_rpc.py", "guest/crm_fill.py", "files/trytond.conf",
           "files/passlib.ini", "files/postgresql.conf", "files/pg_hba.conf", "files/roles.sql")


def crm_tree(say=lambda text: print(text, file=sys.stderr)):
    """The folder of the seeded CRM, made when it is missing. say gets a line for people."""
    os.makedirs(CACHE, mode=0o755, exist_ok=True)
    tree = os.path.join(CACHE, "crm-" + _key())
    with open(os.path.join(CACHE, "crm.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(tree):
            _drop_old(keep=tree)
            began = time.monotonic()
            say("seeding the CRM (PostgreSQL 15, Tryton 6; about two minutes, once) ...")
            _make(tree + ".part")
            os.rename(tree + ".part", tree)
            say(f"seeded the CRM in {time.monotonic() - began:.0f} s: {tree}")
    return tree


def _key():
    """What the seed depends on: package versions, users' numbers, our own inputs."""
    packages = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n",
         "postgresql-15", "tryton-*"], capture_output=True, text=True, check=False).stdout
    digest = hashlib.sha256()
    for line in sorted(packages.splitlines()):
        if line.rstrip().endswith("ii"):
            digest.update(line.encode())
    for user in ("postgres", "tryton"):
        entry = pwd.getpwnam(user)
        digest.update(f"{user} {entry.pw_uid} {entry.pw_gid}".encode())
    for part in (_make_cluster, _make_crm):
        digest.update(inspect.getsource(part).encode())
    digest.update(repr((_KEPT, PASSWORDS)).encode())
    for name in _INPUTS:
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


def _drop_old(keep):
    for entry in os.listdir(CACHE):
        path = os.path.join(CACHE, entry)
        if entry.startswith("crm-") and path != keep and os.path.isdir(path):
            # A box may still be running over it: only what nobody has mounted for a day.
            if time.time() - os.path.getmtime(path) > 86400 or entry.endswith(".part"):
                shutil.rmtree(path, ignore_errors=True)


def _make(part):
    shutil.rmtree(part, ignore_errors=True)
    with Box("seed") as box:
        _make_cluster(box)
        _make_crm(box)
        box.power_off()
        os.mkdir(part, 0o755)
        for path in _KEPT:
            subprocess.run(["cp", "-a", "--parents", path[1:], part], cwd=box.root, check=True)


def _make_cluster(box):
    box.run("pg_createcluster", "15", "crm", "--port=5432", "--start-conf=manual", "--",
            "--auth-local=peer", "--auth-host=scram-sha-256")
    conf = "/etc/postgresql/15/crm/postgresql.conf"
    with open(f"{HERE}/files/postgresql.conf", encoding="utf-8") as extra:
        final = box.read(conf) + extra.read()
    # Nothing is lost when the making of a seed breaks off: no waiting for the disk.
    box.write(conf, final + "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n")
    box.push(f"{HERE}/files/pg_hba.conf", "/etc/postgresql/15/crm/pg_hba.conf", mode=0o644)
    box.run("systemctl", "start", PG_UNIT, timeout=120)
    wait_for(lambda: psql(box, "select 1", check=False) == "1", 60, "PostgreSQL")
    psql(box, "CREATE ROLE tryton LOGIN")
    psql(box, f"CREATE DATABASE {DATABASE} OWNER tryton TEMPLATE template0 ENCODING 'UTF8'")
    with open(f"{HERE}/files/roles.sql", encoding="utf-8") as roles:
        psql(box, roles.read())
    for role in ("tend", "tend_healer"):
        psql(box, f"ALTER ROLE {role} PASSWORD '{PASSWORDS[role]}'")
    box.write(conf, final)


def _make_crm(box):
    for name in ("trytond.conf", "passlib.ini"):
        box.push(f"{HERE}/files/{name}", f"/etc/tryton/{name}", mode=0o644)
    box.write("/etc/tryton/password", PASSWORDS["admin"], mode=0o600, owner="tryton:tryton")
    admin = ("trytond-admin", "-c", "/etc/tryton/trytond.conf", "-d", DATABASE)
    env = {"TRYTONPASSFILE": "/etc/tryton/password"}
    box.run(*admin, "-u", "ir", "res", "--email", "admin@crm.invalid", user="tryton", env=env,
            timeout=600)
    box.run(*admin, "-u", "party", "sale_opportunity", "--activate-dependencies", user="tryton",
            env=env, timeout=1200)
    os.unlink(box.path("/etc/tryton/password"))
    push_guest(box)
    box.run("systemctl", "start", WEB_UNIT)
    box.run("/usr/bin/python3", f"{GUEST}/crm_fill.py", stdin=json.dumps(PASSWORDS), timeout=300)
    psql(box, "VACUUM ANALYZE", database=DATABASE)
    box.run("systemctl", "stop", WEB_UNIT)
    box.run("systemctl", "stop", PG_UNIT)


def push_guest(box):
    """Put the programs of guest/ into the box."""
    box.push(f"{HERE}/guest", GUEST)


def psql(box, sql, database="postgres", check=True, timeout=30):
    """SQL as the superuser, over the local socket; returns the rows as text."""
    return box.out("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database,
                   stdin=sql, user="postgres", check=check, timeout=timeout)


if __name__ == "__main__":
    crm_tree()
