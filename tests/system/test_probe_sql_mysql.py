# SPDX-License-Identifier: MIT
"""The probes that ask a database, of a real MariaDB: the tables of CRMs that run on it, and records
compared with those of a PostgreSQL."""

import os
import unittest

from inbox import Tendd
from mariadb import PASSWORD, MariaDb, leave
from pgserver import Postgres
from probes import Odd, Slow, saying
from sqlprobes import LEARNT, Case

SYSTEM = """
[system crm]
environment = production
[component crm/database]
kind = database
[database crm/database]
service = mysql
host = 127.0.0.1
port = {port}
dbname = crm
password = file:{secret}
[component crm/six]
kind = database
[database crm/six]
service = mysql
host = ::1
port = {port}
dbname = crm
password = file:{secret}
[component crm/erp]
kind = database
[database crm/erp]
service = postgres
host = {run}
port = {pg}
"""

UTC = "utc_timestamp()"
TABLES = f"""use crm;
create table llx_cronjob (label varchar(50), status int, datenextrun datetime, datestart datetime,
    dateend datetime, maxrun int, nbrun int, processing int, datelastrun datetime);
insert into llx_cronjob values ('purge', 1, now() + interval 1 hour, null, null, 0, 7, 0, now()),
    ('ended', 1, now() - interval 1 day, null, now() - interval 2 hour, 0, 7, 0, null);
create table schedulers (status varchar(20), deleted int, last_run datetime);
insert into schedulers values ('Active', 0, {UTC} - interval 100 second), ('Active', 0, null),
    ('Inactive', 0, null);
create table job_queue (name varchar(50), status varchar(20), deleted int, date_modified datetime,
    execute_time datetime);
create table emailman (deleted int, in_queue varchar(1), send_date_time datetime);
create table vtiger_cron_task (name varchar(50), frequency int, laststart int, lastend int,
    status int);
insert into vtiger_cron_task values
    ('Workflow', 900, unix_timestamp() - 60, unix_timestamp() - 50, 1), ('Off', 900, 0, 0, 0);
create table civicrm_job (name varchar(50), run_frequency varchar(20), last_run datetime,
    last_run_end datetime, is_active int);
insert into civicrm_job values ('Mail', 'Always', now() - interval 1 minute, now(), 1),
    ('Clean', 'Daily', now() - interval 20 hour, now() - interval 20 hour, 1),
    ('Off', 'Daily', null, null, 0);
create table civicrm_queue_item (queue_name varchar(50), submit_time datetime,
    release_time datetime);
create table scheduled_job (status varchar(20), deleted bool, last_run datetime);
create table job (name varchar(50), status varchar(20), deleted bool, execute_time datetime,
    started_at datetime);
create table email_queue_item (status varchar(20), deleted bool, created_at datetime);
insert into scheduled_job values ('Active', false, {UTC} - interval 1 minute);
"""


