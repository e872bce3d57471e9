# SPDX-License-Identifier: MIT
"""The real tendd and a real postfix: what is raised and cleared arrives as mails of one thread, encrypted
and only with the right certificate; whatever postfix says instead is rightly in the ledger."""

import re
import socket
import threading
import unittest

from postfix import Postfix
from test_formats import Case

LOGIN = ("tend", "s3cret-of-tend")
PACE = "retry_min = 100ms\nretry_max = 300ms\nstorm_burst = 0\nrate_per_minute = 0\n"


class Mails(Case):
    def postfix(self, **how):
        postfix = Postfix(self.scratch, **how)
        self.addCleanup(postfix.close)
        return postfix

    def mail(self, postfix, to="ops@crm.example", more="", url=None, ca=True):
        return (f"[receiver ops]\ntype = smtp\nurl = {url or postfix.url()}\n"
                f"from = Tend <tend@crm.example>\nto = {to}\n"
                + (f"ca_file = {postfix.path}/ca.pem\n" if ca else "") + PACE + more + "\n")

    def log_in(self, password=LOGIN[1]):
        return f"user = {LOGIN[0]}\npassword = file:{self.secret('mail', password)}\n"

    def arrives(self, postfix, n):
        try:
            self.wait(lambda: len(postfix.mails()) >= n, 30, f"{n} mails")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{postfix.log()}") from None
        return postfix.mails()

    def tried(self, what, n=2, kind="incident.raised"):
        """Waits for so many tries that ended with such an error; the delivery."""
        def is_so():
            row = self.last("ops", kind)
            return row["tries"] >= n and re.search(what, row["last_error"] or "") and row
        return self.wait(is_so, 30, f"tries that end with '{what}', not {self.last('ops', kind)}")

    def delivered(self, kind="incident.raised"):
        def is_so():
            row = self.last("ops", kind)
            return row["state"] == "delivered" and row
        return self.wait(is_so, 30, f"{kind} to be delivered, not {self.last('ops', kind)}")


