# SPDX-License-Identifier: MIT
"""The probes that ask a database, of a real MariaDB: the tables of CRMs that run on it, and records
compared with those of a PostgreSQL."""

import contextlib
import os
import unittest

from inbox import Tendd
from mariadb import PASSWORD, MariaDb, leave
from pgserver import Postgres
from probes import Odd, Slow, full_backlog, hanging_up, saying, silent
from sqlprobes import BRIEF, FAMILY, LEARNT, NOISE, PATIENT, Case, databases, family

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
create table vtiger_cron_task (name varchar(50), frequency int, laststart int unsigned,
    lastend int unsigned, status int);
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


EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../etc/conf.d/mariadb.conf.example")
SUITECRM = f"""create database suitecrm character set utf8mb3; use suitecrm;
create table email_addresses (id char(36) primary key, email_address varchar(255),
    invalid_email tinyint(1), deleted tinyint(1));
insert into email_addresses select concat('m', seq), concat('m', seq, '@example.org'), 0, 0
    from seq_1_to_120;
create table email_addr_bean_rel (id char(36) primary key, email_address_id char(36),
    deleted tinyint(1));
insert into email_addr_bean_rel select concat('r', seq), concat('m', seq), 0 from seq_1_to_30;
create table accounts (id char(36) primary key, name varchar(150) character set latin1,
    phone_office varchar(100), date_modified datetime, deleted tinyint(1));
insert into accounts select concat('a', seq), concat('Zoë ', seq), '+41 31 123 45 67',
    {UTC} - interval 1 day, seq > 30 from seq_1_to_40;
create table users (user_name varchar(60), status varchar(100), employee_status varchar(100),
    deleted tinyint(1));
insert into users values ('anna', 'Inactive', 'Terminated', 0), ('bob', 'Active', 'Active', 0);
create table schedulers as select * from crm.schedulers;
update schedulers set last_run = {UTC};
create table job_queue like crm.job_queue;
create table emailman like crm.emailman;
"""
PG = MY = None


def setUpModule():
    global PG, MY
    PG = Postgres()
    unittest.addModuleCleanup(PG.close)
    MY = MariaDb()
    unittest.addModuleCleanup(MY.close)
    MY.start(seed=True)
    MY.sql(TABLES)


class MySqlCase(Case):
    @classmethod
    def setUpClass(cls):
        cls.pg, cls.my = PG, MY

    def serve(self, *checks, more=""):
        body = SYSTEM.format(port=self.my.port, secret=self.secret("my", PASSWORD)[5:],
                             run=self.pg.run, pg=self.pg.port)
        # A quarter of the places is for one plugin: for all probes of a way, and for those of another
        # that the daemon looks at again because its neighbour fails.
        self.tend = Tendd(self, body + more + "".join(self.section(*check) for check in checks),
                          daemon="work_slots = 64")

    def change(self, text):
        self.my.sql("use crm;" + text)

