/* SPDX-License-Identifier: MIT */
#include "conf/rows.h"
#include <syslog.h>
#include "conf/conf.h"

const char *const conf_severity_names[SEVERITY_MAX + 1] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_CRITICAL] = "critical",
};
const char *const conf_policy_window_names[POLICY_WINDOW_MAX + 1] = {
	[POLICY_WINDOW_IGNORED] = "ignored",
	[POLICY_WINDOW_REQUIRED] = "required",
};
const char *const conf_mode_names[MODE_MAX + 1] = {
	[MODE_OBSERVE] = "observe",
	[MODE_SUGGEST] = "suggest",
	[MODE_APPROVE] = "approve",
	[MODE_AUTO] = "auto",
};
const char *const conf_environment_names[ENVIRONMENT_MAX + 1] = {
	[ENVIRONMENT_PRODUCTION] = "production",
	[ENVIRONMENT_PILOT] = "pilot",
	[ENVIRONMENT_STAGING] = "staging",
};
const char *const conf_component_kinds[] = {"web", "app", "scheduler", "database", "cache", "mail",
	"storage", "integration", "host", NULL};
const char *const conf_language_names[LANGUAGE_MAX + 1] = {
	[LANGUAGE_EN] = "en",
	[LANGUAGE_ZH] = "zh",
};
const char *const conf_sign_names[SIGN_MAX + 1] = {
	[SIGN_NONE] = "none",
	[SIGN_STANDARD] = "standard",
	[SIGN_BEARER] = "bearer",
	[SIGN_DINGTALK] = "dingtalk",
	[SIGN_FEISHU] = "feishu",
	[SIGN_HMAC_SHA256] = "hmac-sha256",
};
const char *const conf_receiver_type_names[RECEIVER_TYPE_MAX + 1] = {
	[RECEIVER_WEBHOOK] = "webhook",
	[RECEIVER_SNMP] = "snmp",
	[RECEIVER_SMTP] = "smtp",
	[RECEIVER_EXEC] = "exec",
};
const char *const conf_tls_names[] = {"starttls", "implicit", "none", NULL};
const char *const conf_snmp_version_names[] = {"3", "2c", "1", NULL};
const char *const conf_snmp_notify_names[] = {"inform", "trap", NULL};
const char *const conf_auth_protocol_names[] = {"SHA-256", "SHA-512", "SHA-384", NULL};
const char *const conf_priv_protocol_names[] = {
	"AES", "AES-128", "AES-192", "AES-256", "AES-192-C", "AES-256-C", NULL};
const char *const conf_window_checks_names[] = {"run", "pause", NULL};
const char *const conf_window_alerts_names[] = {"tell", "quiet", NULL};
const char *const conf_window_actions_names[] = {"normal", "allow", NULL};
const char *const conf_log_level_names[] = {"error", "warning", "notice", "info", "debug", NULL};

int conf_log_level(const struct conf_daemon *daemon)
{
	return LOG_ERR + daemon->log_level; /* the names follow syslog's order */
}

#define DAEMON(kind, member, ...)    TEND_OPT(kind, struct conf_daemon, member, __VA_ARGS__)
#define SYSTEM(kind, member, ...)    TEND_OPT(kind, struct conf_system, member, __VA_ARGS__)
#define COMPONENT(kind, member, ...) TEND_OPT(kind, struct conf_component, member, __VA_ARGS__)
#define HOST(kind, member, ...)	     TEND_OPT(kind, struct conf_host, member, __VA_ARGS__)
#define DATABASE(kind, member, ...)  TEND_OPT(kind, struct conf_database, member, __VA_ARGS__)
#define CHECK(kind, member, ...)     TEND_OPT(kind, struct conf_check, member, __VA_ARGS__)
#define RECEIVER(kind, member, ...)  TEND_OPT(kind, struct conf_receiver, member, __VA_ARGS__)
#define ROUTE(kind, member, ...)     TEND_OPT(kind, struct conf_route, member, __VA_ARGS__)
#define POLICY(kind, member, ...)    TEND_OPT(kind, struct conf_policy, member, __VA_ARGS__)
#define WINDOW(kind, member, ...)    TEND_OPT(kind, struct conf_window, member, __VA_ARGS__)
#define ROTA(kind, member, ...)	     TEND_OPT(kind, struct conf_rota, member, __VA_ARGS__)
#define SOURCE(kind, member, ...)    TEND_OPT(kind, struct conf_source, member, __VA_ARGS__)
#define INHIBIT(kind, member, ...)   TEND_OPT(kind, struct conf_inhibit, member, __VA_ARGS__)
#define LABELS_HELP                                                                                \
	"A label of its notices, as in `label.team = crm': routes and silences match it. That of " \
	"a check goes before that of its component, that before that of its system. What an "      \
	"event was pushed with (/v1/events) comes after them, as exported_NAME where there is "    \
	"such a label already."

#define SECONDS(n) ((double)(n)*USEC_PER_SEC)
#define DAY	   SECONDS(86400)