class Thread(Mails):
    def test_raised_and_cleared(self):
        """Over STARTTLS with a private CA, after a login."""
        postfix = self.postfix(login=LOGIN, tls="encrypt")
        postfix.start()
        self.start(self.mail(postfix, more=self.log_in()))
        self.break_pages()
        self.arrives(postfix, 1)
        self.heal()
        raised, cleared = self.arrives(postfix, 2)
        for kind in ("incident.raised", "incident.cleared"):
            row = self.delivered(kind)
            self.assertEqual((row["tries"], row["last_error"]), (1, None))
        # What it looks like.
        self.assertRegex(str(raised["Subject"]), r"^\[Critical\] crm/web0/page: ")
        self.assertRegex(str(cleared["Subject"]), r"^\[Resolved\] crm/web0/page")
        self.assertEqual(str(raised["From"]), "Tend <tend@crm.example>")
        self.assertEqual(str(raised["To"]), "ops@crm.example")
        self.assertEqual(raised["Auto-Submitted"], "auto-generated")
        self.assertEqual(raised["Importance"], "high")
        self.assertIsNone(cleared["Importance"])
        self.assertIn("with ESMTPSA", str(raised["Received"]))
        # One thread, and two mails.
        self.assertRegex(raised["References"], r"^<incident-[0-9a-f-]{36}\.ops@")
        self.assertEqual(raised["References"], cleared["References"])
        self.assertEqual(raised["References"], cleared["In-Reply-To"])
        ids = [row["notice"] for row in self.deliveries("ops")]
        for mail, notice in zip((raised, cleared), ids):
            self.assertTrue(mail["Message-ID"].startswith(f"<{notice}.ops@"), mail["Message-ID"])
        # Two parts that say the same.
        self.assertEqual(raised.get_content_type(), "multipart/alternative")
        plain, html = raised.iter_parts()
        self.assertEqual((plain.get_content_type(), html.get_content_type()),
                         ("text/plain", "text/html"))
        incident = raised["References"][10:46]
        for text in (plain.get_content(), html.get_content()):
            self.assertIn(f"tendctl incident acknowledge {incident}", text)
            self.assertIn("crm/web0", text)
        self.assertNotRegex(html.get_content(), r"(?i)src=|url\(|@import|<script|<link")
        self.assertEqual(raised.defects + plain.defects + html.defects, [])
        self.assertLessEqual(max(map(len, raised.raw.split(b"\n"))), 998)
        with open(self.log, encoding="utf-8") as log:
            self.assertNotIn(LOGIN[1], log.read())

    def test_implicit_tls(self):
        postfix = self.postfix(login=LOGIN)
        postfix.start()
        self.start(self.mail(postfix, url=f"smtps://127.0.0.1:{postfix.tls_port}",
                             more=self.log_in() + "language = zh\n"))
        self.break_pages()
        mail, = self.arrives(postfix, 1)
        self.assertRegex(str(mail["Subject"]), "^【严重】crm/web0/page:")
        self.assertIn("with ESMTPSA", str(mail["Received"]))
        self.assertIn("确认告警", mail.get_body(("plain",)).get_content())

    def test_in_the_clear(self):
        """By choice, to loopback."""
        postfix = self.postfix(tls="none")
        postfix.start()
        self.start(self.mail(postfix, more="tls = none\n", ca=False))
        self.break_pages()
        mail, = self.arrives(postfix, 1)
        self.assertNotIn("ESMTPS", str(mail["Received"]))

    def test_receiver_test(self):
        postfix = self.postfix()
        postfix.start()
        self.start(self.mail(postfix))
        said = self.ctl("receiver", "test", "ops")
        self.assertEqual(said["state"], "delivered", said)
        mail, = self.arrives(postfix, 1)
        self.assertIsNone(mail["References"])

    def test_group(self):
        """Thirty checks fail at once: one mail with all of them."""
        postfix = self.postfix()
        postfix.start()
        self.start(self.mail(postfix), "[route all]\nreceivers = ops\ngroup_by = system\n"
                   "group_wait = 3s\n", n_checks=30)
        self.break_pages(*(f"/page{i}" for i in range(30)))
        self.wait(lambda: sum(row["state"] == "delivered" for row in self.deliveries("ops")) == 30,
                  40, "thirty notices in mails")
        mails = self.arrives(postfix, 1)
        self.assertLess(len(mails), 5)
        self.assertTrue(any(mail["References"] and mail["References"].startswith("<group-")
                            for mail in mails))
        text = "".join(mail.get_body(("html",)).get_content() for mail in mails)
        for i in range(30):
            self.assertIn(f"crm/web{i}/page", text)