class MySql(MySqlCase):
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
                # The CRM's clock may be ahead of the server's; both are unsigned.
                ("vtiger", "update vtiger_cron_task set lastend = unix_timestamp() + 60 where"
                 " status = 1", "ok", "^1 jobs, all on time$"),
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
                    "create table sale (id int primary key, party int); create table kept (id int,"
                    " n int) with system versioning;"
                    "insert into sale select seq, seq from seq_1_to_100")
        self.my.sql("set global system_versioning_alter_history = keep")
        self.serve(("rows", "rows", "tables = party, sale, kept\n"),
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
                 r"^column party.fax \(varchar\(5\) utf8mb4_general_ci\) is new$"),
                ("alter table party modify name varchar(50) character set latin1 not null",
                 "alter table party modify name varchar(50) not null",
                 r"^column party.name is varchar\(50\) not null latin1_swedish_ci, was varchar\(50\)"
                 " not null utf8mb4_general_ci$"),
                ("alter table sale change party Party int", "alter table sale change Party party"
                 " int", "^column sale.party is gone, column sale.Party .* is new$"),
                ("alter table kept drop id", "alter table kept add id int", "^column kept.id is"
                 " gone$"),
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
        self.change("drop table party, sale, kept")

    def test_queue_and_scheduler(self):
        """By statements of one's own: backticks, NULL, zero dates, the server's own zone."""
        self.my.sql("set global time_zone = '+05:00'")
        self.addCleanup(self.my.sql, "set global time_zone = 'SYSTEM'")
        self.change("create table `order queue` (`key` int, at datetime);"
                    "create table `cron runs` (job varchar(20), `last run` datetime, active bool);"
                    "insert into `cron runs` values ('nightly', now() - interval 30 minute, 1),"
                    " ('off', null, 0)")
        self.serve(("queue", "queue", "query = select count(*) as waiting, timestampdiff(second,"
                    " min(`at`), now()) as age from `order queue`\nmax_age = 1h\nmax_waiting = 5\n"),
                   ("jobs", "scheduler", "query = select job as name, timestampdiff(second, `last"
                    " run`, now()) as age from `cron runs` where active\nmax_age = 1h\n"))
        self.expect("queue", "ok", "nothing waits")
        check = self.expect("jobs", "ok", "1 jobs, all on time")
        self.assertAlmostEqual(self.metrics(check)["age_seconds", "nightly"], 1800, delta=300)
        for name, change, reason, text in (
                ("queue", "insert into `order queue` values (1, now() - interval 25 minute)", "ok",
                 "1 wait, the oldest for 25 min"),
                ("queue", "update `order queue` set at = now() - interval 3 hour", "stale",
                 "^the oldest of 1 has waited 3 h$"),
                ("queue", "update `order queue` set at = now(); insert into `order queue` select"
                 " seq, now() from seq_1_to_5", "threshold", "6 wait, at most 5"),
                # To MySQL it has no age, to MariaDB here a huge one.
                ("queue", "set sql_mode = ''; update `order queue` set at = '0000-00-00'",
                 "content-unexpected|stale", "`age' is NULL|has waited 7[0-9]{5} d"),
                ("jobs", "update `cron runs` set `last run` = now() - interval 3 hour where active",
                 "stale", r"^nightly last ran 3 h ago \(at most 60 min\)$"),
                ("jobs", "set sql_mode = ''; update `cron runs` set `last run` = '0000-00-00' where"
                 " active", "stale", "^nightly has never run$"),
                ("jobs", "update `cron runs` set `last run` = null", "stale",
                 "^nightly has never run$"),
                ("jobs", "update `cron runs` set `last run` = now(), active = 1", "ok", "2 jobs"),
                ("jobs", "delete from `cron runs`", "stale", "no active job")):
            with self.subTest(change=change):
                self.change(change)
                self.expect(name, reason, text)

    def test_modes_of_the_server(self):
        """What its sql_mode, its collation and its versions of tables must not change."""
        self.change("create table folk (name varchar(50) character set latin1, mail varchar(80),"
                    " phone varchar(30)); insert into folk values ('Müller', 'a@example.org', '+41 31"
                    " 123 45 67'), ('Muller', 'b@example.org\n', '031 123 45 67\r\n'),"
                    " ('ANA', 'c@example.org', null), (' ana ', '', null);"
                    "create table `it's ``odd``` (id int); insert into `it's ``odd``` values (1)")
        self.serve(("quality", "quality", "duplicates.name = folk name\nmail.mail = folk mail\n"
                    "phone.phone = folk phone\n"),
                   ("rows", "rows", "tables = folk, it's*\n"),
                   ("estimate", "rows", "tables = folk, it's*\ncount = estimate\n"))
        self.addCleanup(self.my.sql, "set global sql_mode = default")
        for mode in ("", "ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES", "ANSI", "ORACLE", "TRADITIONAL",
                     "EMPTY_STRING_IS_NULL,NO_BACKSLASH_ESCAPES"):
            with self.subTest(mode=mode):
                self.my.sql(f"set global sql_mode = '{mode}'")
                self.expect("quality", "data-quality", r"^name: 1 of 4 duplicates \(ana\), mail: 1 of"
                            r" 3 bad mail addresses \(b@example.org.*\), phone: 1 of 2 bad phone"
                            r" numbers \(031 123 45 67.*\)$")
                for name in ("rows", "estimate"):
                    metrics = self.metrics(self.expect(name, "ok", LEARNT))
                    self.assertIn(("rows", "it's `odd`"), metrics)
        self.change("drop table folk, `it's ``odd```")

    def test_rights(self):
        """A table that may not be read is none to MariaDB."""
        self.my.sql("create database small; create table small.a (id int); create table small.b (id"
                    f" int); create user some@'%' identified by '{PASSWORD}'; grant select on small.a"
                    " to some@'%'; grant select on small.b to some@'%'")
        self.serve(("rows", "rows", "", "small"),
                   ("sum", "queue", "query = select count(*) as waiting, 0 as age from b\n", "small"),
                   more=databases("mysql", {"small": {"dbname": "small"}}, host="::1", user="some",
                                  port=self.my.port, password=self.secret("my", PASSWORD)))
        self.expect("rows", "ok", LEARNT, "small")
        self.my.sql("revoke select on small.b from some@'%'")
        self.expect("rows", "schema-changed", "^table b is gone$", "small")
        self.expect("sum", "access-denied", "SELECT command denied", "small")
        self.my.sql("revoke select on small.a from some@'%'; drop database small")
        self.expect("sum", "access-denied", "error 1044", "small")

    def test_the_example(self):
        """What people copy from, of tables as SuiteCRM makes them."""
        self.my.sql(SUITECRM)
        self.pg.sql("create database books")
        self.pg.sql("create table debtor (crm_id text, name text); insert into debtor select"
                    " 'a' || i, 'Zoë ' || i from generate_series(1, 30) i; grant select on debtor to"
                    " tend", "books")
        with open(EXAMPLE, encoding="utf-8") as file:
            text = file.read()
        for there, here in (
                ("/run/mysqld/mysqld.sock", self.my.socket), ("unit = mariadb.service\n", ""),
                ("user = tend_read\npassword = file:/etc/tend/secrets/db-read\n", "user = root\n"),
                ("password = file:/etc/tend/secrets/books-read\n", ""),
                ("user = tend_read\n", ""),
                ("host = books.example.org\n", f"host = {self.pg.run}\nport = {self.pg.port}\n")):
            self.assertIn(there, text)
            text = text.replace(there, here)
        self.tend = Tendd(self, text)
        self.expect_all_ok()
        self.my.sql("use suitecrm; update accounts set name = 'Zoé 7' where id = 'a7'; update users"
                    " set status = 'Active'; alter table accounts drop phone_office;"
                    "update schedulers set last_run = null; insert into job_queue values ('x',"
                    " 'queued', 0, utc_timestamp(), utc_timestamp() - interval 2 hour)")
        for name, reason, text in (
                ("books/customers", "out-of-sync", r"^1 different \(a7\)"),
                ("database/data", "schema-changed", "^column accounts.phone_office is gone$"),
                ("scheduler/jobs", "stale", "schedulers has never run"),
                ("scheduler/queue", "stale", "jobs: the oldest of 1 has waited 2 h"),
                ("database/quality", "object-missing", "phone_office")):
            _, check = self.tend.request("POST", f"/v1/checks/sales/{name}/run", body={})
            with self.subTest(name=name):
                self.assertEqual(check["reason"], reason, check)
                self.assertRegex(check["text"], text)

    def expect_all_ok(self):
        for check in self.tend.json("check", "list"):
            _, check = self.tend.request("POST", f"/v1/checks/{check['name']}/run", body={})
            with self.subTest(name=check["name"]):
                self.assertEqual(check["reason"], "ok", check)

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

    def test_sync_of_other_types(self):
        """What the two servers say in other words is the same; what is another byte is not."""
        types = (("tiny", "tinyint(1)", "bool", "1", "true"), ("bit", "bit(1)", "bool", "b'0'",
                 "false"), ("money", "decimal(10,2)", "numeric(10,2)", "1.50", "1.50"),
                 ("day", "date", "date", "'2026-01-02'", "'2026-01-02'"),
                 ("at", "datetime", "timestamp", "'2026-01-02 03:04:05'", "'2026-01-02 03:04:05'"),
                 ("word", "enum('x', 'y')", "text", "'y'", "'y'"),
                 ("doc", "json", "jsonb", "'{\"a\":[1, null]}'", "'{\"a\": [1, null]}'"),
                 ("lat", "varchar(9) character set latin1", "text", "'Zoë'", "'Zoë'"),
                 ("old", "varchar(9) character set utf8mb3", "text", "'Zoë'", "'Zoë'"))
        other = (("bit", "true"), ("tiny", "false"), ("money", "1.51"), ("doc", "'{\"a\": [2]}'"),
                 ("lat", "'Zoe'"), ("old", "null"))
        columns = ", ".join(f"`{name}` {mine}" for name, mine, *_ in types)
        self.change(f"create table typed (id int primary key, bin binary(2), {columns}); insert into"
                    " typed values (1, x'0041', " + ", ".join(row[3] for row in types) + ")")
        columns = ", ".join(f"{name} {theirs}" for name, _, theirs, *_ in types)
        self.pg.sql(f"create table typed (id int, {columns}); insert into typed values (1, "
                    + ", ".join(row[4] for row in types) + "); grant select on typed to tend")
        both = "right = crm/erp\nleft_query = {0}\nright_query = {0}\n"
        self.serve(*((name, "sync", both.format(f"select id as k, {name} as v from typed"))
                     for name, *_ in types),
                   ("binary", "sql", "query = select bin from typed\nexpect = (no UTF-8)\n"),
                   ("hash", "sync", "right = crm/erp\nleft_query = select id as k, md5(convert(lat"
                    " using utf8mb4)) as v from typed\nright_query = select id as k, md5(lat) as v"
                    " from typed\n"))
        for name in ("binary", "hash", *(row[0] for row in types)):
            with self.subTest(name=name):
                self.expect(name, "ok")
        for name, value in other:
            with self.subTest(name=name, value=value):
                self.pg.sql(f"update typed set {name} = {value}")
                self.expect(name, "out-of-sync", r"^1 different \(1\)$")

    def test_sync_of_keys_in_latin1(self):
        """Each page begins behind the last key of the one before, byte by byte in UTF-8."""
        self.change("create table coded (code varchar(20) character set latin1 primary key) select"
                    " concat(elt(1 + seq % 4, 'a', 'é', 'Z', '€'), seq) as code from seq_1_to_2500")
        self.pg.sql("create table coded (code text); insert into coded select (array['a', 'é', 'Z',"
                    " '€'])[1 + i % 4] || i from generate_series(1, 2500) i; grant select on coded to"
                    " tend")
        self.serve(("text", "sync", "key = text\nright = crm/erp\nleft_query = select code as k, 1 as"
                    " v from coded\nright_query = select code as k, 1 as v from coded\n"))
        self.expect("text", "ok", "^2500 records are the same$")
        self.pg.sql("delete from coded where code in ('€7', 'é1001'); insert into coded values ('ü')")
        self.expect("text", "out-of-sync", r"^2 missing on the right \(é1001, €7\), 1 only on the"
                    r" right \(ü\)$")


