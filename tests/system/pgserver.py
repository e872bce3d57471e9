# SPDX-License-Identifier: MIT
"""A PostgreSQL of the test's own on loopback, IPv4 and IPv6, and on a socket where all are trusted.

`tend` logs in with the password `s3cret` over TCP and may read what it is granted; `nobody_in` may
not log in."""

import os
import pwd
import shutil
import signal
import socket
import subprocess

from snmpbox import Scratch, free_port
from tendbox import wait_for

BIN = "/usr/lib/postgresql/15/bin/"
PASSWORD = "s3cret"


def as_postgres():
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


class Postgres:
    """With the lines `extra` in its postgresql.conf; `data`: a copy of this one's files."""

    def __init__(self, extra="", data=None):
        self.scratch = Scratch()
        self.run = self.scratch.file("pgrun")
        self.data = self.scratch.file("pgdata")
        for path in (self.run, self.data):
            os.mkdir(path, 0o700)
            if os.geteuid() == 0:
                shutil.chown(path, "postgres")
        os.chmod(self.run, 0o755)
        self.port = free_port(kind=socket.SOCK_STREAM)
        if data:
            subprocess.run(["cp", "-a", data + "/.", self.data], check=True)
            open(self.data + "/postgresql.conf", "w", encoding="ascii").close()
        else:
            self.command(BIN + "initdb", "-A", "trust", "-N", "-U", "postgres", "-D", self.data)
        self.write("pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
                   "host all all ::1/128 scram-sha-256\n")
        with open(self.data + "/postgresql.conf", "a", encoding="ascii") as file:
            file.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1, ::1'\nfsync = off\n"
                       f"unix_socket_directories = '{self.run}'\nmax_connections = 20\n"
                       f"superuser_reserved_connections = 1\n{extra}\n")
        self.process = None
        self.start()
        if not data:
            self.sql(f"create role tend login password '{PASSWORD}';"
                     f"create role nobody_in nologin password '{PASSWORD}'")

    def write(self, name, text):
        with open(f"{self.data}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    @staticmethod
    def command(*argv, **kwargs):
        return subprocess.run(argv, check=True, capture_output=True, text=True, cwd="/",
                              preexec_fn=as_postgres, **kwargs)

    def start(self):
        self.process = subprocess.Popen(
            [BIN + "postgres", "-D", self.data], cwd="/", preexec_fn=as_postgres,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(self.ready, 20, "PostgreSQL", interval=0.05)

    def ready(self):
        return subprocess.run([BIN + "pg_isready", "-q", "-h", self.run, "-p", str(self.port)],
                              check=False).returncode == 0

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def freeze(self, frozen=True):
        """All of it: each backend is a process of its own."""
        os.killpg(self.process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def sql(self, text, database="postgres", user="postgres"):
        try:
            return self.command("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", self.run, "-p",
                                str(self.port), "-U", user, "-d", database,
                                input=text).stdout.strip()
        except subprocess.CalledProcessError as error:
            raise AssertionError(f"{text}: {error.stderr}") from error

    def session(self, text, database="postgres"):
        """A session that has done `text` and stays; end it by closing its input."""
        process = subprocess.Popen(
            ["psql", "-qAtX", "-h", self.run, "-p", str(self.port), "-U", "postgres", "-d",
             database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=as_postgres, cwd="/")
        process.stdin.write(text + "\n;select 'done';\n")
        process.stdin.flush()
        while process.stdout.readline().strip() != "done":
            pass
        return process

    def close(self):
        if self.process.poll() is None:
            self.freeze(False)
            self.stop()
        self.scratch.close()
