# SPDX-License-Identifier: MIT
"""The seeded CRM as plain processes: PostgreSQL on a copy of its files, trytond on loopback."""

import contextlib
import os
import pwd
import signal
import subprocess

from pgserver import Postgres
from probes import Server, answers, tcp_port
from snmpbox import Scratch
from tendbox import seed

DATABASE = seed.DATABASE
PASSWORDS = seed.PASSWORDS


class Tryton:
    """`web` is a Server, `database` a Postgres; both are ended with the test."""

    def __init__(self, test):
        tree = seed.crm_tree()
        self.scratch = Scratch()
        test.addCleanup(self.scratch.close)
        self.database = Postgres("max_connections = 60",
                                 data=tree + "/var/lib/postgresql/15/crm")
        test.addCleanup(self.database.close)
        self.port = tcp_port()
        self.url = f"http://127.0.0.1:{self.port}"
        os.chmod(self.scratch.path, 0o755)
        config = self.scratch.file("trytond.conf", f"""[web]
listen = [::]:{self.port}
[database]
uri = postgresql://
[session]
timeout = 86400
[password]
passlib = {tree}/etc/tryton/passlib.ini
""")
        home = self.scratch.file("home")
        os.mkdir(home)
        os.chown(home, pwd.getpwnam("tryton").pw_uid, -1)
        environment = {"PATH": os.environ["PATH"], "HOME": home, "PGHOST": self.database.run,
                       "PGPORT": str(self.database.port), "PGUSER": "tryton"}
        self.log = self.scratch.file("trytond.log")
        with open(self.log, "ab") as log:
            self.web = Server(test, ["setpriv", "--reuid=tryton", "--regid=tryton",
                                     "--clear-groups", "trytond", "-c", config],
                              lambda: answers(self.port), env=environment, cwd="/",
                              stdout=log, stderr=subprocess.STDOUT)

    def sql(self, text, database=DATABASE):
        return self.database.sql(text, database)

    def drop_sessions(self):
        """The CRM's: settings of a database hold for new ones."""
        self.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                 "where usename = 'tryton'", "postgres")

    @contextlib.contextmanager
    def frozen_database(self):
        """Its sessions too: each is a session leader of its own."""
        pid = self.database.process.pid
        self.database.process.send_signal(signal.SIGSTOP)
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            pids = [int(child) for child in file.read().split()] + [pid]
        for one in pids:
            os.kill(one, signal.SIGSTOP)
        try:
            yield
        finally:
            for one in pids:
                os.kill(one, signal.SIGCONT)