# What an integration does: MariaDB on the left, PostgreSQL on the right.
ACROSS = {"across": ("sync", "right = crm/erp\nleft_query = select id as k, name as v from accounts"
                     "\nright_query = select id as k, name as v from accounts\n")}
PROBES = {**FAMILY, **ACROSS}
# No count, no rows: `sleepy' is a view.
QUERIES = {name: probe for name, probe in PROBES.items() if name != "rows"}


def instead(probes, table):
    """Of another table than accounts; the other side keeps its own."""
    return {name: (probe, options.replace("accounts", table, 1 if name == "across" else -1))
            for name, (probe, options) in probes.items()}


class Moods(MySqlCase):
    """Each reason, of every probe of the family, of the servers that are not well."""

    def ways(self):
        """A database each way: its options, the reason, words of it. None: it is for later."""
        wrong, four, six = self.secret("wrong", "wrong"), "127.0.0.1", "::1"
        root = {"host": None, "socket": self.my.socket, "user": "root", "password": None}
        ways = {
            "socket": (root, "ok", ""),
            "locked-account": ({"host": six, "user": "nobody_in"}, "auth-failed", "error 4151"),
            "no-database": ({**root, "dbname": "none"}, "database-missing", "database 'none'"),
            "no-database-right": ({"host": four, "dbname": "none"}, "access-denied", "error 1044"),
            "no-right": ({"host": six, "user": "poor"}, "access-denied", "error 1044"),
            "full": ({"host": six, "user": "full"}, "connections-full", "max_user_connections"),
            "noname": ({"host": "no-such-name.invalid"}, "dns-failed", ""),
            "notls": ({"host": four, "sslmode": "require"}, "tls-failed", "offers no TLS"),
            "halfopen": ({"host": four, "port": full_backlog(self)}, "connect-timeout", ""),
            "frozen": ({"host": four}, None, ""),
            "frozen6": ({"host": six}, None, ""),
            "frozen-socket": (root, None, ""),
            "locked": ({"host": six}, None, ""),
        }
        for name, host in (("4", four), ("6", six)):
            for mood, talk, reason, text in (
                    ("noise", saying(NOISE), "protocol", "no MariaDB or MySQL server"),
                    ("hang-up", hanging_up, "protocol", ""),
                    ("mute", silent, "too-slow", "no greeting came|does not greet")):
                ways[mood + name] = ({"host": host, "port": Odd(self, talk, host).port}, reason,
                                     text)
            slow = Slow(self, self.my.port, host).port
            ways |= {"ipv" + name: ({"host": host}, "ok", ""),
                     "nobody" + name: ({"host": host, "port": 1}, "connect-refused", ""),
                     "refused" + name: ({"host": host, "password": wrong}, "auth-failed",
                                        "Access denied for user 'tend'"),
                     "slow" + name: ({"host": host, "port": slow}, "threshold", "total_seconds")}
        return ways

    def serve_ways(self, ways, *checks):
        for way in ways:
            timeout = "4s" if way == "locked" else PATIENT
            if way.startswith(("halfopen", "mute", "frozen")):
                timeout = BRIEF
            checks += tuple(family(way, timeout, probes=PROBES, more="critical.total_seconds = 0.1"
                                   "\n" * way.startswith("slow")))
        self.serve(*checks, more=databases(
            "mysql", {way: options for way, (options, *_) in ways.items()}, port=self.my.port,
            dbname="crm", password=self.secret("my", PASSWORD)))

    def expect_all(self, way, reason, text="", probes=None):
        super().expect_all(way, reason, text, probes or PROBES)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pg.sql("create table accounts (id int, name text); insert into accounts values (1, "
                   "'Ada'), (2, 'Bob'), (3, 'Zoë'); grant select on accounts to tend")
        cls.my.sql("use crm; create view sleepy as select * from accounts where sleep(9) = 0;"
                   "create sequence numbers; grant select, insert on numbers to tend@'%'")

    def test_moods(self):
        holder = self.my.session(user="full", database="information_schema")
        self.addCleanup(leave, holder)
        ways = self.ways()
        self.serve_ways(ways)
        for way, (_, reason, text) in ways.items():
            if reason:
                self.expect_all(way, reason, text)
        self.locked_full_frozen_dead()

    def test_statements(self):
        """What the server says of a question, and what it takes too long for."""
        tables = (("missing", "no_accounts", "object-missing", "no_accounts|no table"),
                  ("secret", "mysql.user", "access-denied", "SELECT command denied"))
        writing = {
            "ask": ("sql", "query = select nextval(numbers) as n\n"),
            "queue": ("queue", "query = select nextval(numbers) as waiting, 0 as age\n"),
            "scheduler": ("scheduler", "query = select nextval(numbers) as age\n"),
            "quality": ("quality", "rule.r = select nextval(numbers)\n"),
            "sync": ("sync", "left_query = select nextval(numbers) as k, 1 as v\n"
                             "right_query = select 1 as k, 1 as v\n")}
        wrong = {name: (probe, options.replace("select nextval(numbers)", "selec 1"))
                 for name, (probe, options) in writing.items()}
        ways = [("write", writing, "read-only", "error 1792", PATIENT),
                ("wrong", wrong, "query-failed", "error 1064", PATIENT),
                ("sleepy", instead(QUERIES, "sleepy"), "too-slow", "", BRIEF)]
        ways += [(way, instead(PROBES if way == "missing" else QUERIES, table), reason, text,
                  PATIENT) for way, table, reason, text in tables]
        checks = sum((family(way, timeout, probes=probes)
                      for way, probes, _, _, timeout in ways), [])
        self.serve(*checks, more=databases(
            "mysql", {way: {} for way, *_ in ways}, host="::1", port=self.my.port, dbname="crm",
            password=self.secret("my", PASSWORD)))
        for way, probes, reason, text, _ in ways:
            self.expect_all(way, reason, text, probes)

    def locked_full_frozen_dead(self):
        self.await_first_runs()
        holder = self.my.session("lock tables accounts write")
        self.expect_all("locked", "locked", "Lock wait timeout")
        leave(holder)
        self.full()
        for way in ("frozen", "frozen6", "frozen-socket"):
            self.my.freeze()
            self.expect_all(way, "too-slow")
            self.my.freeze(False)
        for way in ("ipv4", "ipv6", "socket"):
            self.expect_all(way, "ok")
        self.pg.freeze()
        self.expect_all("frozen", "too-slow", probes=ACROSS)
        self.pg.freeze(False)
        self.expect_all("ipv4", "ok", probes=ACROSS)
        self.my.kill()
        for way in ("ipv4", "ipv6", "socket"):
            self.expect_all(way, "connect-refused")
        self.my.start()
        self.expect_all("ipv6", "ok")

    def full(self):
        self.my.sql("set global max_connections = 10")
        holders = []

        def is_full():
            # Of others that came and went in between there may be a free one again.
            with contextlib.suppress(AssertionError):
                holders.append(self.my.session(user="admin"))
            return self.run_check("ask", "ipv4")["reason"] == "connections-full"
        self.tend.wait(is_full, 20, "all to be taken")
        self.expect_all("ipv6", "connections-full", "Too many connections")
        for one in holders:
            leave(one)
        self.my.sql("set global max_connections = 151")
        self.tend.wait(lambda: self.run_check("ask", "ipv4")["reason"] == "ok", 20,
                       "free connections")


if __name__ == "__main__":
    unittest.main()