class MySql(Case):
    @classmethod
    def setUpClass(cls):
        cls.pg = Postgres()
        cls.addClassCleanup(cls.pg.close)
        cls.my = MariaDb()
        cls.addClassCleanup(cls.my.close)
        cls.my.start(seed=True)
        cls.my.sql(TABLES)

    def serve(self, *checks, more=""):
        secret = self.pg.scratch.file("my", PASSWORD)
        os.chmod(secret, 0o600)
        body = SYSTEM.format(port=self.my.port, secret=secret, run=self.pg.run, pg=self.pg.port)
        self.tend = Tendd(
            self, body + more + "".join(self.section(*check) for check in checks))

    def change(self, text):
        self.my.sql("use crm;" + text)

    def test_the_rules_of_crms(self):
        rules = ("dolibarr", "suitecrm", "vtiger", "civicrm", "espocrm")
        queues = ("suitecrm", "civicrm", "espocrm")
        self.serve(*((rule, "scheduler", f"rule = {rule}\n") for rule in rules),
                   *((f"q-{rule}", "queue", f"rule = {rule}\nmax_age = 10m\n") for rule in queues))
        for rule in rules:
            self.expect(rule, "ok", "all on time")
        for rule in queues:
            self.expect(f"q-{rule}", "ok", "nothing waits")
        for rule, change, reason, text in (
                ("dolibarr", "update llx_cronjob set datenextrun = now() - interval 1 hour where"
                 " label = 'purge'", "stale", "^purge is overdue for 60 min$"),
                ("dolibarr", "update llx_cronjob set processing = 1, datelastrun = now() - interval"
                 " 5 hour where label = 'purge'", "job-stuck", "^purge has been running for 5 h$"),
                ("suitecrm", f"update schedulers set last_run = {UTC} - interval 20 minute",
                 "stale", "^schedulers last ran 20 min ago"),
                ("suitecrm", "update schedulers set last_run = null", "stale",
                 "^schedulers has never run$"),
                ("suitecrm", f"insert into job_queue values ('Import', 'running', 0, {UTC} -"
                 f" interval 3 hour, {UTC})", "job-stuck", "^Import has been running for 3 h$"),
                ("q-suitecrm", f"insert into job_queue values ('x', 'queued', 0, {UTC}, {UTC} -"
                 " interval 2 day)", "stale", "^jobs: the oldest of 1 has waited 2 d$"),
                ("q-suitecrm", "delete from job_queue; insert into emailman values (0, '0',"
                 f" {UTC} - interval 3 hour)", "stale", "^mail: the oldest of 1 has waited 3 h$"),
                ("vtiger", "update vtiger_cron_task set lastend = unix_timestamp() - 3600 where"
                 " status = 1", "stale", r"^Workflow last ran 60 min ago \(at most 45 min\)$"),
                ("vtiger", "update vtiger_cron_task set status = 2, lastend = 0, laststart ="
                 " unix_timestamp() - 7200 where status = 1", "job-stuck",
                 "^Workflow has been running for 2 h$"),
                ("civicrm", "update civicrm_job set last_run = now() - interval 3 day, last_run_end"
                 " = last_run where name = 'Clean'", "stale", r"^Clean last ran 3 d ago \(at most"
                 r" 36 h\)$"),
                ("civicrm", "update civicrm_job set last_run = now() - interval 4 hour,"
                 " last_run_end = null where name = 'Mail'", "job-stuck",
                 "^Mail has been running for 4 h$"),
                ("q-civicrm", "insert into civicrm_queue_item values ('mailing', now() - interval 1"
                 " hour, null)", "stale", "^mailing: the oldest of 1 has waited 60 min$"),
                ("espocrm", f"insert into job values ('Clean', 'Running', false, {UTC}, {UTC} -"
                 " interval 3 hour)", "job-stuck", "^Clean has been running for 3 h$"),
                ("espocrm", "delete from job; insert into job values ('x', 'Pending', false,"
                 f" {UTC} - interval 2 hour, null)", "stale", "^pending jobs is overdue for 2 h$"),
                ("q-espocrm", "do 1", "stale", "^jobs: the oldest of 1 has waited 2 h$")):
            with self.subTest(change=change):
                self.change(change)
                self.expect(rule, reason, text)

    def test_rows_and_quality(self):
        self.change("create table party (id int auto_increment primary key, name varchar(50) not"
                    " null, mail varchar(80), phone varchar(40)); create index party_name on party"
                    " (name); insert into party (name, mail, phone) select concat('Ä ', seq),"
                    " concat('m', seq, '@example.org'), '+41 31 123 45 67' from seq_1_to_200;"
                    "create table sale (id int primary key, party int);"
                    "insert into sale select seq, seq from seq_1_to_100")
        self.serve(("rows", "rows", "tables = party, sale\n"),
                   ("estimate", "rows", "tables = party, sale\ncount = estimate\n"),
                   ("quality", "quality", "duplicates.name = party name, mail\nmail.mail = party"
                    " mail where id > 0\nphone.phone = party phone\norphans.sale = sale party ->"
                    " party id\nrule.none = select name from party where mail is null\n"),
                   ("six", "rows", "tables = sale\ndatabase = crm/six\n"))
        check = self.expect("rows", "ok", LEARNT)
        self.assertEqual(self.metrics(check)["rows", "party"], 200)
        self.expect("six", "ok", LEARNT)
        self.expect("estimate", "ok", LEARNT)
        self.expect("quality", "ok", "5 rules")
        for change, back, text in (
                ("alter table party add fax varchar(5)", "alter table party drop fax",
                 r"^column party.fax \(varchar\(5\)\) is new$"),
                ("alter table sale modify party bigint", "alter table sale modify party int",
                 r"^column sale.party is bigint\(20\), was int\(11\)$"),
                ("drop index party_name on party", "create index party_name on party (name)",
                 "^index party_name of party is gone$"),
                ("rename table sale to sale_", "rename table sale_ to sale",
                 "^table sale is gone$")):
            with self.subTest(change=change):
                self.change(change)
                self.expect("rows", "schema-changed", text)
                self.change(back)
                self.expect("rows", "ok")
        for change, text in (
                ("insert into party (name, mail) values ('ä 7 ', 'M7@example.org')",
                 "name: 1 of 201 duplicates"),
                ("delete from party where id > 200; update party set mail = 'm@@x' where id = 4",
                 r"mail: 1 of 200 bad mail addresses \(m@@x\)"),
                ("update party set mail = 'm4@example.org', phone = 'call' where id = 4",
                 r"phone: 1 of 200 bad phone numbers \(call\)"),
                ("update party set phone = null where id = 4; update sale set party = 999 where"
                 " id = 5", r"sale: 1 of 100 orphans \(999\)"),
                ("update sale set party = 5 where id = 5; update party set mail = null where"
                 " id = 9",
                 r"none: 1 records \(Ä 9\)")):
            with self.subTest(change=change):
                self.change(change)
                self.expect("quality", "data-quality", text)
        self.change("delete from sale where id > 40")
        self.expect("rows", "rows-lost", "^sale has lost 60 of 100 rows$")
        self.expect("six", "rows-lost", "^sale has lost 60 of 100 rows$")
        self.change("drop table party, sale")

    def test_sync_with_postgresql(self):
        self.change("create table customer (id bigint primary key, code varchar(40), name"
                    " varchar(50), changed datetime); insert into customer select seq,"
                    " concat(if(seq % 2, 'a', 'B'), 'é', seq), concat('Zoë ', seq), utc_timestamp() -"
                    " interval 1 day from seq_1_to_2500")
        self.pg.sql("create table debtor (crm_id bigint primary key, code text, name text); insert"
                    " into debtor select i, case when i % 2 = 1 then 'a' else 'B' end || 'é' || i,"
                    " 'Zoë ' || i from generate_series(1, 2500) i; grant select on debtor to tend")
        sides = ("right = crm/erp\nlag = 1m\nleft_query = select {0} as k, md5(name) as v,"
                 " timestampdiff(second, changed, utc_timestamp()) as age from customer\n"
                 "right_query = select {1} as k, md5(name) as v from debtor\n")
        self.serve(("number", "sync", sides.format("id", "crm_id")),
                   ("text", "sync", "key = text\n" + sides.format("code", "code")))
        self.expect("number", "ok", "^2500 records are the same$")
        self.expect("text", "ok", "^2500 records are the same$")
        self.pg.sql("delete from debtor where crm_id in (1, 1001); update debtor set name = 'x'"
                    " where crm_id = 2500")
        check = self.expect("number", "out-of-sync", r"^2 missing on the right \(1, 1001\), 1"
                            r" different \(2500\)$")
        self.assertAlmostEqual(self.metrics(check)["lag_seconds", ""], 86400, delta=900)
        self.expect("text", "out-of-sync", r"^2 missing on the right \(aé1, aé1001\), 1 different"
                    r" \(Bé2500\)$")

    def ways(self):
        """Databases that let us in late, not at all, or are none: by IPv4 and IPv6."""
        wrong = self.pg.scratch.file("wrong", "wrong")
        os.chmod(wrong, 0o600)
        ways = {}
        for six, host in (("", "127.0.0.1"), ("6", "::1")):
            noise = Odd(self, saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), host).port
            ways |= {"refused" + six: (host, self.my.port, wrong, "auth-failed"),
                     "noise" + six: (host, noise, wrong, "protocol"),
                     "late" + six: (host, Slow(self, self.my.port, host).port,
                                    self.pg.scratch.file("my"), "threshold")}
        return ways

    def test_ways_in(self):
        ways, query = self.ways(), "query = select count(*) as n from accounts\n"
        self.serve(*((way, "sql", query + "critical.total_seconds = 0.1\n", way, "20s")
                     for way in ways), more="".join(
            f"[component crm/{way}]\nkind = database\n[database crm/{way}]\nservice = mysql\n"
            f"host = {host}\nport = {port}\ndbname = crm\npassword = file:{secret}\n"
            for way, (host, port, secret, _) in ways.items()))
        for way, (*_, reason) in ways.items():
            self.expect(way, reason, component=way)

    def test_moods(self):
        self.serve(("ask", "sql", "query = select count(*) as n from accounts\n", "database", "2s"),
                   ("six", "sql", "query = select count(*) as n from accounts\ndatabase ="
                    " crm/six\n", "database", "2s"),
                   ("missing", "sql", "query = select * from no_accounts\n"),
                   ("secret", "sql", "query = select * from mysql.user\n"))
        for name in ("ask", "six"):
            self.assertEqual(self.metrics(self.expect(name, "ok"))["n", ""], 3)
        self.expect("missing", "object-missing", "no_accounts")
        self.expect("secret", "access-denied")
        holder = self.my.session("lock tables accounts write")
        self.expect("ask", "locked")
        leave(holder)
        self.my.freeze()
        self.expect("ask", "too-slow")
        self.expect("six", "too-slow")
        self.my.freeze(False)
        self.expect("ask", "ok")
        self.my.kill()
        self.expect("ask", "connect-refused")
        self.expect("six", "connect-refused")
        self.my.start()
        self.expect("six", "ok")


if __name__ == "__main__":
    unittest.main()
