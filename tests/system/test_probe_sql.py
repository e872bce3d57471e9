# SPDX-License-Identifier: MIT
"""The probes that ask a database: sql, rows, queue, scheduler, quality, sync; a real tendd, a real
PostgreSQL."""

import os
import subprocess
import unittest
import urllib.request

from inbox import TOKEN
from snmpbox import BUILD
from sqlprobes import LEARNT, SYSTEM, Case


class Sql(Case):
    def setUp(self):
        self.pg.sql("drop table if exists orders; create table orders (id serial, region text,"
                    " total numeric, day timestamp default now()); grant select on orders to tend;"
                    "insert into orders (region, total) select case when i % 2 = 0 then 'north'"
                    " else 'south' end, i from generate_series(1, 10) i")

    def test_rows_become_metrics(self):
        self.serve(
            ("one", "sql", "query = select count(*) as orders, sum(total) as total, 'x' as word"
             " from orders\nunit.total = c\nwarning.orders = 9\n"),
            ("regions", "sql", "query = select region, count(*) as orders, max(total) as best from"
             " orders group by region order by region\ninstance = region\ncritical.best = 9\n"),
            ("nolabel", "sql", "query = select region, count(*) as n from orders group by 1\n"),
            ("twice", "sql", "query = select region, total from orders\ninstance = region\n"),
            ("expected", "sql", "query = select 'north'\nexpect = north\n"),
            ("unexpected", "sql", "query = select max(region) from orders\nexpect = west\n"),
            ("nothing", "sql", "query = select total from orders where false\nmin_rows = 1\n"),
            ("many", "sql", "query = select id, total from orders\ninstance = id\nmax_rows = 9\n"),
            ("noname", "sql", "query = select count(*) as \"no name\" from orders\n"),
            ("quoted", "sql", "query = select 'a \"b\" \\c' as region, 7 as n\n"
             "instance = region\n"),
            ("null", "sql", "query = select null::int as n\nwarning.n = 1\n"),
            ("norows", "sql", "query = select total from orders where false\ncritical.total = 1:\n"),
            ("nobody", "sql", "query = select region, 1 as best from orders where false\n"
             "instance = region\ncritical.best = 1:\n"),
            ("rate", "sql", "query = select 1 as best\ncounter = best\n"
             "critical.best_per_hour = 1:\n"))
        check = self.expect("one", "threshold", "orders is 10, warning outside the range 9")
        self.assertEqual(check["now"], "warning")
        metrics = self.metrics(check)
        self.assertEqual((metrics["orders", ""], metrics["total", ""], metrics["rows", ""]),
                         (10, 55, 1))
        check = self.expect("regions", "threshold", "best of north is 10")
        self.assertEqual(self.metrics(check)["best", "south"], 9)
        self.assertEqual(self.metrics(check)["orders", "south"], 5)
        self.expect("nolabel", "content-unexpected", "2 rows: one is expected")
        self.expect("twice", "content-unexpected", "called '(south|north)'")
        self.expect("expected", "ok", "north")
        self.expect("unexpected", "content-unexpected", "expected 'west', got 'south'")
        self.expect("nothing", "content-unexpected", "0 rows, at least 1")
        self.expect("many", "content-unexpected", "more than 9 rows")
        self.expect("noname", "content-unexpected", "cannot be a metric")
        # What is not there is not judged: that is no evidence of a figure, and is said of one that may
        # be missing.
        self.expect("null", "no-evidence", "threshold of 'n': the check has no such metric")
        self.expect("norows", "no-evidence", "threshold of 'total': the check has no such metric")
        self.expect("nobody", "ok", "no such metric")
        self.expect("rate", "ok", "no such metric")
        self.expect("quoted", "ok")
        with urllib.request.urlopen(urllib.request.Request(
                f"http://127.0.0.1:{self.tend.port}/metrics",
                headers={"Authorization": f"Bearer {TOKEN}"})) as answer:
            text = answer.read().decode()
        self.assertRegex(text, r'tend_check_metric\{[^}]*metric="best",instance="south"[^}]*\} 9\n')
        self.assertIn(r'metric="n",instance="a \"b\" \\c",unit=""} 7' + "\n", text)

    def test_counters_and_drops(self):
        drop = ("query = select count(*) as orders, coalesce(max(id), 0) as last from orders where"
                " total < 100\ncounter = last\ndrop = orders\n")
        self.serve(
            ("drop", "sql", drop),
            ("gone", "sql", "query = select region, count(*) as orders from orders group by 1\n"
             "instance = region\ndrop = orders\ndrop_share = 50\n"),
            ("sum", "sql", "query = select sum(total) as revenue, max(id) as last from orders where"
             " total < 100\ndrop = revenue\n"))
        for _ in range(3):
            self.expect("sum", "ok")
            self.expect("drop", "ok")
            self.expect("gone", "ok")
        self.assertGreaterEqual(self.metrics(self.run_check("drop"))["last_per_hour", ""], 0)
        self.pg.sql("insert into orders (region, total) select 'north', 1 from"
                    " generate_series(1, 100)")
        check = self.run_check("drop")
        self.assertGreater(self.metrics(check)["last_per_hour", ""], 1000)
        # What is usual, and what rises, are known after a restart too.
        self.tend.stop()
        self.tend.start()
        self.pg.sql("delete from orders where region = 'south'; update orders set total = 100")
        self.expect("drop", "threshold", "orders has fallen to 0 since [0-9]+ s; usual is about"
                    " [1-9]")
        self.expect("drop", "threshold", "fallen to 0")
        # The sum of no rows is no 0, it is NULL.
        self.expect("sum", "threshold", "revenue has fallen to 0 since")
        self.expect("sum", "threshold", "revenue has fallen to 0 since")
        self.expect("gone", "threshold", "orders of south has fallen to 0")
        self.pg.sql("insert into orders (region, total) select 'south', 1 from"
                    " generate_series(1, 2)")
        self.expect("gone", "off-baseline", "orders of south has been only 2")
        self.pg.sql("update orders set total = 2")
        self.expect("drop", "ok")

    def test_a_database_that_is_not_there_is_an_error_of_the_configuration(self):
        tend = self.serve()
        body = SYSTEM.format(run=self.pg.run, port=self.pg.port)
        for options, component, text in (
                ("database = crm/databank\n", "database", "databank.*nearest|no database"),
                ("", "web", r"there is no \[database crm/web\]")):
            tend.configure(body + "[component crm/web]\nkind = web\n" + self.section(
                "x", "sql", "query = select 1\n" + options, component))
            done = subprocess.run(
                [os.path.join(BUILD, "daemon", "tendd"), "-t", "-c", tend.config, "--plugin-dir",
                 os.path.join(BUILD, "plugins")], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout + done.stderr, text)