class Moods(Mails):
    def test_no_starttls(self):
        """Nothing is said in the clear, neither the password nor the mail."""
        postfix = self.postfix(tls="none")
        postfix.start()
        self.start(self.mail(postfix))
        self.break_pages()
        self.tried("no STARTTLS")
        self.assertEqual((postfix.asked, postfix.mails()), ([], []))
        postfix.tls = "may"
        postfix.start_again()
        self.delivered()
        self.assertIn("with ESMTPS", str(self.arrives(postfix, 1)[0]["Received"]))

    def test_certificate(self):
        """One that the system's authorities do not know."""
        postfix = self.postfix()
        postfix.start()
        self.start(self.mail(postfix, ca=False))
        self.break_pages()
        self.tried("(?i)certificate|SSL")
        self.assertEqual(postfix.asked, [])

    def test_wrong_password(self):
        postfix = self.postfix(login=(LOGIN[0], "another"))
        postfix.start()
        self.start(self.mail(postfix, more=self.log_in()))
        self.break_pages()
        row = self.tried("refuses the login of 'tend': 535 ")
        self.assertNotIn(LOGIN[1], str(row))
        postfix.login = LOGIN
        self.delivered()
        self.assertEqual(len(self.arrives(postfix, 1)), 1)

    def test_closed_port(self):
        postfix = self.postfix()
        self.start(self.mail(postfix))
        self.break_pages()
        self.tried("(?i)connect")
        postfix.start()
        self.delivered()
        self.assertEqual(len(self.arrives(postfix, 1)), 1)

    def test_greylisting(self):
        postfix = self.postfix()
        postfix.refusals["ops@crm.example"] = "450 4.7.1 Greylisted, come again"
        postfix.start()
        self.start(self.mail(postfix))
        self.break_pages()
        row = self.tried("refused for now: ops@crm.example: 450 4.7.1 .*Greylisted", 3)
        shown = self.ctl("delivery", "show", row["notice"])
        self.assertEqual({one["code"] for one in shown["attempts"]}, {450})
        postfix.refusals.clear()
        row = self.delivered()
        mail, = self.arrives(postfix, 1)
        self.assertTrue(mail["Message-ID"].startswith(f"<{row['notice']}.ops@"))

    def test_refused(self):
        """For good: the fallback tells."""
        postfix = self.postfix()
        postfix.refusals["ops@crm.example"] = "550 5.1.1 No such user here"
        postfix.start()
        spare = self.sink(limits=False)
        self.start(self.mail(postfix, more="fallback = spare\n")
                   + self.receiver("cloudevents", spare.url("cloudevents"), "spare"),
                   "[route all]\nreceivers = ops\n")
        self.break_pages()
        self.wait(lambda: spare.taken("cloudevents"), 30, "the fallback to be told")
        row = self.last("ops", "incident.raised")
        self.assertEqual((row["state"], row["tries"]), ("failed", 1))
        self.assertRegex(row["last_error"], "refused: ops@crm.example: 550 5.1.1 .*No such user")
        self.assertEqual(postfix.mails(), [])

    def test_partly_refused(self):
        """One has it, one never gets it, one gets it later: nobody gets it twice, and it is said who."""
        postfix = self.postfix()
        postfix.refusals.update({"gone@crm.example": "550 5.1.1 No such user here",
                                 "grey@crm.example": "450 4.7.1 Greylisted"})
        postfix.start()
        self.start(self.mail(postfix, "ops@crm.example, gone@crm.example, grey@crm.example"))
        self.break_pages()
        self.tried("others have it; refused for now: .*grey@crm.example: 450", 1)
        postfix.refusals.pop("grey@crm.example")
        row = self.delivered()
        self.assertIn("delivered, but not to: gone@crm.example: 550", row["last_error"])
        self.assertNotIn("grey", row["last_error"])
        mails = self.arrives(postfix, 2)
        self.assertEqual(sorted(str(mail["X-Original-To"] or mail["Delivered-To"]) for mail in mails),
                         ["grey@crm.example", "ops@crm.example"])
        self.assertEqual(len({mail["Message-ID"] for mail in mails}), 1)
        self.assertEqual(postfix.asked.count("ops@crm.example"), 1)

    def test_silent(self):
        """One that takes the connection and says nothing, nor does another at the end: tendd goes on."""
        postfix = self.postfix()
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        self.addCleanup(silent.close)
        self.start(self.mail(postfix, url=f"smtp://127.0.0.1:{silent.getsockname()[1]}",
                             more="timeout = 500ms\n"))
        self.break_pages()
        self.tried("(?i)time")

    def test_silent_at_the_end(self):
        """The answer to the final dot does not come: tendd's loop does not wait, and the mail goes again
        under the same id."""
        ids, stop = [], threading.Event()
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        self.addCleanup(server.close)
        self.addCleanup(stop.set)

        def serve(sock):
            with sock, sock.makefile("rb") as lines:
                sock.sendall(b"220 mx\r\n")
                in_mail = False
                for line in lines:
                    if in_mail:
                        if line.lower().startswith(b"message-id:"):
                            ids.append(line.strip())
                        if line == b".\r\n":
                            stop.wait(60)
                            return
                        continue
                    in_mail = line.startswith(b"DATA")
                    sock.sendall(b"354 go\r\n" if in_mail else b"250 fine\r\n")

        def accept():
            while not stop.is_set():
                try:
                    sock = server.accept()[0]
                except OSError:
                    return
                threading.Thread(target=serve, args=(sock,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        self.start(self.mail(None, url=f"smtp://127.0.0.1:{server.getsockname()[1]}", ca=False,
                             more="tls = none\ntimeout = 1500ms\n"))
        self.break_pages()
        self.tried("timeout: it is not known whether the mail was taken")
        self.assertEqual(len(set(ids)), 1)
        with open(self.log, encoding="utf-8") as log:
            self.assertNotRegex(log.read(), "held the loop")


if __name__ == "__main__":
    unittest.main()
