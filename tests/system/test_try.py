# SPDX-License-Identifier: MIT
"""`tendctl check try` and `tendctl probe`: no daemon, no configuration, real servers."""

import json
import os
import pwd
import re
import subprocess
import unittest

from inbox import BUILD
from probes import Odd, Server, answers, saying, silent, tcp_port
from snmpbox import Scratch
from tendbox import wait_for

PROGRAMS = ("try/tend-try", "exec/look/tend-look", "work/tend-work", "init/tend-init",
            "run/tend-run")
LUA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lua")
PLUGINS = "/usr/lib/nagios/plugins"
NAGIOS = """
log_file={path}/nagios.log
cfg_file={path}/objects.cfg
status_file={path}/status.dat
object_cache_file={path}/objects.cache
precached_object_file={path}/objects.precache
state_retention_file={path}/retention.dat
temp_file={path}/nagios.tmp
temp_path={path}
check_result_path={path}/results
lock_file={path}/nagios.lock
command_file={path}/nagios.cmd
query_socket={path}/nagios.qh
nagios_user=nagios
nagios_group=nagios
interval_length=1
status_update_interval=1
use_syslog=0
check_for_updates=0
enable_notifications=0
service_inter_check_delay_method=n
"""
HOST = """
define command {{
  command_name alive
  command_line /bin/true
}}
define command {{
  command_name tend
  command_line /usr/bin/env {env} {ctl} check try --nagios $ARG1$
}}
define timeperiod {{
  timeperiod_name always
  alias always
  sunday 00:00-24:00
  monday 00:00-24:00
  tuesday 00:00-24:00
  wednesday 00:00-24:00
  thursday 00:00-24:00
  friday 00:00-24:00
  saturday 00:00-24:00
}}
define contact {{
  contact_name nobody
  host_notifications_enabled 0
  service_notifications_enabled 0
  host_notification_period always
  service_notification_period always
  host_notification_commands alive
  service_notification_commands alive
}}
define host {{
  host_name here
  address 127.0.0.1
  check_command alive
  max_check_attempts 1
  check_period always
  contacts nobody
}}
"""
SERVICE = """
define service {{
  host_name here
  service_description {name}
  check_command tend!{words}
  max_check_attempts 1
  check_interval 2
  retry_interval 2
  check_period always
  contacts nobody
}}
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


class Try(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        os.mkdir(self.scratch.file("libexec"))
        for program in PROGRAMS:
            os.symlink(os.path.abspath(os.path.join(BUILD, "daemon", program)),
                       self.scratch.file("libexec/" + os.path.basename(program)))

    def ctl(self, *words, libexec=None, **more):
        env = {"PATH": os.environ["PATH"], "TEND_PLUGINDIR": os.path.join(BUILD, "plugins"),
               "TEND_LIBEXECDIR": libexec or self.scratch.file("libexec")}
        return subprocess.run([os.path.join(BUILD, "daemon/ctl/tendctl"), *words], env=env,
                              capture_output=True, text=True, check=False, timeout=60, **more)

    def attempt(self, *words):
        done = self.ctl("-o", "json", "check", "try", *words)
        self.assertLessEqual(done.returncode, 3, done.stderr)
        doc = json.loads(done.stdout)
        self.assertEqual(done.returncode,
                         ("ok", "warning", "critical", "unknown").index(doc["now"]))
        return doc

    def nagios(self, *words):
        """As another monitoring system would: one line, and 0 to 3."""
        done = self.ctl("check", "try", "--nagios", *words)
        self.assertIn(done.returncode, range(4))
        self.assertEqual(len(done.stdout.splitlines()), 1, done.stdout)
        word = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[done.returncode]
        self.assertTrue(done.stdout.startswith(word + ": "), done.stdout)
        return done.returncode, done.stdout.strip()

    def test_a_server_in_its_moods(self):
        well = Odd(self, saying(b"SSH-2.0-x\r\n"))
        mute = Odd(self, silent)
        other = Odd(self, saying(b"garbage\n"))
        six = Odd(self, saying(b"SSH-2.0-x\r\n"), "::1")
        for host, port, reason in (("127.0.0.1", well.port, "ok"), ("::1", six.port, "ok"),
                                   ("127.0.0.1", tcp_port(), "connect-refused"),
                                   ("127.0.0.1", mute.port, "too-slow"),
                                   ("127.0.0.1", other.port, "content-unexpected"),
                                   ("no.such.name.invalid", 1, "dns-failed")):
            with self.subTest(reason, host=host):
                doc = self.attempt("tcp", f"host={host}", f"port={port}", "expect=^SSH-",
                                   "timeout=500ms" if reason == "too-slow" else "timeout=5s")
                self.assertEqual(doc["reason"], reason, doc["text"])
                self.assertGreater(doc["duration_ms"], 0)

    def test_thresholds_are_those_of_tendd(self):
        well = Odd(self, saying(b"x\n"))
        words = ("tcp", "host=127.0.0.1", f"port={well.port}")
        doc = self.attempt(*words, "critical.total_seconds=0:5")
        self.assertEqual(doc["now"], "ok")
        doc = self.attempt(*words, "critical.total_seconds=10:")
        self.assertEqual((doc["now"], doc["reason"]), ("critical", "threshold"))
        doc = self.attempt(*words, "warning.total_seconds=10:")
        self.assertEqual((doc["now"], doc["reason"]), ("warning", "threshold"))
        self.assertEqual({m["name"]: m for m in doc["metrics"]}["total_seconds"]["state"],
                         "warning")

    def test_as_a_plugin_of_another_monitoring(self):
        well = Odd(self, saying(b"x\n"))
        words = ("tcp", "host=127.0.0.1", f"port={well.port}")
        code, line = self.nagios(*words, "warning.total_seconds=5", "critical.total_seconds=9")
        self.assertEqual(code, 0)
        self.assertRegex(line, r"\| .*'total_seconds'=[0-9.e-]+s;5;9( |$)")
        self.assertEqual(self.nagios(*words, "critical.total_seconds=10:")[0], 2)
        self.assertEqual(self.nagios(*words, "warning.total_seconds=10:")[0], 1)
        # Whatever is wrong is 3: no plugin, no such option, no value, no helper, no such option.
        for bad in (("nothing",), ("tcp",), (*words, "colour=red"), (*words, "port=x"),
                    (*words, "[check]=1"), ()):
            with self.subTest(bad):
                self.assertEqual(self.nagios(*bad)[0], 3)
        self.assertEqual(self.nagios("--no-such", *words)[0], 3)
        done = self.ctl("check", "try", "--nagios", *words, libexec="/nonexistent")
        self.assertEqual((done.returncode, done.stdout.split(":")[0]), (3, "UNKNOWN"))

    def test_a_real_nagios(self):
        """It runs the command, reads state, text and performance data, and sees a server die."""
        port, owner = tcp_port(), pwd.getpwnam("nagios")
        server = Server(self, ["redis-server", "--port", str(port), "--save", "", "--dir",
                               self.scratch.path], lambda: answers(port))
        redis = f"redis host=127.0.0.1 port={port}"
        services = {
            "well": (redis + " critical.answer_seconds=0:9", 0, "Redis "),
            "warned": (redis + " warning.keys=5:", 1, "keys is 0"),
            "unknown": (redis + " colour=red", 3, "colour"),
        }
        env = (f"TEND_PLUGINDIR={os.path.abspath(os.path.join(BUILD, 'plugins'))} "
               f"TEND_LIBEXECDIR={self.scratch.file('libexec')}")
        text = HOST.format(env=env, ctl=os.path.abspath(os.path.join(BUILD, "daemon/ctl/tendctl")))
        text += "".join(SERVICE.format(name=name, words=words)
                        for name, (words, *_) in services.items())
        self.scratch.file("objects.cfg", text)
        config = self.scratch.file("nagios.cfg", NAGIOS.format(path=self.scratch.path))
        os.mkdir(self.scratch.file("results"))
        for path in ("", "results"):
            os.chmod(self.scratch.file(path), 0o755)
            os.chown(self.scratch.file(path), owner.pw_uid, owner.pw_gid)
        Server(self, ["nagios4", config], lambda: os.path.exists(self.scratch.file("status.dat")))

        def status(name):
            """Of the service: its own lines of status.dat."""
            with open(self.scratch.file("status.dat"), encoding="utf-8") as file:
                for block in file.read().split("servicestatus {")[1:]:
                    rows = dict(line.strip().split("=", 1) for line in
                                block.partition("}")[0].splitlines() if "=" in line)
                    if rows["service_description"] == name:
                        return rows
            return {}

        for name, (_, state, said) in services.items():
            wait_for(lambda name=name: status(name).get("has_been_checked") == "1", 30, name)
            got = status(name)
            self.assertEqual((got["current_state"], got["check_command"].split("!")[0]),
                             (str(state), "tend"), got)
            self.assertIn(said, got["plugin_output"])
        self.assertRegex(status("well")["performance_data"],
                         r"'answer_seconds'=[0-9.e-]+s;;0:9( |$)")
        server.kill()
        wait_for(lambda: status("well")["current_state"] == "2", 30, "Nagios to see its end")
        self.assertIn("CRITICAL: ", status("well")["plugin_output"])
        self.assertIn("Connection refused", status("well")["plugin_output"])

    def test_wrong_words_are_said(self):
        for words, said in ((("tpc", "host=a"), "the nearest is 'tcp'"),
                            (("tcp", "hots=a", "port=1"), "hots"),
                            (("tcp", "host=a"), "port"),
                            (("tcp", "host"), "no KEY=VALUE")):
            done = self.ctl("check", "try", *words)
            self.assertEqual(done.returncode, 64, done)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_hyphens_and_verbose(self):
        class Page:
            """One HTTP answer."""

            def __call__(self, sock):
                sock.recv(4096)
                sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        page = Odd(self, Page())
        url = f"url=http://127.0.0.1:{page.port}/"
        self.assertEqual(self.attempt("http", url)["reason"], "status-unexpected")
        self.assertEqual(self.attempt("http", url, "expect-status=404")["reason"], "ok")
        done = self.ctl("check", "try", "-v", "http", url, "expect-status=404")
        self.assertEqual(done.returncode, 0)
        self.assertIn("Phases\n", done.stdout)
        self.assertRegex(done.stdout, r"total_seconds +[0-9.e-]+ s")

    def test_a_secret_only_by_its_place(self):
        path = self.scratch.file("secret", "Tr1cky-word\n")
        os.chmod(path, 0o600)
        seen = []

        def serve(sock):
            seen.append(sock.recv(4096))
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        page = Odd(self, serve)
        words = ("http", f"url=http://127.0.0.1:{page.port}/", "auth=bearer")
        self.assertEqual(self.attempt(*words, f"token=file:{path}")["reason"], "ok")
        self.assertIn(b"Bearer Tr1cky-word", seen[0])
        done = self.ctl("check", "try", *words, "token=Tr1cky-word")
        self.assertEqual(done.returncode, 64)
        self.assertNotIn("Tr1cky-word", done.stdout + done.stderr)

    def test_programs_and_looks_run_here(self):
        doc = self.attempt("exec", f"command={PLUGINS}/check_dummy 1 careful")
        self.assertEqual((doc["now"], doc["reason"]), ("warning", "program-warning"))
        self.assertIn("careful", doc["text"])
        doc = self.attempt("exec", f"command={PLUGINS}/check_nothing")
        self.assertEqual(doc["reason"], "program-failed")
        path = self.scratch.file("data", "12345")
        doc = self.attempt("file", f"path={path}")
        self.assertEqual(doc["reason"], "ok", doc["text"])
        doc = self.attempt("file", f"path={path}.none")
        self.assertEqual(doc["reason"], "file-missing")

    def test_a_program_that_hangs_is_ended(self):
        path = self.scratch.file("hang", "#!/bin/sh\nsleep 60 & echo $! > $0.pid; wait\n")
        os.chmod(path, 0o755)
        doc = self.attempt("exec", f"command={path}", "timeout=500ms")
        self.assertEqual(doc["reason"], "too-slow")
        with open(path + ".pid", encoding="ascii") as file:
            pid = int(file.read())
        wait_for(lambda: not alive(pid), 5, "the end of what it started", interval=0.05)

    def test_redis_and_a_probe_that_blocks(self):
        port = tcp_port()
        Server(self, ["redis-server", "--port", str(port), "--save", "", "--dir",
                      self.scratch.path], lambda: answers(port))
        doc = self.attempt("redis", "host=127.0.0.1", f"port={port}")
        self.assertEqual(doc["reason"], "ok", doc["text"])
        self.assertGreater(len(doc["metrics"]), 5)
        # mysql's library blocks: tend-work runs it. Redis speaks no MySQL.
        doc = self.attempt("mysql", "host=127.0.0.1", f"port={port}", "user=x", "timeout=2s")
        self.assertEqual(doc["reason"], "too-slow", doc)

    def test_probe_list_and_show(self):
        names = self.ctl("-o", "names", "probe", "list").stdout.split()
        self.assertEqual(names, sorted(os.path.splitext(name)[0] for name in os.listdir(
            os.path.join(BUILD, "plugins")) if name.endswith(".so")))
        for name in names:
            with self.subTest(name):
                done = self.ctl("probe", "show", name)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("Reasons\n", done.stdout)
                self.assertLessEqual(max(map(len, done.stdout.splitlines())), 160)
        doc = json.loads(self.ctl("-o", "json", "probe", "show", "tcp").stdout)
        self.assertTrue({row["name"]: row for row in doc["options"]}["host"]["required"])
        self.assertIn("connect-refused", {row["name"] for row in doc["reasons"]})
        done = self.ctl("probe", "show", "tpc")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the nearest is 'tcp'", done.stderr)

    def test_examples_are_configurations(self):
        """Each probe's example passes tendd -t."""
        for probe in json.loads(self.ctl("-o", "json", "probe", "list").stdout):
            with self.subTest(probe["name"]):
                self.assertTrue(probe["example"], "no example")
                body = (f"[daemon]\nlibexec_dir = {self.scratch.file('libexec')}\n"
                        f"lua_dir = {LUA}\n[system crm]\nenvironment = production\n[component crm/web]\n"
                        f"kind = web\n[check crm/web/x]\nprobe = {probe['name']}\n"
                        f"interval = 60s\n{probe['example']}\n")
                secret = self.scratch.file("s", "PASSWORD")
                os.chmod(secret, 0o600)
                body = re.sub(r"(file:/etc/tend/secrets/|cred:)\S+", f"file:{secret}", body)
                for name in ("crm/database", "crm/erp"):
                    body += (f"[component {name}]\nkind = database\n[database {name}]\n"
                             "service = postgres\nhostaddr = 127.0.0.1\ndbname = d\nuser = u\n"
                             f"password = file:{secret}\n")
                body = body.replace("[component crm/erp]", "[database crm/web]\nservice = postgres\n"
                                    "hostaddr = 127.0.0.1\ndbname = d\nuser = u\npassword = "
                                    f"file:{secret}\n[component crm/erp]")
                config = self.scratch.file("t.conf", body)
                done = subprocess.run(
                    [os.path.join(BUILD, "daemon/tendd"), "-t", config, "--plugin-dir",
                     os.path.join(BUILD, "plugins")], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + body)


if __name__ == "__main__":
    unittest.main()
