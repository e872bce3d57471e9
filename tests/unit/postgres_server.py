#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A PostgreSQL server of its own, for test_postgres.c.

usage: postgres_server.py FOLDER. Makes a cluster below FOLDER (as user postgres when run as root),
prints one line of JSON when it is up, and stops it when standard input ends. Roles: `tend` with the
password `s3cret` over TCP, `nobody_in` that may not log in; the socket's folder is FOLDER/pg/run,
there everybody is trusted. Beside it listen `mute`, which accepts and says nothing, and `babble`,
which talks nonsense.
"""
import asyncio
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys

BIN = "/usr/lib/postgresql/15/bin/"


def become_postgres():
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def run(*args, **kwargs):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL, preexec_fn=become_postgres,
                   cwd="/", **kwargs)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_cluster(folder, port):
    os.chmod(os.path.dirname(folder), 0o755)
    os.makedirs(folder + "/run")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        shutil.chown(folder + "/run", "postgres")
    run(BIN + "initdb", "-A", "trust", "-N", "-U", "postgres", "-D", folder + "/data")
    with open(folder + "/data/pg_hba.conf", "w", encoding="ascii") as f:
        f.write("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
                "host all all ::1/128 scram-sha-256\n")
    with open(folder + "/data/postgresql.conf", "a", encoding="ascii") as f:
        f.write(f"port = {port}\nlisten_addresses = '127.0.0.1, ::1'\nfsync = off\n"
                f"unix_socket_directories = '{folder}/run'\nmax_connections = 20\n")
    run(BIN + "pg_ctl", "-D", folder + "/data", "-l", folder + "/data/log", "-w", "start")
    run("psql", "-q", "-h", folder + "/run", "-p", str(port), "-U", "postgres", input=b"""
        create role tend login password 's3cret';
        create role nobody_in nologin password 's3cret';
        grant pg_signal_backend to tend;
        grant pg_read_all_stats to tend;
        create table accounts (id int, name text);
        insert into accounts select i, 'name ' || i from generate_series(1, 3) i;
        grant select, insert on accounts to tend;
        create table jobs (id int primary key, state text);
        create table job_notes (job int references jobs (id) deferrable initially deferred);
        insert into jobs select i, 'stuck' from generate_series(1, 10) i;
        create table suicides (id int);
        create function die() returns trigger language plpgsql security definer as
            'begin perform pg_terminate_backend(pg_backend_pid()); return null; end';
        create constraint trigger die after insert on suicides deferrable initially deferred
            for each row execute function die();
        alter table suicides owner to tend;
        alter table jobs owner to tend;
        alter table job_notes owner to tend;
    """)


async def main():
    folder = os.path.join(sys.argv[1], "pg")
    port = free_port()
    make_cluster(folder, port)

    async def mute(reader, writer):
        await reader.read()

    async def babble(reader, writer):
        writer.write(b"220 mail.example SMTP\r\n" * 100)

    ports = {"postgres": port}
    for name, handler in (("mute", mute), ("babble", babble)):
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    run(BIN + "pg_ctl", "-D", folder + "/data", "-m", "immediate", "stop")
    os._exit(0)


asyncio.run(main())
