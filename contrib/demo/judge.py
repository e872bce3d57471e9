# SPDX-License-Identifier: MIT
"""The demo's judge: what the witnesses' logs say about each fault. Pure functions, no I/O.

Every figure comes from somebody who is not Tend: the webhook sink's log, snmptrapd's log, the log
of a client that logs in each second, and systemd's journal.
"""

import dataclasses

INTERVAL_SECONDS = 2.0
TIMEOUT_SECONDS = 1.0
SERVING_LIMIT_SECONDS = 60.0
RECEIVERS = ("webhook", "snmp")

WEB, DATABASE = "crm/web", "crm/database"
WEB_UNIT, PG_UNIT = "tryton-server.service", "postgresql@15-crm.service"


@dataclasses.dataclass(frozen=True)
class Kind:
    """What must be seen of one kind of fault."""

    letter: str
    text: str
    component: str
    checks: tuple       # any of these may be named as the one that saw it
    hangs: bool = False     # it shows by a timeout only: one timeout more to detect
    heals: bool = True
    unit: str = ""          # the unit that is started again, once; "" none


KINDS = {
    "kill": Kind("a", "trytond killed by KILL", WEB, ("login", "read", "unit"), unit=WEB_UNIT),
    "term": Kind("a", "trytond ended by TERM", WEB, ("login", "read", "unit"), unit=WEB_UNIT),
    "freeze": Kind("b", "trytond frozen by SIGSTOP", WEB, ("login", "read"), hangs=True,
                   unit=WEB_UNIT),
    "crash": Kind("c", "PostgreSQL's postmaster killed", DATABASE, ("login", "unit", "blocked"),
                  unit=PG_UNIT),
    "lock": Kind("d", "ir_session locked by an idle transaction", DATABASE, ("blocked",),
                 hangs=True),
    "stop": Kind("e", "trytond stopped by an operator", WEB, ("login", "read", "unit"),
                 heals=False),
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault as the driver made it. Times are Unix seconds; over is where the next one begins;
    restored is when the driver itself started trytond again (kind stop); mended: nobody healed it
    in time, so the driver did."""

    kind: str
    began: float
    over: float
    restored: float = None
    mended: bool = False


@dataclasses.dataclass(frozen=True)
class Notice:
    """One notice as a receiver saw it; what is raised, changed, cleared or another type."""

    time: float
    receiver: str
    id: str
    what: str
    incident: str = ""
    component: str = ""
    check: str = ""


@dataclasses.dataclass
class Finding:
    """What the witnesses saw of one fault; seconds are from its beginning, None: never."""

    kind: str
    began: float
    bit: bool = False
    detected_seconds: float = None
    detected: bool = False
    located_at: str = ""
    located: bool = False
    serving_seconds: float = None
    healed: bool = False
    left_alone: bool = False
    starts: dict = dataclasses.field(default_factory=dict)
    expected: int = 0
    notices: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Verdict:
    findings: list
    extra: list
    problems: list

    def count(self, field, heals=None):
        return sum(1 for one in self.findings if getattr(one, field)
                   and (heals is None or KINDS[one.kind].heals == heals))

    def of(self, heals=None):
        return sum(1 for one in self.findings if heals is None or KINDS[one.kind].heals == heals)

    def delivered(self):
        return sum(len(one.notices) for one in self.findings)

    def expected(self):
        return sum(one.expected for one in self.findings)

    def line(self):
        return (f"demo: {self.count('detected')}/{self.of()} detected, "
                f"{self.count('located')}/{self.of()} located, "
                f"{self.count('healed', True)}/{self.of(True)} healed, "
                f"{self.count('left_alone', False)}/{self.of(False)} left alone, "
                f"{self.delivered()}/{self.expected()} notices delivered")

    def passed(self):
        return (self.of() > 0 and self.count("detected") == self.of()
                and self.count("located") == self.of()
                and self.count("healed", True) == self.of(True)
                and self.count("left_alone", False) == self.of(False)
                and self.delivered() == self.expected() and not self.extra
                and not self.problems and not any(one.problems for one in self.findings))


def detect_limit(kind):
    """Two intervals and a second; a fault that hangs shows one timeout later."""
    return 2 * INTERVAL_SECONDS + 1.0 + (TIMEOUT_SECONDS if KINDS[kind].hangs else 0.0)


def first_of_each(notices):
    """A notice may come twice with one id: the first counts."""
    seen, kept = set(), []
    for one in sorted(notices, key=lambda notice: notice.time):
        if (one.receiver, one.id) not in seen:
            seen.add((one.receiver, one.id))
            kept.append(one)
    return kept


def judge(faults, notices, logins, starts, unverified=0):
    """The verdict.

    notices: of all receivers; logins: [(time, ok)] by the witness; starts: [(time, unit)] by the
    journal; unverified: how many requests the sink refused for their signature.
    """
    left = first_of_each(notices)
    findings = []
    for fault in faults:
        finding = Finding(fault.kind, fault.began)
        _tell(finding, fault, left)
        _serve(finding, fault, logins)
        _touch(finding, fault, starts)
        findings.append(finding)
    problems = [f"{unverified} requests at the sink without a right signature"] if unverified \
        else []
    first = min((fault.began for fault in faults), default=0)
    problems += [f"{unit} was started {first - when:.0f} s before the first fault"
                 for when, unit in starts if when < first]
    return Verdict(findings, left, problems)


def _within(fault, when):
    return fault.began <= when < fault.over


def _tell(finding, fault, left):
    """Detection, location and the pair of notices of each receiver; takes them out of left."""
    kind = KINDS[fault.kind]
    finding.expected = 2 * len(RECEIVERS)
    incident = None
    for receiver in RECEIVERS:
        mine = [one for one in left if one.receiver == receiver and _within(fault, one.time)]
        raised = next((one for one in mine if one.what == "raised"), None)
        if not raised:
            finding.problems.append(f"no raise at {receiver}")
            continue
        if incident is None:
            incident = raised.incident
        if raised.incident != incident:
            finding.problems.append(f"{receiver} was told of another incident")
            continue
        cleared = next((one for one in mine if one.what == "cleared"
                        and one.incident == incident and one.time >= raised.time), None)
        if not cleared:
            finding.problems.append(f"no clear at {receiver}")
        for one in (raised, cleared):
            if one:
                finding.notices.append(one)
                left.remove(one)
        if receiver == RECEIVERS[0]:
            _detect(finding, fault, kind, raised)


def _detect(finding, fault, kind, raised):
    limit = detect_limit(fault.kind)
    finding.detected_seconds = raised.time - fault.began
    finding.detected = finding.detected_seconds <= limit
    if not finding.detected:
        finding.problems.append(
            f"told after {finding.detected_seconds:.2f} s, at most {limit:g} s")
    finding.located_at = raised.check or raised.component
    finding.located = (raised.component == kind.component and raised.check in
                       [f"{kind.component}/{name}" for name in kind.checks])
    if not finding.located:
        finding.problems.append(f"located at {raised.component}, check {raised.check}, "
                                f"not at {kind.component}")


def _serve(finding, fault, logins):
    """Was nobody able to log in, and from when on could everybody again?"""
    inside = [(when, ok) for when, ok in logins if _within(fault, when)]
    failures = [when for when, ok in inside if not ok]
    finding.bit = bool(failures)
    if not failures:
        finding.problems.append("the witness could log in all the time: there was no fault")
        return
    after = [when for when, ok in inside if ok and when > failures[-1]]
    if after:
        finding.serving_seconds = after[0] - fault.began
    heals = KINDS[fault.kind].heals
    if heals and not after:
        finding.problems.append("nobody can log in any more")
    elif heals and finding.serving_seconds > SERVING_LIMIT_SECONDS:
        finding.problems.append(f"serving after {finding.serving_seconds:.0f} s only")
    if not heals:
        early = [when for when, ok in inside if ok and failures[0] < when < fault.restored]
        if early:
            finding.problems.append("somebody could log in before the operator started it")


def _touch(finding, fault, starts):
    """Which units were started, by the journal; then: healed, or left alone?"""
    kind = KINDS[fault.kind]
    for when, unit in starts:
        if _within(fault, when):
            finding.starts[unit] = finding.starts.get(unit, 0) + 1
    # Of the fault that is left alone, the driver's own start is the one that is expected.
    expected = {kind.unit: 1} if kind.unit else ({} if kind.heals else {WEB_UNIT: 1})
    right = finding.starts == expected
    if not right:
        finding.problems.append(f"starts of units: {finding.starts or 'none'}, "
                                f"expected {expected or 'none'}")
    if fault.mended:
        finding.problems.append("nobody healed it, the demo mended it itself")
    if kind.heals:
        finding.healed = (right and finding.bit and not fault.mended
                          and finding.serving_seconds is not None
                          and finding.serving_seconds <= SERVING_LIMIT_SECONDS)
    else:
        early = [unit for when, unit in starts if fault.began <= when < fault.restored]
        finding.problems += [f"{unit} was started before the operator did it"
                             for unit in early]
        finding.left_alone = right and finding.bit and not early


def as_data(verdict):
    """The verdict for --json."""
    return {
        "passed": verdict.passed(), "line": verdict.line(), "problems": verdict.problems,
        "extra": [dataclasses.asdict(one) for one in verdict.extra],
        "faults": [{**dataclasses.asdict(one), "text": KINDS[one.kind].text,
                    "detect_limit_seconds": detect_limit(one.kind)} for one in verdict.findings],
    }