const struct tend_option conf_daemon_rows[] = {
	DAEMON(STRING, state_dir, "state_dir", "/var/lib/tend",
		"Folder of the databases and of what must outlive the daemon."),
	DAEMON(STRING, run_dir, "run_dir", "/run/tend", "Folder of the sockets."),
	DAEMON(STRING, socket, "socket", NULL,
		"Path of the API's unix socket. By default tend.sock in run_dir."),
	DAEMON(STRING, plugin_dir, "plugin_dir", TEND_PLUGINDIR, "Folder of the plugins, NAME.so."),
	DAEMON(STRING, libexec_dir, "libexec_dir", TEND_LIBEXECDIR,
		"Folder of the helper programs tend-run, tend-work, tend-snmp and tend-agentx."),
	DAEMON(STRING, lua_dir, "lua_dir", TEND_DATADIR "/lua",
		"Folder of the policy library and the shipped policies."),
	DAEMON(LIST, policy_dirs, "policy_dirs", NULL,
		"Further folders of policies, *.lua files; absolute paths."),
	DAEMON(STRING, exec_socket, "exec_socket", "/run/tend-exec/exec.sock",
		"Socket of tend-exec, which starts and stops units and runs commands."),
	DAEMON(STRING, fence_lock, "fence_lock", NULL,
		"With several daemons for the same systems: the lock whose holder alone may act. "
		"Its "
		"fencing token goes with every action, and executors refuse an old one."),
	DAEMON(STRING, fence_token_file, "fence_token_file", NULL,
		"The file that has the token, a whole number on one line, while the lock is held "
		"here; written by whoever grants the lock. Without it nothing is done."),
	DAEMON(STRING, spawn_socket, "spawn_socket", "/run/tend-spawn/spawn.sock",
		"Socket of tend-spawn, which runs the foreign programs of exec checks."),
	DAEMON(INT, work_slots, "work_slots", "8",
		"Probes whose client libraries block (mysql, ldap) that are at work at a time, "
		"each in a process of its own. One plugin, and one component, gets at most a "
		"quarter of them; the others wait.",
		.min = 1, .max = 256),
	DAEMON(STRING, http_listen, "http_listen", NULL,
		"ADDRESS:PORT on loopback for /metrics, /healthz and the API, as in 127.0.0.1:9273 "
		"or [::1]:9273. Not set: no TCP port at all."),
	DAEMON(SECRET, http_token, "http_token", NULL,
		"Bearer token of the API on http_listen; without one it serves only /metrics and "
		"/healthz."),
	DAEMON(LIST, allow_addresses, "allow_addresses", NULL,
		"Addresses and nets, as in 10.0.0.0/8, that names of webhooks may lead to although "
		"they are no public ones. [receiver] allow has the same for one."),
	DAEMON(LIST, admins, "admins", NULL,
		"Users, or @groups, who may do everything; root always may."),
	DAEMON(LIST, operators, "operators", NULL,
		"Users, or @groups, who may acknowledge incidents, run checks and policies, and "
		"pause actions."),
	DAEMON(LIST, viewers, "viewers", "@tend", "Users, or @groups, who may read."),
	DAEMON(ENUM, log_level, "log_level", "info",
		"Lines that are less important are not logged.", .names = conf_log_level_names),
	DAEMON(BOOL, actions, "actions", "yes",
		"The switch over all actions: with no, nothing that Tend watches is ever changed."),
	DAEMON(ENUM, mode[ENVIRONMENT_PRODUCTION], "mode.production", "suggest",
		"What policies may do in systems of the environment production: log what they "
		"would do (observe), put it on the incident (suggest), do it once a person has "
		"approved it (approve), or do it (auto).",
		.names = conf_mode_names),
	DAEMON(ENUM, mode[ENVIRONMENT_PILOT], "mode.pilot", "auto",
		"The same for the environment pilot.", .names = conf_mode_names),
	DAEMON(ENUM, mode[ENVIRONMENT_STAGING], "mode.staging", "auto",
		"The same for the environment staging.", .names = conf_mode_names),
	DAEMON(INT, budget_per_target, "budget_per_target", "3",
		"Actions on one target in an hour; further ones are refused and told.", .min = 1,
		.max = 1000),
	DAEMON(INT, budget_global, "budget_global", "20", "Actions in an hour on all targets.",
		.min = 1, .max = 10000),
	DAEMON(INT, budget_maintenance, "budget_maintenance", "200",
		"Actions in an hour of all policies together that declare a budget of their own, "
		"as "
		"those for maintenance do; what they do for an incident is none of these.",
		.min = 1, .max = 100000),
	DAEMON(INT, budget_per_group, "budget_per_group", NULL,
		"Actions in an hour on the components that hang together by their dependencies; by "
		"default three times budget_per_target.",
		.min = 1, .max = 10000),
	DAEMON(USEC, cooldown, "cooldown", "30s",
		"A policy waits so long after a run on a target before the next one there, and "
		"twice as "
		"long after each further one, at most an hour; 0 is no wait.",
		.min = 0, .max = SECONDS(3600)),
	DAEMON(USEC, cooldown_stable, "cooldown_stable", "10m",
		"After so long without a run on the target the wait begins at `cooldown' again.",
		.min = 0, .max = DAY),
	DAEMON(INT, common_cause_share, "common_cause_share", "50",
		"When more than this percentage of the components that hang together begin to fail "
		"at "
		"about the same time, a common cause is suspected: people are told, nothing is "
		"done.",
		.min = 1, .max = 100),
	DAEMON(INT, common_cause_min, "common_cause_min", "3",
		"A common cause needs at least so many failing components.", .min = 2,
		.max = 10000),
	DAEMON(USEC, common_cause_within, "common_cause_within", "5m",
		"What `about the same time' is for common_cause_share.", .min = SECONDS(1),
		.max = DAY),
	DAEMON(USEC, worse_within, "worse_within", "2m",
		"A component of the same dependency group that was well before an action and fails "
		"within this time after it was harmed by it: the run is stopped, what can be "
		"undone "
		"is, and people are told. 0: nothing is watched.",
		.min = 0, .max = SECONDS(3600)),
	DAEMON(USEC, approval_expires, "approval_expires", "1h",
		"A step that waits for approval is refused after this time.", .min = SECONDS(1),
		.max = DAY),
	DAEMON(LIST, approvers, "approvers", NULL,
		"Users, or @groups, who may approve steps; they need the role operator, too. By "
		"default every operator and admin may."),
	DAEMON(BOOL, hold_on_dpkg, "hold_on_dpkg", "yes",
		"Actions are held while somebody else than Tend installs packages (dpkg's lock is "
		"held) on the host where they would be done."),
	DAEMON(LIST, hold_on_login, "hold_on_login", NULL,
		"Actions are held while one of these users, or of these @groups, is logged in on "
		"the host where they would be done; by default nobody's login holds them."),
	DAEMON(STRING, agentx_socket, "agentx_socket", NULL,
		"AgentX socket of the SNMP master agent, as in /run/agentx/master or "
		"tcp:127.0.0.1:705. Not set: no TEND-MIB."),
	DAEMON(USEC, agentx_ping, "agentx_ping", "5s",
		"How often the connection to the SNMP master agent is tested; a lost one is tried "
		"again every second.",
		.min = SECONDS(1), .max = SECONDS(300)),
	DAEMON(INT, agentx_log_rows, "agentx_log_rows", "1000",
		"How many notices for each SNMP receiver TEND-MIB's log shows at most; 0: none.",
		.max = 10000),
	DAEMON(USEC, agentx_log_age, "agentx_log_age", "24h",
		"How old a notice in TEND-MIB's log gets.", .min = SECONDS(60),
		.max = SECONDS(30 * 86400)),
	DAEMON(USEC, feedback_ttl, "feedback_ttl", "4h",
		"What users report of a component is over when nobody has closed it and no other "
		"report has come for so long.",
		.min = SECONDS(1), .max = 30 * DAY),
	DAEMON(INT, inbound_rate_per_minute, "inbound_rate_per_minute", "600",
		"So often a minute /v1/events of one source, heartbeats with one token and reports "
		"for one check are taken, a tenth of it (10 at least) at once; more is answered "
		"429 with "
		"Retry-After.",
		.min = 1, .max = 60000),
	DAEMON(USEC, keep_notices, "keep_notices", "30d",
		"So long a notice is kept that was delivered and whose incident is over.",
		.min = DAY, .max = 3660 * DAY),
	DAEMON(USEC, keep_history, "keep_history", "90d",
		"So long incidents, runs, actions and approvals are kept after their end.",
		.min = DAY, .max = 3660 * DAY),
	DAEMON(USEC, keep_minutes, "keep_minutes", "14d",
		"So long the history of metrics has every minute. At most 256 metrics of a check "
		"have one, instances counted, and 200000 in all.",
		.min = 2 * DAY, .max = 3660 * DAY),
	DAEMON(USEC, keep_hours, "keep_hours", "400d",
		"So long the history of metrics has every hour.", .min = 2 * DAY,
		.max = 3660 * DAY),
	DAEMON(USEC, keep_records, "keep_records", "400d",
		"So long the records of policies are kept. Of backups, findings and exceptions the "
		"newest 100 stay, and what still holds; baselines stay until a policy removes "
		"them.",
		.min = DAY, .max = 3660 * DAY),
	DAEMON(INT, keep_records_max, "keep_records_max", "10000",
		"Of one kind of records the newest so many of a component stay, whatever their "
		"age; what is evidence (see keep_records) is not counted.",
		.min = 100, .max = 100000),
	TEND_OPTION_END,
};