class Rows(Case):
    def setUp(self):
        self.pg.sql("drop schema public cascade; create schema public; grant usage on schema public"
                    " to tend; create table party (id serial primary key, name text not null, code"
                    " varchar(10)); create index party_code on party (code);"
                    "create table sale (id int, party int); create table session (id int);"
                    "insert into party (name) select 'p' || i from generate_series(1, 200) i;"
                    "insert into sale select i, i from generate_series(1, 100) i;"
                    "insert into session select i from generate_series(1, 100) i;"
                    "grant select on all tables in schema public to tend")

    def test_losses_are_told_by_name(self):
        options = "uncounted = session\n"
        self.serve(("data", "rows", options),
                   ("estimate", "rows", "count = estimate\ntables = party, sale\n"),
                   ("accepting", "rows", "accept_after = 1m\ntables = sale\n"))
        check = self.expect("data", "ok", LEARNT)
        metrics = self.metrics(check)
        self.assertEqual((metrics["rows", "party"], metrics["rows", "sale"],
                          metrics["rows_total", ""]), (200, 100, 300))
        self.assertNotIn(("rows", "session"), metrics)
        self.expect("data", "ok", "nothing has changed")
        # A few rows come and go.
        self.pg.sql("delete from session; delete from party where id <= 9; analyze")
        self.expect("data", "ok")
        self.assertEqual(self.metrics(self.run_check("estimate"))["rows", "party"], 191)
        self.pg.sql("delete from sale where id <= 50")
        self.expect("data", "rows-lost", "^sale has lost 50 of 100 rows$")
        # It stands until the rows are back, also over a restart.
        self.tend.kill()
        self.tend.start()
        check = self.expect("data", "rows-lost", "^sale has lost 50 of 100 rows$")
        self.assertEqual(self.metrics(check)["lost_rows", ""], 50)
        self.pg.sql("insert into sale select i, i from generate_series(1, 45) i")
        self.expect("data", "ok")
        # Or until somebody says that it is meant so.
        self.pg.sql("truncate party")
        self.expect("data", "rows-lost", "^party has lost 200 of 200 rows$")
        self.reload(("data", "rows", options + "accept = ticket 4711\n"))
        self.expect("data", "ok", LEARNT)

    def test_changes_of_the_schema_are_told_by_name(self):
        self.serve(("schema", "rows", "ignore = tmp_*\n"), ("tables", "rows",
                   "columns = no\nindexes = no\ncount = none\n"))
        self.expect("schema", "ok", LEARNT)
        self.expect("tables", "ok", LEARNT)
        for change, back, text in (
                ("alter table party add mail text", "alter table party drop mail",
                 r"column party.mail \(text\) is new"),
                ("alter table sale alter party type bigint",
                 "alter table sale alter party type int",
                 "column sale.party is bigint, was integer"),
                ("alter table party alter name drop not null",
                 "alter table party alter name set not null",
                 "column party.name is text, was text not null"),
                ("drop index party_code", "create index party_code on party (code)",
                 "index party_code of party is gone"),
                ("alter table party rename code to kode", "alter table party rename kode to code",
                 "column party.code is gone, column party.kode .* is new"),
                ("alter table sale rename to sales", "alter table sales rename to sale",
                 "^table sale is now called sales$"),
                ("create table tmp_x (id int)", "drop table tmp_x", None),
                ("create table more (id text); grant select on more to tend", "drop table more",
                 "^table more is new$")):
            with self.subTest(change=change):
                self.pg.sql(change)
                if text:
                    self.expect("schema", "schema-changed", text)
                    # It is told as long as it is so.
                    self.expect("schema", "schema-changed", text)
                self.pg.sql(back)
                self.expect("schema", "ok", "nothing has changed")
                self.expect("tables", "ok")
        self.pg.sql("drop table sale")
        self.expect("tables", "schema-changed", "^table sale is gone$")
        self.expect("schema", "schema-changed", "^table sale is gone$")
        self.pg.sql("revoke select on party from tend")
        self.expect("schema", "access-denied", "party")
        self.pg.sql("drop table party, session")
        self.expect("schema", "object-missing", "no table")

    def test_a_big_schema_is_remembered_by_hashes(self):
        self.serve(("big", "rows", "tables = big*\ncount = none\n"))
        columns = ", ".join(f"a_column_with_a_long_name_{i} timestamp without time zone"
                            for i in range(30))
        self.pg.sql("".join(f"create table big{i} ({columns});" for i in range(260)))
        self.expect("big", "ok", LEARNT)
        self.expect("big", "ok", "nothing has changed")
        self.pg.sql("alter table big7 drop a_column_with_a_long_name_3; drop table big9")
        self.expect("big", "schema-changed", "columns or indexes of big7 have changed.*table big9"
                    " is gone|table big9 is gone.*big7 have changed")


