# SPDX-License-Identifier: MIT
"""A MariaDB of the test's own on loopback, IPv4 and IPv6, and on a socket where root is trusted.

`tend` logs in with the password `s3cret`, may read crm and see what others do; `poor` may log in and no
more; `half` may see locks and not replication; `nobody_in` is locked; `full` may have one connection."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess

from snmpbox import Scratch, free_port
from tendbox import wait_for

PASSWORD = "s3cret"
SEED = f"""
create database crm;
create table crm.accounts (id int primary key, name varchar(50), balance decimal(10,2)) engine=innodb;
insert into crm.accounts values (1, 'Ada', 1.5), (2, 'Bob', 2.25), (3, 'Zoë', null);
create table crm.notes (id int primary key, text longtext) engine=myisam;
create user tend@'%' identified by '{PASSWORD}';
grant select on crm.* to tend@'%';
grant process, slave monitor on *.* to tend@'%';
create user poor@'%' identified by '{PASSWORD}';
create user half@'%' identified by '{PASSWORD}';
grant process, binlog monitor on *.* to half@'%';
create user nobody_in@'%' identified by '{PASSWORD}' account lock;
create user full@'%' identified by '{PASSWORD}' with max_user_connections 1;
create user admin@'%' identified by '{PASSWORD}';
grant all on crm.* to admin@'%';
create user copy@'%' identified by '{PASSWORD}';
grant replication slave on *.* to copy@'%';
"""


def as_mysql():
    if os.geteuid() == 0:
        user = pwd.getpwnam("mysql")
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


class MariaDb:
    """`extra`: further options of mariadbd. `data`: of another one that is stopped, copied."""

    def __init__(self, *extra, data=None):
        self.scratch = Scratch()
        self.data = self.scratch.file("mdata")
        self.socket = self.scratch.file("mrun/sock")
        self.port = free_port(kind=socket.SOCK_STREAM)
        self.extra = extra
        self.process = None
        os.mkdir(os.path.dirname(self.socket))
        if os.geteuid() == 0:
            shutil.chown(os.path.dirname(self.socket), "mysql")
        if data:
            subprocess.run(["cp", "-a", data, self.data], check=True)
        else:
            self.install()

    def install(self):
        os.mkdir(self.data, 0o700)
        if os.geteuid() == 0:
            shutil.chown(self.data, "mysql")
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
             "--auth-root-authentication-method=normal", "--innodb-fast-shutdown=1",
             "--innodb-flush-log-at-trx-commit=0"],
            check=True, capture_output=True, preexec_fn=as_mysql, cwd="/")

    def start(self, seed=False):
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
             f"--port={self.port}", "--bind-address=127.0.0.1,::1", f"--pid-file={self.socket}.pid",
             "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0",
             "--innodb-buffer-pool-size=16M", "--character-set-server=utf8mb4", *self.extra],
            cwd="/", preexec_fn=as_mysql, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_for(self.ready, 30, "MariaDB", interval=0.05)
        if seed:
            self.sql(SEED)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"mariadbd ended with {self.process.returncode}")
        return subprocess.run(["mariadb", "--no-defaults", "-S", self.socket, "-u", "root", "-e",
                               "select 1"], check=False, capture_output=True).returncode == 0

    def sql(self, text):
        """As root; the output."""
        return subprocess.run(
            ["mariadb", "--no-defaults", "-N", "-B", "-S", self.socket, "-u", "root"], input=text,
            check=True, capture_output=True, text=True, timeout=60).stdout

    def session(self, *statements, user="root", database="crm"):
        """A client that stays in its session after these; end it by its stdin."""
        client = subprocess.Popen(
            ["mariadb", "--no-defaults", "-N", "-B", "-n", "-S", self.socket, "-u", user,
             f"-p{PASSWORD}" if user != "root" else "--skip-password", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write("".join(f"{line};\n" for line in statements) + "select 'there';\n")
            client.stdin.flush()
        for line in client.stdout:
            if line.strip() == "there":
                return client
        leave(client)
        raise AssertionError(f"{statements}: the session ended")

    def freeze(self, frozen=True):
        self.process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(20)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        self.scratch.close()


def leave(client):
    with contextlib.suppress(BrokenPipeError):
        client.stdin.close()
    client.stdout.close()
    client.wait()