const struct tend_option conf_system_rows[] = {
	SYSTEM(ENUM, environment, "environment", "production",
		"What kind of installation this is; decides the mode of policies.",
		.names = conf_environment_names),
	SYSTEM(STRING, doc, "doc", NULL, "A sentence for people."),
	SYSTEM(STRING, owner, "owner", NULL, "Who answers for it; shown with incidents."),
	SYSTEM(MAP, labels, "label", NULL, LABELS_HELP),
	TEND_OPTION_END,
};

const struct tend_option conf_component_rows[] = {
	COMPONENT(ENUM, kind, "kind", "app", "What kind of part this is.",
		.names = conf_component_kinds),
	COMPONENT(STRING, doc, "doc", NULL, "A sentence for people."),
	COMPONENT(MAP, labels, "label", NULL, LABELS_HELP),
	COMPONENT(STRING, unit, "unit", NULL,
		"The systemd unit that runs it, as in postgresql@15-main.service; policies act on "
		"it."),
	COMPONENT(STRING, host_name, "host", NULL,
		"The [host NAME] on which it runs; by default the one tendd runs on. Policies act "
		"there."),
	COMPONENT(LIST, depends, "depends", NULL,
		"Components that must work for this one to work: COMPONENT of the same system, or "
		"SYSTEM/COMPONENT."),
	COMPONENT(STRING, needs_text, "needs", NULL,
		"Makes it a group: N of COMPONENT, COMPONENT, ... It is down while fewer than N of "
		"these are well, and well else; its check SYSTEM/COMPONENT/group says so. What "
		"needs only that enough of them are well depends on the group."),
	TEND_OPTION_END,
};

const struct tend_option conf_host_rows[] = {
	HOST(STRING, address, "address", NULL, "Its name or address.",
		.flags = TEND_OPTION_REQUIRED),
	HOST(STRING, user, "user", "tend-remote",
		"The user there whose key is bound to `tend-exec --stdio'."),
	HOST(INT, port, "port", "22", "The port of its sshd.", .min = 1, .max = 65535),
	HOST(STRING, identity_file, "identity_file", NULL,
		"File of our private key, readable by tendd alone; absolute path.",
		.flags = TEND_OPTION_REQUIRED),
	HOST(STRING, spawn_identity_file, "spawn_identity_file", NULL,
		"File of the private key whose forced command there is `tend-spawn --stdio'; "
		"without one exec checks of its components are not run."),
	HOST(STRING, known_hosts, "known_hosts", "/etc/tend/known_hosts",
		"File of the host keys that are trusted, as in sshd(8); one that is not there is "
		"refused."),
	TEND_OPTION_END,
};