class Waiting(Case):
    """queue and scheduler: what waits, and what should have run."""

    def test_queue(self):
        self.pg.sql("create table jobs (id serial, kind text, at timestamptz); grant select on"
                    " jobs to tend; create table ir_queue (id serial, name text, enqueued_at"
                    " timestamp, scheduled_at timestamp, dequeued_at timestamp); grant select on"
                    " ir_queue to tend")
        query = ("query = select kind as name, count(*) as waiting, extract(epoch from now() -"
                 " min(at)) as age from jobs group by kind order by kind\n")
        one = ("query = select count(*) as waiting, extract(epoch from now() - min(at)) as age from"
               " jobs\n")
        self.serve(("all", "queue", one + "max_age = 1h\nmax_waiting = 5\n"),
                   ("kinds", "queue", query + "max_age = 10m\nwarning.oldest_seconds = 100\n"),
                   ("wrong", "queue", "query = select 1 as n\n"),
                   ("tryton", "queue", "rule = tryton\nmax_age = 10m\n"))
        self.expect("all", "ok", "nothing waits")
        self.expect("wrong", "content-unexpected", "no columns")
        self.pg.sql("insert into jobs (kind, at) values ('mail', now() - interval '5 min'),"
                    " ('mail', now()), ('print', now() - interval '30 s')")
        self.expect("all", "ok", "3 wait, the oldest for 5 min")
        check = self.expect("kinds", "threshold", "oldest_seconds of mail is 30")
        metrics = self.metrics(check)
        self.assertEqual((metrics["waiting", "mail"], metrics["waiting", "print"],
                          metrics["waiting_total", ""]), (2, 1, 3))
        self.pg.sql("update jobs set at = now() - interval '25 h' where kind = 'print'")
        self.expect("all", "stale", "the oldest of 3 has waited 25 h")
        self.expect("kinds", "stale", "^print: the oldest of 1 has waited 25 h$")
        self.pg.sql("update jobs set at = now(); insert into jobs (kind, at) select 'mail', now()"
                    " from generate_series(1, 5)")
        self.expect("all", "threshold", "8 wait, at most 5")
        self.pg.sql("update jobs set at = null")
        self.expect("all", "content-unexpected", "NULL")
        self.expect("tryton", "ok")
        self.pg.sql("insert into ir_queue (name, enqueued_at) values ('sale process', (now() at"
                    " time zone 'utc') - interval '1 h')")
        self.expect("tryton", "stale", "sale process: the oldest of 1 has waited 60 min")

    def test_scheduler(self):
        self.pg.sql("create table runs (job text, at timestamptz); grant select on runs to tend;"
                    "insert into runs values ('nightly', now() - interval '30 min')")
        self.serve(("own", "scheduler", "query = select job as name, extract(epoch from now() - at)"
                    " as age from runs\nmax_age = 1h\nignore = old-*\n"),
                   ("shape", "scheduler", "query = select job from runs\n"),
                   ("text", "scheduler", "query = select job as name, 'x' as age from runs\n"))
        self.expect("own", "ok", "1 jobs, all on time")
        self.pg.sql("insert into runs values ('never', null), ('old-one', null)")
        self.expect("own", "stale", "^never has never run$")
        self.pg.sql("update runs set at = now() - interval '3 h' where job = 'nightly';"
                    "delete from runs where job = 'never'")
        check = self.expect("own", "stale", r"^nightly last ran 3 h ago \(at most 60 min\)$")
        self.assertGreater(self.metrics(check)["age_seconds", "nightly"], 10000)
        self.expect("shape", "content-unexpected", "none of the columns")
        self.expect("text", "content-unexpected", "`age' is not a number")
        self.pg.sql("delete from runs")
        self.expect("own", "stale", "no active job")

    def test_the_rules_of_crms(self):
        """Tables as these products make them, as far as the rules look at them."""
        utc = "(now() at time zone 'utc')"
        local = "(now() at time zone 'Asia/Shanghai')"
        self.pg.sql(f"""
            create table ir_cron (id serial, active bool, method text, next_call timestamp,
                cron_name text, nextcall timestamp);
            insert into ir_cron (active, method, next_call, nextcall, cron_name) values
                (true, 'ir.queue|clean', {utc} + interval '1 h', {utc} + interval '1 h', 'Mail'),
                (false, 'ir.trigger|x', {utc} - interval '9 d', {utc} - interval '9 d', 'Off');
            create table llx_cronjob (label text, status int, datenextrun timestamp,
                datestart timestamp, dateend timestamp, maxrun int, nbrun int, processing int,
                datelastrun timestamp);
            insert into llx_cronjob values
                ('purge', 1, {local} + interval '1 h', {local} - interval '1 d', null, 0, 7, 0,
                 {local}),
                ('off', 0, {local} - interval '1 d', null, null, 0, 7, 0, null),
                ('ended', 1, {local} - interval '1 d', null, {local} - interval '2 h', 0, 7, 0,
                 null), ('often enough', 1, {local} - interval '1 d', null, null, 7, 7, 0, null);
            create table scheduled_job (status text, deleted bool, last_run timestamp);
            create table job (name text, status text, deleted bool, execute_time timestamp,
                started_at timestamp);
            insert into scheduled_job values ('Active', false, {utc} - interval '1 min'),
                ('Active', false, null), ('Inactive', false, {utc} - interval '9 d');
            grant select on all tables in schema public to tend""")
        pg = "dialect = postgres\n"
        self.serve(("tryton", "scheduler", "rule = tryton\n"),
                   ("odoo", "scheduler", "rule = odoo\n"),
                   ("dolibarr", "scheduler", "rule = dolibarr\n" + pg),
                   ("espocrm", "scheduler", "rule = espocrm\n" + pg))
        for rule in ("tryton", "odoo", "dolibarr", "espocrm"):
            self.expect(rule, "ok", "1 jobs")
        for rule, change, reason, text in (
                ("tryton", f"update ir_cron set next_call = {utc} - interval '20 min'", "stale",
                 r"^ir.queue\|clean #1 is overdue for 20 min$"),
                ("tryton", "update ir_cron set next_call = null", "stale",
                 "has never been planned"),
                ("odoo", f"update ir_cron set nextcall = {utc} - interval '16 min'", "stale",
                 "^Mail #1 is overdue for 16 min$"),
                ("tryton", "update ir_cron set active = false", "stale", "no active job"),
                ("dolibarr", f"update llx_cronjob set datenextrun = {local} - interval '1 h'"
                 " where label = 'purge'", "stale", "^purge is overdue for 60 min$"),
                ("dolibarr", f"update llx_cronjob set processing = 1, datelastrun = {local} -"
                 " interval '5 h' where label = 'purge'", "job-stuck",
                 "^purge has been running for 5 h$"),
                ("espocrm", f"insert into job values ('Clean', 'Running', false, {utc}, {utc} -"
                 " interval '3 h')", "job-stuck", "^Clean has been running for 3 h$"),
                ("espocrm", f"delete from job; insert into job values ('x', 'Pending', false, {utc}"
                 " - interval '2 h', null)", "stale", "^pending jobs is overdue for 2 h$"),
                ("espocrm", f"delete from job; update scheduled_job set last_run = {utc} - interval"
                 " '1 h'", "stale", "^cron last ran 60 min ago"),
                ("espocrm", "update scheduled_job set last_run = null", "stale",
                 "^cron has never run$")):
            with self.subTest(change=change):
                self.pg.sql(change)
                self.expect(rule, reason, text)

class Quality(Case):
    RULES = ("duplicates.mail = contact value where kind = 'mail'\n"
             "duplicates.person = party name, city\n"
             "mail.mail = contact value where kind = 'mail'\n"
             "phone.phone = contact value where kind = 'phone'\n"
             "orphans.contact = contact party -> party id\n"
             "leavers.staff = select login from staff where active and left_on < current_date\n"
             "rule.city = select name from party where city = ''\n")

    def test_rules(self):
        self.pg.sql("""
            create table party (id serial primary key, name text, city text);
            create table contact (id serial, party int, kind text, value text);
            create table staff (login text, active bool, left_on date);
            insert into party (name, city) select 'Party ' || i, 'Bern' from
                generate_series(1, 50) i;
            insert into contact (party, kind, value) select i, 'mail', 'a.b+c' || i ||
                '@mail.example.org' from generate_series(1, 50) i;
            insert into contact (party, kind, value) values (1, 'phone', '+41 31 123 45 67'),
                (2, 'phone', '(031) 123-4567 ext. 12'), (3, 'phone', ''), (4, 'phone', null);
            insert into staff values ('anna', true, null), ('bob', false, '2020-01-01');
            grant select on all tables in schema public to tend""")
        names = self.RULES.replace(".mail = contact value", ".m1 = contact value", 1).replace(
            "mail.mail", "mail.m2")
        levels = ("error_above.m2 = 2\nwarn_above.phone = 1\nmin_records.contact = 40\n"
                  "warn_above.person = 5%\n")
        self.serve(("all", "quality", names + levels),
                   ("silent", "quality", "mail.m = contact value where kind = 'mail'\n"
                    "examples = 0\n"),
                   ("broken", "quality", "mail.m = contact no_value\n"))
        check = self.expect("all", "ok", "7 rules are kept")
        metrics = self.metrics(check)
        self.assertEqual((metrics["checked", "m2"], metrics["checked", "phone"],
                          metrics["bad", "contact"]), (50, 2, 0))
        self.expect("broken", "object-missing", "no_value")
        for change, reason, text in (
                ("insert into contact (party, kind, value) values (1, 'mail',"
                 " ' A.B+C1@mail.Example.org')", "data-quality",
                 r"^m1: 1 of 51 duplicates \(a.b\+c1@mail.example.org\)$"),
                ("delete from contact where value like ' A%';"
                 "insert into party (name, city) values ('PARTY 1', 'bern'), ('party 2', 'BERN')",
                 "ok", ""),
                ("insert into party (name, city) values ('party 3', 'bern')", "data-quality",
                 r"^person: 3 of 53 duplicates \(party [123], bern, "),
                ("delete from party where id > 50; update contact set value = 'a b@c' where id = 7",
                 "data-quality", r"^m2: 1 of 50 bad mail addresses \(a b@c\)$"),
                ("update contact set value = 'x@y' || id where id in (7, 8, 9)", "threshold",
                 r"^m2: 3 of 50 bad mail addresses \(x@y"),
                ("update contact set value = 'z' || id || '@x.org' where kind = 'mail' and id < 20;"
                 "update contact set value = 'call me' where kind = 'phone' and value <> ''",
                 "data-quality", r"^phone: 2 of 2 bad phone numbers \(call me\)$"),
                ("delete from contact where kind = 'phone'; update contact set party = 99 where"
                 " party = 5", "data-quality", r"^contact: 1 of 50 orphans \(99\)$"),
                ("update contact set party = 5 where party = 99; update staff set active = true",
                 "data-quality", r"^staff: 1 active accounts of leavers \(bob\)$"),
                ("update staff set active = false; update party set city = '' where id = 3",
                 "data-quality", r"^city: 1 records \(Party 3\)$"),
                ("update party set city = 'Bern'; delete from contact where id > 30", "rows-lost",
                 "^contact: there are only 30 records, at least 40 are expected$")):
            with self.subTest(change=change):
                self.pg.sql(change)
                self.expect("all", reason, text)
        self.pg.sql("update contact set value = 'private' where id = 3")
        self.expect("silent", "data-quality", "^m: 1 of 30 bad mail addresses$")
        self.refused()

    def refused(self):
        """What tendd -t says of rules that are none."""
        for options, text in (
                ("", "no rule"), ("mail.x = contact\n", "TABLE COLUMN"),
                ("mail.x = contact a, b\n", "1 column"),
                ("mail.x = contact value; drop\n", "column"),
                ("orphans.x = contact party party id\n", "->"),
                ("mail.x = t c\nphone.x = t c\n", "two rules are called 'x'"),
                ("mail.x = t c\nwarn_above.y = 3\n", "no rule 'y'"),
                ("mail.x = t c\nwarn_above.x = 3.5 %\n", "neither a number nor a share")):
            body = SYSTEM.format(run=self.pg.run, port=self.pg.port)
            self.tend.configure(body + self.section("x", "quality", options))
            done = subprocess.run(
                [os.path.join(BUILD, "daemon", "tendd"), "-t", "-c", self.tend.config,
                 "--plugin-dir", os.path.join(BUILD, "plugins")], capture_output=True, text=True,
                check=False)
            with self.subTest(options=options):
                self.assertEqual(done.returncode, 1)
                self.assertIn(text, done.stdout + done.stderr)