const struct tend_option conf_database_rows[] = {
	DATABASE(STRING, service_name, "service", NULL,
		"The plugin that speaks to the database, as in postgres.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPTION_END,
};

const struct tend_option conf_check_rows[] = {
	CHECK(STRING, probe_name, "probe", NULL, "The plugin that does the check.",
		.flags = TEND_OPTION_REQUIRED),
	CHECK(STRING, doc, "doc", NULL, "A sentence for people; shown with incidents."),
	CHECK(USEC, interval, "interval", "60s", "Time from one start to the next.", .min = 100000,
		.max = 31 * DAY),
	CHECK(USEC, timeout, "timeout", "10s",
		"The attempt is ended after this time, as too slow. Not longer than the interval, "
		"and by default at most that.",
		.min = 1000, .max = DAY),
	CHECK(USEC, retry_interval, "retry_interval", NULL,
		"The interval while a failure or a recovery is not confirmed yet; by default the "
		"interval.",
		.min = 100000, .max = 31 * DAY),
	CHECK(STRING, confirm, "confirm", "2 of 3",
		"N of M: a failure is believed when N of the last M results failed; M is at most "
		"64. `1 of 1' believes the first."),
	CHECK(INT, confirm_recoveries, "confirm_recoveries", "1",
		"Good results in a row that end a failure.", .min = 1, .max = 64),
	CHECK(ENUM, severity, "severity", NULL,
		"Severity of its incidents, whatever the state; by default the state decides: "
		"critical, else warning.",
		.names = conf_severity_names),
	CHECK(BOOL, notify, "notify", "yes",
		"With no, its incidents are kept and shown, not sent."),
	CHECK(MAP, labels, "label", NULL, LABELS_HELP),
	CHECK(MAP, thresholds_warning, "warning", NULL,
		"Range of a metric by its name, as in `warning.total_seconds = 0.5'; a value "
		"outside makes the result a warning."),
	CHECK(MAP, thresholds_critical, "critical", NULL,
		"The same for critical. A range is [@]START:END: `10' alerts outside 0..10, `10:' "
		"below 10, `~:10' above 10, `10:20' outside, `@10:20' inside."),
	CHECK(MAP, thresholds_clear, "clear", NULL,
		"Once a metric has alerted it is well again only in this range, as in "
		"`clear.total_seconds = 0.3': a value at the edge of the threshold does not tell "
		"again and again."),
	CHECK(MAP, baselines, "baseline", NULL,
		"A metric that is far from what it usually is in this hour of the week makes the "
		"result a warning (reason off-baseline): `baseline.total_seconds = 4 above 0.5' is "
		"more than 4 deviations above its median, and by at least 0.5; `below', or "
		"neither for both. What is usual comes from keep_minutes, after a week."),
	CHECK(MAP, forecasts, "forecast", NULL,
		"A metric whose trend leads out of a range within a span makes the result a "
		"warning "
		"(reason forecast), as in `forecast.used_percent = 95 within 7d'. The trend is "
		"that "
		"of the last seven days, after one."),
	CHECK(INT, flap_high, "flap_high", "30",
		"When so many percent of the last 20 results were changes of the state (newer ones "
		"count more), the check is flapping: that is told once, and the changes are not, "
		"until it ends. 0: flapping is not looked for.",
		.min = 0, .max = 100),
	CHECK(INT, flap_low, "flap_low", "25",
		"Below so many percent flapping has ended, and the state is told as it is then.",
		.min = 0, .max = 100),
	CHECK(SECRET, report_token, "report_token", NULL,
		"probe = passive: whoever has it as a bearer token can give the check its result "
		"by "
		"POST /v1/checks/NAME/report; without one only operators can. Several checks may "
		"have the same. At least 16 letters, digits and -_=.~+/. With it `confirm' is 1 of "
		"1 by default."),
	CHECK(SECRET, heartbeat_token, "heartbeat_token", NULL,
		"probe = passive: makes it the heartbeat of an outside job, that says start, ok "
		"or fail by POST (or GET) /v1/heartbeats/TOKEN[/start|/ok|/fail]. At least 16 "
		"letters, digits and -_=.~+; whoever has it can report. With it `confirm' is "
		"1 of 1 by default."),
	CHECK(USEC, every, "every", NULL, "Heartbeat: the longest time between two reports.",
		.min = SECONDS(1), .max = 400 * DAY),
	CHECK(STRING, cron_text, "cron", NULL,
		"Heartbeat: instead of `every', when the job runs: minute hour day month weekday "
		"as "
		"in cron(5), or @daily and the like."),
	CHECK(STRING, timezone, "timezone", NULL,
		"Heartbeat: of cron, a name of the IANA, as in Europe/Berlin; UTC by default."),
	CHECK(USEC, grace, "grace", NULL,
		"Heartbeat: so much later than expected is not late yet; by default 15m.", .min = 0,
		.max = 31 * DAY),
	CHECK(USEC, max_runtime, "max_runtime", NULL,
		"Heartbeat: a job that has said start and neither ok nor fail for so long is "
		"stuck; "
		"by default when the next report would be late.",
		.min = SECONDS(1), .max = 31 * DAY),
	TEND_OPTION_END,
};

const struct tend_option conf_receiver_rows[] = {
	RECEIVER(ENUM, type, "type", NULL, "How notices get there.",
		.names = conf_receiver_type_names, .flags = TEND_OPTION_REQUIRED),
	RECEIVER(ENUM, min_severity, "min_severity", "info", "Less severe notices are not sent.",
		.names = conf_severity_names),
	RECEIVER(USEC, timeout, "timeout", "10s", "A try is given up after this time.",
		.min = 100000, .max = SECONDS(300)),
	RECEIVER(USEC, retry_min, "retry_min", "1s",
		"Wait after the first try that failed; doubles with each, with jitter.",
		.min = 10000, .max = SECONDS(3600)),
	RECEIVER(USEC, retry_max, "retry_max", "5m", "The longest wait between two tries.",
		.min = 10000, .max = DAY),
	RECEIVER(USEC, ttl, "ttl", "3d",
		"A notice that could not be delivered for so long is given up, told, and goes to "
		"the fallback.",
		.min = SECONDS(1), .max = 365 * DAY),
	RECEIVER(USEC, ttl_of[SEVERITY_CRITICAL], "ttl.critical", NULL,
		"The same for critical notices; by default ttl.", .min = SECONDS(1),
		.max = 365 * DAY),
	RECEIVER(USEC, ttl_of[SEVERITY_WARNING], "ttl.warning", NULL,
		"The same for warnings; by default ttl.", .min = SECONDS(1), .max = 365 * DAY),
	RECEIVER(USEC, ttl_of[SEVERITY_INFO], "ttl.info", NULL,
		"The same for what is only information; by default ttl.", .min = SECONDS(1),
		.max = 365 * DAY),
	RECEIVER(INT, rate_per_minute, "rate_per_minute", "-1",
		"At most so many requests a minute; 0 is no limit; -1 is what the format or the "
		"type of the receiver wants: 600, for snmp 6000, for smtp and exec 60.",
		.min = -1, .max = 1000000),
	RECEIVER(INT, drain_rate_per_minute, "drain_rate_per_minute", "0",
		"After an outage, what waited goes with at most so many requests a minute; what is "
		"new goes before it. 0: only rate_per_minute limits it.",
		.min = 0, .max = 1000000),
	RECEIVER(INT, outbox_rows, "outbox_rows", "20000",
		"At most so many notices wait; beyond that the least severe, of these the oldest, "
		"are given up: to the fallback, while that is not half full. The other receivers "
		"are told.",
		.min = 100, .max = 1000000),
	RECEIVER(BYTES, outbox_bytes, "outbox_bytes", "64M", "The same by the size of what waits.",
		.min = 1 << 20, .max = 4.0 * (1u << 30)),
	RECEIVER(INT, storm_burst, "storm_burst", "10",
		"The storm guard, for notices that no route groups: so many go at once and alone "
		"in "
		"storm_interval, what comes then is gathered into one request. 0 turns it off.",
		.min = 0, .max = 10000),
	RECEIVER(USEC, storm_wait, "storm_wait", "1s",
		"The first request of what has gathered goes so long after the storm began.",
		.min = 0, .max = SECONDS(3600)),
	RECEIVER(USEC, storm_interval, "storm_interval", "30s",
		"While notices storm, one request of all that has gathered so often.",
		.min = 100000, .max = SECONDS(3600)),
	RECEIVER(USEC, heartbeat, "heartbeat", NULL,
		"webhook, snmp: a notice that Tend lives and how it does, so often, for a watcher "
		"outside that alarms when it stays away. By default none.",
		.min = SECONDS(1), .max = DAY),
	RECEIVER(STRING, fallback, "fallback", NULL,
		"The receiver that gets what could not be delivered here."),
	RECEIVER(ENUM, language, "language", "en",
		"Language of titles and texts: en or zh. CloudEvents and SNMP have none.",
		.names = conf_language_names),
	RECEIVER(STRING, url, "url", NULL,
		"webhook: where notices are posted, https://, or http:// to loopback, to what "
		"`allow' lists, or with `insecure = yes'. What is behind the host may be a secret "
		"and is not shown. `{token}' in it stands for the value of token. smtp: the mail "
		"server, smtp://HOST:PORT (587 by default) or smtps://HOST:PORT (465).",
		.flags = TEND_OPTION_PRIVATE_URL),
	RECEIVER(SECRET, token, "token", NULL,
		"webhook: a secret part of the url, where this says {token}, as the key of a "
		"group's robot."),
	RECEIVER(STRING, format, "format", NULL,
		"webhook: what is posted: cloudevents, the default, built in and signed as "
		"Standard Webhooks; the name of a shipped format (`tendctl format list'); or the "
		"absolute path of a Lua file of one's own."),
	RECEIVER(MAP, format_options, "option", NULL,
		"webhook: an option of the format, as in `option.mention = all'."),
	RECEIVER(SECRET, secret, "secret", NULL,
		"webhook: key of the signature; for Standard Webhooks whsec_ and base64, else what "
		"the receiver's maker gave. Formats have uses of their own, as PagerDuty's routing "
		"key."),
	RECEIVER(SECRET, secret_old, "secret_old", NULL,
		"webhook: the key before, signed with as well while keys are changed; of Standard "
		"Webhooks only."),
	RECEIVER(ENUM, sign, "sign", NULL,
		"webhook: how requests are signed with `secret': none, standard (Standard "
		"Webhooks), bearer (Authorization: Bearer), hmac-sha256 (X-Hub-Signature-256), "
		"dingtalk, feishu; by default as the format says.",
		.names = conf_sign_names),
	RECEIVER(LIST, allow, "allow", NULL,
		"webhook, smtp: addresses and nets, as in 10.0.0.0/8, that the host's name may "
		"lead to "
		"although they are no public ones; those of allow_addresses are allowed as well. "
		"An address that stands in the url needs no listing."),
	RECEIVER(BOOL, insecure, "insecure", "no",
		"webhook: with yes, http:// may go anywhere; smtp: the same with tls = none: "
		"whoever is on the way can read and change it."),
	RECEIVER(STRING, ca_file, "ca_file", NULL,
		"webhook, smtp: file of the certificate authorities to trust, PEM; by default the "
		"system's."),
	RECEIVER(STRING, cert_file, "cert_file", NULL,
		"webhook, smtp: file of a client certificate to show, PEM."),
	RECEIVER(STRING, key_file, "key_file", NULL,
		"webhook, smtp: file of its key, PEM; by default it is in cert_file as well."),
	RECEIVER(STRING, host, "host", NULL,
		"snmp: ADDRESS or ADDRESS:PORT of the manager, as in 192.0.2.7:162 or "
		"[2001:db8::7]; no name; the port is 162 by default."),
	RECEIVER(ENUM, snmp_notify, "notify", NULL,
		"snmp: inform, the default: each is sent until the manager acknowledges it; or "
		"trap, for managers that know no informs: sent once, and lost if it is lost.",
		.names = conf_snmp_notify_names),
	RECEIVER(ENUM, snmp_version, "version", NULL,
		"snmp: 3, the default (authenticated and encrypted); in the clear, for managers "
		"that know no better: 2c, or, for traps only, 1.",
		.names = conf_snmp_version_names),
	RECEIVER(STRING, user, "user", NULL,
		"snmp 3: the user (USM security name). smtp: who logs in."),
	RECEIVER(ENUM, auth_protocol, "auth_protocol", NULL,
		"snmp 3: authentication; by default SHA-256. MD5, SHA-1 and SHA-224 are not "
		"served.",
		.names = conf_auth_protocol_names),
	RECEIVER(SECRET, auth_password, "auth_password", NULL,
		"snmp 3: password of the authentication, at least 8 characters."),
	RECEIVER(ENUM, priv_protocol, "priv_protocol", NULL,
		"snmp 3: encryption; by default AES, which is AES-128. The longer ones are no "
		"standard: managers that lengthen keys as Cisco does want those with -C. DES is "
		"not served.",
		.names = conf_priv_protocol_names),
	RECEIVER(SECRET, priv_password, "priv_password", NULL,
		"snmp 3: password of the encryption, at least 8 characters."),
	RECEIVER(SECRET, community, "community", NULL, "snmp 2c and 1: the community."),
	RECEIVER(ENUM, tls, "tls", NULL,
		"smtp: starttls, the default of smtp://: nothing is said before the connection is "
		"encrypted; implicit, the default of smtps://; none: in the clear, only to "
		"loopback or with `insecure = yes'.",
		.names = conf_tls_names),
	RECEIVER(SECRET, password, "password", NULL,
		"smtp: password of `user'; without both nobody logs in."),
	RECEIVER(STRING, from, "from", NULL,
		"smtp: whom mails are from, as in tend@crm.example or Tend <tend@crm.example>."),
	RECEIVER(LIST, to, "to", NULL,
		"smtp: who gets the mails, all the same one, as in ops@crm.example or Ops "
		"<ops@crm.example>; at most 50."),
	RECEIVER(STRING, command, "command", NULL,
		"exec: which program is run by tend-spawn for each notice: NAME of [command NAME] "
		"in /etc/tend/spawn.conf. It reads the notice as JSON from its standard input; 0 "
		"is delivered, 75 is to be tried again, another exit status failed."),
	RECEIVER(MAP, args, "arg", NULL,
		"exec: a parameter of the command, as in `arg.queue = ops'; spawn.conf says which "
		"there are and of what type."),
	TEND_OPTION_END,
};

const struct tend_option conf_route_rows[] = {
	ROUTE(LIST, receivers, "receivers", NULL,
		"Who gets the notices: names of receivers, or rota:NAME for who is on call in "
		"[rota NAME].",
		.flags = TEND_OPTION_REQUIRED),
	ROUTE(STRING, match_text, "match", NULL,
		"Only notices whose labels fit all of these: NAME=VALUE, NAME!=VALUE, "
		"NAME=~REGEX, NAME!~REGEX, separated by commas. Labels are system, environment, "
		"component, kind, check, severity, state, reason, class, host, source and those "
		"of label.NAME; one that is not there is empty."),
	ROUTE(LIST, match_component, "match_component", NULL,
		"Only notices of these components, SYSTEM/COMPONENT with * and ?; by default all."),
	ROUTE(ENUM, min_severity, "min_severity", "info", "Only notices at least so severe.",
		.names = conf_severity_names),
	ROUTE(LIST, classes, "class", NULL,
		"Only faults of these classes: hardware, software, business, security."),
	ROUTE(LIST, environments, "environment", NULL,
		"Only notices of systems of these environments."),
	ROUTE(STRING, times_text, "times", NULL,
		"Only at these times of the week, as in `mon-fri 08:00-18:00, sat 10:00-12:00'; "
		"at other times the route is passed over. An incident that is still open when "
		"they begin, and that nobody has acknowledged, is told then."),
	ROUTE(STRING, timezone, "timezone", "UTC",
		"Of times and digest: a name of the IANA, as in Europe/Berlin."),
	ROUTE(BOOL, go_on, "continue", "no",
		"With yes, the routes after this one are looked at as well."),
	ROUTE(LIST, group_by, "group_by", NULL,
		"Notices with the same values of these labels go out together, in one request. "
		"Without it notices go at once, and a storm of them is gathered (storm_burst of "
		"the receiver)."),
	ROUTE(USEC, group_wait, "group_wait", "10s",
		"How long the first notice of a group waits for more.", .min = 0, .max = DAY),
	ROUTE(USEC, group_interval, "group_interval", "5m",
		"How long after it was told of a group the receiver is told of more of it.",
		.min = 0, .max = DAY),
	ROUTE(USEC, remind, "remind", "0",
		"Who was told is reminded so often, as long as the incident is open and nobody "
		"has acknowledged it; 0 = never. SNMP managers are not reminded.",
		.min = 0, .max = 366 * DAY),
	ROUTE(INT, remind_max, "remind_max", "3", "So many reminders, then no more.", .min = 1,
		.max = 1000),
	ROUTE(STRING, digest_text, "digest", NULL,
		"What is less severe than digest_below is collected and told in one go at these "
		"times, as in `daily 08:00' or `mon-fri 08:00'."),
	ROUTE(ENUM, digest_below, "digest_below", "critical", "What the digest collects.",
		.names = conf_severity_names),
	ROUTE(MAP, escalate, "escalate", NULL,
		"Who else is told when nobody has acknowledged for so long, as in `escalate.15m "
		"= boss': names of receivers, or rota:NAME."),
	TEND_OPTION_END,
};

const struct tend_option conf_policy_rows[] = {
	POLICY(BOOL, enabled, "enabled", "yes", "With no, it is never started."),
	POLICY(ENUM, mode, "mode", NULL,
		"observe, suggest, approve or auto; by default as [daemon] says for the "
		"environment.",
		.names = conf_mode_names),
	POLICY(MAP, params, "param", NULL, "The policy's parameters, `param.NAME = VALUE'."),
	POLICY(INT, budget, "budget", NULL,
		"Its actions on one target in an hour; by default budget_per_target of [daemon].",
		.min = 0, .max = 1000),
	POLICY(INT, budget_total, "budget_total", NULL,
		"Its actions in an hour on all targets together; by default only budget_global of "
		"[daemon] limits them.",
		.min = 1, .max = 10000),
	POLICY(LIST, approvers, "approvers", NULL,
		"Users, or @groups, who may approve its steps; by default as [daemon] says."),
	POLICY(BOOL, destroy_unattended, "destroy_unattended", "no",
		"With yes, verbs that destroy something in a production system are done in mode "
		"auto "
		"without two people's approval."),
	POLICY(LIST, match_component, "match_component", NULL,
		"Only incidents of these components, SYSTEM/COMPONENT with * and ?; by default as "
		"the policy says. Narrows the targets of its schedule, too."),
	POLICY(ENUM, window, "window", NULL,
		"With required it changes something only in an open [window] with actions = allow; "
		"by default as the policy says.",
		.names = conf_policy_window_names),
	POLICY(STRING, schedule, "schedule", NULL,
		"When it starts, instead of what it declares: minute hour day month weekday as in "
		"cron(5), or @daily and the like."),
	POLICY(STRING, timezone, "timezone", NULL,
		"Of its schedule, instead of what it declares: a name of the IANA."),
	TEND_OPTION_END,
};

/* Times and matching, which windows and freezes have alike. */
#define WINDOW_ROWS                                                                                \
	WINDOW(STRING, doc, "doc", NULL, "A sentence for people."),                                \
		WINDOW(STRING, cron_text, "cron", NULL,                                            \
			"When it opens, again and again: minute hour day month weekday as in "     \
			"cron(5), or "                                                             \
			"@daily and the like. A local time that the clock skips counts at the "    \
			"end of the "                                                              \
			"gap, one that comes twice the first time."),                              \
		WINDOW(USEC, duration, "duration", NULL,                                           \
			"How long it is open, as time that passes whatever the clock does.",       \
			.min = SECONDS(1), .max = 366 * DAY),                                      \
		WINDOW(STRING, start, "start", NULL,                                               \
			"When it opens, once: 2026-12-01T02:00 in the timezone, or with Z or "     \
			"+01:00."),                                                                \
		WINDOW(STRING, end, "end", NULL,                                                   \
			"When one with start closes; with neither end nor duration it stays "      \
			"open."),                                                                  \
		WINDOW(STRING, timezone, "timezone", "UTC",                                        \
			"Of cron, start and end, and in which its times are shown: a name of the " \
			"IANA, "                                                                   \
			"as in Europe/Berlin."),                                                   \
		WINDOW(LIST, match_component, "match_component", NULL,                             \
			"Only these components, SYSTEM/COMPONENT with * and ?; by default all."),  \
		WINDOW(LIST, match_environment, "match_environment", NULL,                         \
			"Only systems of these environments, with * and ?; by default all."),      \
		WINDOW(STRING, match_text, "match", NULL,                                          \
			"Only where all of these fit, as in the route's match: NAME=VALUE, "       \
			"NAME!=VALUE, NAME=~REGEX, NAME!~REGEX, separated by commas. Labels are "  \
			"system, environment, component, kind, check, host (of what runs on "      \
			"another) and those of label.NAME. For checks and alerts those of the "    \
			"check count, for actions those of the component; one that is not there "  \
			"is empty.")

const struct tend_option conf_window_rows[] = {
	WINDOW_ROWS,
	WINDOW(LIST, policies, "policies", NULL,
		"With actions = allow: only for these policies, with * and ?; by default all."),
	WINDOW(ENUM, checks, "checks", "run",
		"pause: the checks do not run while it is open, and are shown as paused.",
		.names = conf_window_checks_names),
	WINDOW(ENUM, alerts, "alerts", "tell",
		"quiet: incidents are opened and shown, their notices wait until it has closed and "
		"the checks have been looked at again; what is well by then is not told.",
		.names = conf_window_alerts_names),
	WINDOW(ENUM, actions, "actions", "normal",
		"allow: policies that need a window (window = required) may act while it is open.",
		.names = conf_window_actions_names),
	TEND_OPTION_END,
};

const struct tend_option conf_freeze_rows[] = {
	WINDOW_ROWS,
	WINDOW(LIST, policies, "policies", NULL,
		"Only actions of these policies are refused, with * and ?; by default of all."),
	WINDOW(LIST, except, "except", NULL, "These policies may act nevertheless, with * and ?."),
	TEND_OPTION_END,
};

const struct tend_option conf_rota_rows[] = {
	ROTA(STRING, doc, "doc", NULL, "A sentence for people."),
	ROTA(STRING, path, "file", NULL,
		"The calendar, an absolute path. A line is `2026-11-23T08:00 NAME...' (from then "
		"on), `weekly 2026-11-23T08:00 NAME NAME...' (a week each in turn; or daily), or "
		"`FROM UNTIL NAME...' (between these two, whatever the others say); names are "
		"those of receivers, '#' begins a comment. Read at start and reload.",
		.flags = TEND_OPTION_REQUIRED),
	ROTA(STRING, timezone, "timezone", "UTC",
		"Of its times: a name of the IANA, as in Europe/Berlin."),
	ROTA(STRING, fallback, "fallback", NULL, "The receiver for when nobody is on call."),
	TEND_OPTION_END,
};

const struct tend_option conf_inhibit_rows[] = {
	INHIBIT(STRING, doc, "doc", NULL, "A sentence for people."),
	INHIBIT(STRING, source_text, "source_match", NULL,
		"While an incident is open whose labels fit these (as in the route's match) ...",
		.flags = TEND_OPTION_REQUIRED),
	INHIBIT(STRING, target_text, "target_match", NULL,
		"... the notices of other incidents, whose labels fit these, are kept back ...",
		.flags = TEND_OPTION_REQUIRED),
	INHIBIT(LIST, equal, "equal", NULL,
		"... if these labels are the same in both. An incident that fits both matches is "
		"not kept back by one that does, too."),
	TEND_OPTION_END,
};

const struct tend_option conf_source_rows[] = {
	SOURCE(STRING, doc, "doc", NULL, "A sentence for people."),
	SOURCE(SECRET, token, "token", NULL,
		"The bearer token with which it posts to /v1/events; at least 16 characters.",
		.flags = TEND_OPTION_REQUIRED),
	SOURCE(MAP, matches, "match", NULL,
		"`match.SYSTEM/COMPONENT = MATCHERS': what fits these (as in the route's match) is "
		"about that component. The first that fits decides."),
	SOURCE(STRING, component_label, "component_label", NULL,
		"The label that names the component, SYSTEM/COMPONENT; looked at after match."),
	SOURCE(STRING, component_name, "component", NULL,
		"The SYSTEM/COMPONENT for all the rest; without it the rest is refused."),
	SOURCE(STRING, severity_label, "severity_label", "severity",
		"The label that has the severity."),
	SOURCE(LIST, critical, "critical", "critical, page, fatal, disaster, emergency",
		"Its values that mean critical; all others mean warning."),
	SOURCE(LIST, ignore, "ignore", "none, info",
		"Its values that are accepted and raise nothing; what stands of the same is over."),
	SOURCE(USEC, ttl, "ttl", "24h",
		"What is not said again for so long is over: longer than the repeat_interval of an "
		"Alertmanager.",
		.min = SECONDS(1), .max = 366 * DAY),
	SOURCE(INT, max, "max", "200", "So many of its events stand at a time; more are refused.",
		.min = 1, .max = 2000),
	TEND_OPTION_END,
};

const struct conf_kind conf_kinds[] = {
	{"daemon", NULL, 0, conf_daemon_rows, "The daemon itself; once."},
	{"system", "SYSTEM", 1, conf_system_rows, "One CRM installation."},
	{"component", "SYSTEM/COMPONENT", 2, conf_component_rows, "A part of a system."},
	{"host", "NAME", 1, conf_host_rows,
		"Another host, on which policies act by ssh: its tend-exec is spoken to, nothing "
		"else."},
	{"database", "SYSTEM/COMPONENT", 2, conf_database_rows,
		"How policies (verbs sql.*) and probes (sql, rows, queue, ...) reach the database "
		"of a component. The other keys are "
		"those of the service's plugin, for a role that only reads; the same keys after "
		"`admin.' are for the role that may end sessions."},
	{"check", "SYSTEM/COMPONENT/CHECK", 3, conf_check_rows,
		"A probe with a schedule and thresholds, on one component. The other keys are "
		"those of the probe's plugin."},
	{"receiver", "NAME", 1, conf_receiver_rows, "Where notices go."},
	{"route", "NAME", 1, conf_route_rows,
		"Which notices go to which receivers. Routes are looked at in the order of the "
		"files; the first that matches decides. Without any route every receiver gets "
		"every notice."},
	{"rota", "NAME", 1, conf_rota_rows,
		"Who is on call: routes say rota:NAME among their receivers."},
	{"inhibit", "NAME", 1, conf_inhibit_rows,
		"Incidents that keep back the notices of others while they are open. That a "
		"component depends on another needs none: its incidents wait while there is one, "
		"no less severe, of what it depends on."},
	{"policy", "NAME", 1, conf_policy_rows, "Settings of the policy NAME.lua."},
	{"source", "NAME", 1, conf_source_rows,
		"Another system that pushes events in, to /v1/events: webhooks of an Alertmanager, "
		"or CloudEvents. Each becomes a check of the component it is about, named "
		"SOURCE-FINGERPRINT, for as long as it stands."},
	{"window", "NAME", 1, conf_window_rows,
		"A maintenance window: times, what it is about, and three switches. It opens by "
		"cron and duration, or once by start."},
	{"freeze", "NAME", 1, conf_freeze_rows,
		"A time in which policies change nothing. With neither cron nor start nor end it "
		"holds until it is taken out of the configuration."},
	{NULL, NULL, 0, NULL, NULL},
};