class Sync(Case):
    ERP = """
[component crm/erp]
kind = database
[database crm/erp]
service = postgres
host = {run}
port = {port}
dbname = erp
"""

    def both(self, left, right=None):
        self.pg.sql(left, "postgres")
        self.pg.sql(left if right is None else right, "erp")

    def test_two_databases(self):
        self.pg.sql("create database erp")
        self.both("create table party (id bigint, code text, name text, at timestamptz);"
                  "grant select on party to tend; insert into party select i, 'c' || i, 'n' || i,"
                  " now() - interval '1 d' from generate_series(-200, 2299) i")
        query = ("select {key} as k, md5(name) as v, extract(epoch from now() - at) as age from"
                 " party")
        options = "right = crm/erp\nkey = {key}\nlag = 10m\n" + "".join(
            f"{side}_query = {query}\n" for side in ("left", "right"))
        number = options.replace("{key}", "number", 1).replace("{key}", "id")
        text = options.replace("{key}", "text", 1).replace("{key}", "code")
        self.serve(
            ("number", "sync", number), ("text", "sync", text),
            ("some", "sync", number + "max_differences = 5\n"),
            ("few", "sync", number + "max_records = 1000\n"),
            ("noage", "sync", "right = crm/erp\nleft_query = select id as k, name as v from party\n"
             "right_query = select id as k, name as v from party\n"),
            ("columns", "sync", "right = crm/erp\nleft_query = select id from party\n"
             "right_query = select id from party\n"),
            ("keys", "sync", "right = crm/erp\nleft_query = select code as k, 1 as v from party\n"
             "right_query = select code as k, 1 as v from party\n"),
            more=self.ERP.format(run=self.pg.run, port=self.pg.port))
        for name in ("number", "text", "noage"):
            check = self.expect(name, "ok", "^2500 records are the same$")
        self.assertNotIn(("lag_seconds", ""), self.metrics(check))
        self.expect("few", "no-evidence", "more than 1000 records")
        self.expect("columns", "object-missing", "q.k")
        self.expect("keys", "content-unexpected", "no whole number")
        # One of each, at the edges of pages and of the tables.
        self.pg.sql("delete from party where id in (-200, 800, 2299);"
                    "update party set name = 'other' where id = 799;"
                    "insert into party values (5000, 'zz', 'x', now() - interval '1 d')", "erp")
        for name, keys in (("number", "-200, 800, 2299"), ("text", "c-200, c2299, c800")):
            check = self.expect(name, "out-of-sync", rf"^3 missing on the right \({keys}\), 1 only"
                                r" on the right \((5000|zz)\), 1 different \(c?799\)$")
            metrics = self.metrics(check)
            self.assertEqual([metrics[n, ""] for n in (
                "left_records", "right_records", "missing", "extra", "different", "pending")],
                [2500, 2498, 3, 1, 1, 0])
            self.assertAlmostEqual(metrics["lag_seconds", ""], 86400, delta=600)
        self.expect("some", "ok", "3 missing")
        # What has just been changed is on its way.
        self.pg.sql("update party set at = now() where id in (-200, 800, 2299, 799)")
        self.pg.sql("delete from party where id = 5000", "erp")
        check = self.expect("number", "ok", "2500 records are the same, some are on their way")
        self.assertEqual(self.metrics(check)["pending", ""], 4)
        self.assertLess(self.metrics(check)["lag_seconds", ""], 600)
        self.pg.sql("insert into party values (7, 'c7', 'n7', now())", "erp")
        self.expect("number", "content-unexpected", "right: the key '7' comes twice")
        self.pg.sql("truncate party", "erp")
        self.expect("noage", "out-of-sync", r"^2500 missing on the right \(-200, -199, -198 and"
                    r" 2497 more\)$")
        self.pg.sql("alter database erp connection limit 0")
        self.expect("number", "connections-full")
        self.pg.sql("drop database erp")
        self.expect("number", "database-missing", "erp")


if __name__ == "__main__":
    unittest.main()
