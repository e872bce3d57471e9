/* SPDX-License-Identifier: MIT */
#include "manager.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "calendar/keeper.h"
#include "conf/errors.h"
#include "history/history.h"
#include "history/standing.h"
#include "history/usual.h"
#include "loop/child.h"
#include "shift.h"
#include "stale.h"
#include "snmp/feed.h"
#include "telling.h"
#include "trim.h"

/* sysexits.h: what a service manager and a script can tell apart. */
enum { EXIT_CONFIG = 78, EXIT_CANTCREATE = 73, EXIT_SOFTWARE = 70 };

/* ---- hooks between the parts
 * -------------------------------------------------------------------------- */

static void on_incident_reason(struct incident *incident, void *data)
{
	struct manager *m = data;

	policies_on_incident(m->policies, incident, INCIDENT_CHANGED);
}

static void on_incident_told(struct incident *incident, enum incident_event event, void *data)
{
	struct manager *m = data;

	policies_on_incident(m->policies, incident, event);
	if (event == INCIDENT_CLEARED)
		telling_on_closed(m, incident);
	else
		telling_on_told(m, incident);
}

static void on_incident_commit(uint64_t token, int r, void *data)
{
	struct manager *m = data;

	alert_committed(m->alert, token, r);
}

static void on_result(struct check *check, unsigned events, void *data)
{
	struct manager *m = data;

	history_take(m->history, check);
	if (events & STATE_EVENT_RECOVERED)
		api_feedback_look(m, check);
	incidents_on_result(m->incidents, check, events);
	policies_on_result(m->policies, check, events);
}

static void on_judge(const struct conf_check *conf, struct result *result, void *data)
{
	struct manager *m = data;

	usual_judge(m->usual, conf, result);
}

static void on_undurable(bool undurable, void *data)
{
	struct manager *m = data;

	if (m->policies)
		policies_freeze(m->policies, "outbox", undurable);
}

/* What a heartbeat says of the daemon; snmp/varbinds.c reads these members, too. */
static json_t *heartbeat_details(void *data)
{
	const struct manager *m = data;

	return json_pack("{s:f, s:b, s:b, s:b, s:s, s:I}", "loop_lag_seconds",
		(double)loop_recent_busy(m->loop) / 1e6, "config_ok", (int)m->reload_ok, "store_ok",
		(int)store_healthy(m->store), "actions_enabled",
		m->policies && policies_actions_enabled(m->policies), "worst_state",
		tend_state_name(watch_worst_state(m->watch)), "incidents_open",
		m->incidents ? (json_int_t)incidents_open(m->incidents)->len : (json_int_t)0);
}

static void on_store_health(bool healthy, void *data)
{
	struct manager *m = data;
	struct store_stats stats;

	store_get_stats(m->store, &stats);
	if (healthy)
		log_notice("store: writes again, actions may go on");
	else
		log_error(
			"store: cannot write (%s): notices go out from memory, actions are frozen "
			"until it can",
			stats.last_error);
	policies_freeze(m->policies, "store", !healthy);
}

static void on_delivery(const char *incident_id, const char *receiver, const char *notice_kind,
	const char *state, unsigned n_tries, void *data)
{
	struct manager *m = data;
	struct incident *incident =
		m->incidents && incident_id ? incidents_find(m->incidents, incident_id) : NULL;

	if (incident)
		incident_note(m->incidents, incident, "notice", "%s to %s: %s after %u %s",
			notice_kind, receiver, state, n_tries, n_tries == 1 ? "try" : "tries");
}

/* ---- windows -------------------------------------------------------------------------------- */

static void on_window_opened(
	const struct conf_window *window, const struct window_span *span, void *data)
{
	struct manager *m = data;

	policies_event(m->policies, POLICY_EVENT_WINDOW_OPENED, NULL,
		json_pack("{s:s, s:o, s:o}", "window", window->name, "opens",
			clock_to_json(span->opens), "closes",
			span->closes == USEC_INFINITY ? json_null() : clock_to_json(span->closes)));
}

/* Checks first: what they find decides what is told of incidents. */
static void on_windows(void *data)
{
	struct manager *m = data;

	watch_look_at_windows(m->watch);
	incidents_release(m->incidents);
	stale_look(m->stale);
}

/* ---- reload
 * ------------------------------------------------------------------------------------------- */

static void tell_simply(struct manager *m, enum notice_kind kind, enum conf_severity severity,
	const char *fingerprint, const char *text)
{
	struct notice notice = {
		.kind = kind,
		.severity = severity,
		.fingerprint = fingerprint,
		.text = text,
		.wall = clock_wall(),
	};

	if (alert_add(m->alert, &notice, NULL) < 0)
		log_error("the notice '%s' cannot be made", text);
}

static void apply_retention(struct manager *m, const struct conf_daemon *daemon)
{
	const struct store_retention retention = {
		.notices = daemon->keep_notices,
		.history = daemon->keep_history,
		.records = daemon->keep_records,
		.n_records = daemon->keep_records_max,
	};

	store_set_retention(m->store, &retention);
}

static int apply_all(struct manager *m, struct conf *conf)
{
	int r = watch_apply(m->watch, conf);

	apply_retention(m, &conf->daemon);
	history_apply(m->history, conf);
	usual_apply(m->usual, conf);
	standing_apply(m->standing);
	log_set_level(conf_log_level(&conf->daemon));
	if (r == 0)
		r = alert_apply(m->alert, conf);
	if (r == 0)
		r = policies_apply(m->policies, conf);
	if (r == 0)
		r = api_apply(m->api, conf);
	if (r == 0)
		r = agentx_apply(m->agentx, conf);
	incidents_apply(m->incidents);
	if (r == 0)
		r = telling_apply(m->telling, conf);
	if (r == 0)
		r = keeper_apply(m->keeper, conf);
	return r;
}

static int refuse_reload(struct manager *m, unsigned n_errors, struct tend_error *err)
{
	m->reload_ok = false;
	m->reload_partial = false;
	m->reload_n_errors = n_errors;
	log_error("reload: %s; the configuration of before stays in force", m->reload_error);
	tell_simply(m, NOTICE_CONFIG_FAILED, SEVERITY_WARNING, "tend/config", m->reload_error);
	return tend_error_set(err, -EINVAL, "%s", m->reload_error);
}

static int tell_half_taken(struct manager *m, int r, struct tend_error *err)
{
	(void)snprintf(m->reload_error, sizeof(m->reload_error),
		"%s: not every part took the configuration: %s", m->config_path, strerror(-r));
	log_error("reload: %s", m->reload_error);
	tell_simply(m, NOTICE_CONFIG_FAILED, SEVERITY_WARNING, "tend/config", m->reload_error);
	return tend_error_set(err, r, "%s", m->reload_error);
}

static void notify_reloading(void)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now());
	loop_notify(text);
}

int manager_reload(struct manager *m, struct tend_error *err)
{
	auto(conf_unref) struct conf *conf = NULL;
	struct conf_errors errors = {0};
	int r;

	notify_reloading();
	m->reload_wall = clock_wall();
	r = conf_load(m->config_path, m->plugin_dir, &errors, &conf);
	if (r == 0 && conf->checks.len == 0 && m->conf->checks.len > 0) {
		(void)snprintf(m->reload_error, sizeof(m->reload_error),
			"%s: no checks are left: a reload to nothing is refused, stop tendd "
			"instead",
			m->config_path);
		r = refuse_reload(m, 1, err);
	} else if (r < 0) {
		const struct tend_error *e = errors.len ? &errors.items[0] : NULL;

		(void)snprintf(m->reload_error, sizeof(m->reload_error), "%s:%u: %.700s",
			e ? e->file : m->config_path, e ? e->line : 0, e ? e->text : strerror(-r));
		r = refuse_reload(m, (unsigned)errors.len, err);
	} else {
		struct conf *old = m->conf;

		m->conf = conf_ref(conf);
		r = apply_all(m, conf);
		conf_unref(old);
		m->reload_ok = r == 0;
		m->reload_partial = r < 0;
		m->reload_n_errors = r < 0;
		m->reload_error[0] = '\0';
		if (r < 0)
			(void)tell_half_taken(m, r, err);
		log_notice(
			"reload: %zu systems, %zu checks, %zu receivers, %zu policies are in force",
			conf->systems.len, conf->checks.len, conf->receivers.len,
			conf->policies.len);
	}
	conf_errors_clear(&errors);
	loop_notify("READY=1");
	return r;
}

/* ---- life
 * -----------------------------------------------------------------------------------------------
 */

static void on_signal(int signo, void *data)
{
	struct manager *m = data;

	if (signo == SIGHUP && m->shift)
		shift_look(m->shift);
	if (signo == SIGHUP)
		(void)manager_reload(m, NULL);
	else
		loop_stop(m->loop, 0);
}

/* Only by --calendar: what waits for a time of day by the monotonic clock looks again. */
static void on_jump(void *data)
{
	struct manager *m = data;

	keeper_look(m->keeper);
	watch_clock_jumped(m->watch);
	policies_clock_jumped(m->policies);
	telling_look(m->telling);
}

static bool healthy(void *data)
{
	struct manager *m = data;

	return watch_healthy(m->watch) && alert_healthy(m->alert);
}

int manager_open(struct manager *m, struct tend_error *err)
{
	struct alert_deps alert_deps = {
		.loop = m->loop,
		.libexec_dir = m->conf->daemon.libexec_dir,
		.state_dir = m->conf->daemon.state_dir,
		.on_undurable = on_undurable,
		.on_delivery = on_delivery,
		.heartbeat_details = heartbeat_details,
		.data = m,
	};
	struct policies_deps policies_deps = {.loop = m->loop};
	struct keeper_deps keeper_deps = {
		.loop = m->loop,
		.on_opened = on_window_opened,
		.on_look = on_windows,
		.data = m,
	};
	struct incidents_hooks hooks = {
		telling_on_event, on_incident_commit, on_incident_told, on_incident_reason, m};
	bool fresh = false;
	int r = store_open(m->loop, m->conf->daemon.state_dir, err, &fresh, &m->store);

	if (r < 0)
		return r;
	r = net_new(m->loop, &m->net);
	if (r == 0)
		r = watch_new(m->loop, m->store, m->net, &m->watch);
	if (r == 0)
		r = history_new(m->loop, m->without_history ? NULL : m->conf->daemon.state_dir,
			&m->history);
	if (r == 0)
		r = usual_new(m->loop, m->history, m->watch, &m->usual);
	if (r == 0)
		r = standing_new(m->loop, m->store, m->watch, &m->standing);
	alert_deps.store = policies_deps.store = m->store;
	alert_deps.net = m->net;
	if (r == 0)
		r = alert_new(&alert_deps, &m->alert);
	if (r == 0)
		r = incidents_new(m->loop, m->store, m->watch, &m->incidents);
	if (r == 0)
		r = telling_new(m, &m->telling);
	policies_deps.watch = m->watch;
	policies_deps.incidents = m->incidents;
	policies_deps.alert = m->alert;
	if (r == 0)
		r = policies_new(&policies_deps, &m->policies);
	keeper_deps.store = m->store;
	if (r == 0)
		r = keeper_new(&keeper_deps, &m->keeper);
	if (r == 0)
		r = stale_new(m, &m->stale);
	if (r == 0)
		r = agentx_new(m, &m->agentx);
	if (r < 0)
		return tend_error_set(err, r, "cannot start: %s", strerror(-r));
	r = api_new(m, err, &m->api);
	if (r < 0)
		return r;
	incidents_set_hooks(m->incidents, &hooks);
	incidents_set_hold(m->incidents, telling_hold, m);
	watch_on_result(m->watch, on_result, m);
	watch_on_judge(m->watch, on_judge, m);
	store_on_health(m->store, on_store_health, m);
	r = apply_all(m, m->conf);
	if (r < 0)
		return tend_error_set(err, r, "cannot take the configuration: %s", strerror(-r));
	if (fresh) {
		/* The switch, not a freeze: it holds over a restart. */
		(void)policies_pause(m->policies, "tend",
			"the state database was corrupt, it began afresh", NULL, NULL, NULL);
		tell_simply(m, NOTICE_STORE_FAILED, SEVERITY_CRITICAL, "tend/store",
			"the state database was corrupt and was set aside: Tend goes on with a "
			"fresh one, "
			"actions are frozen until 'tendctl action resume'");
	}
	return 0;
}

void manager_close(struct manager *m)
{
	m->agentx = agentx_free(m->agentx);
	m->keeper = keeper_free(m->keeper);
	m->stale = stale_free(m->stale);
	/* Live runs hear nothing of the end, they go on at the next start; the API's clients do. */
	m->policies = policies_free(m->policies);
	if (m->watch)
		watch_stop(m->watch);
	m->api = api_free(m->api);
	m->telling = telling_free(m->telling);
	m->incidents = incidents_free(m->incidents);
	m->alert = alert_free(m->alert);
	m->standing = standing_free(m->standing);
	m->watch = watch_free(m->watch);
	m->usual = usual_free(m->usual);
	m->history = history_free(m->history);
	m->net = net_free(m->net);
	m->store = store_free(m->store);
	m->conf = conf_unref(m->conf);
	children_drain(USEC_PER_SEC);
}

static int watch_signals(struct manager *m, struct loop_source *sources[3])
{
	static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};

	for (int i = 0; i < 3; i++) {
		int r = loop_signal_new(m->loop, signals[i], on_signal, m, &sources[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int start(struct manager *m, struct tend_error *err)
{
	int r = manager_open(m, err);

	if (r == 0 && m->shift)
		r = shift_start(m->shift, m->loop, on_jump, m);
	if (r == 0)
		r = trim_new(m->loop, &m->trim);
	if (r < 0)
		return r;
	r = loop_watchdog_start(m->loop, healthy, m);
	if (r < 0)
		return tend_error_set(err, r, "cannot feed the watchdog: %s", strerror(-r));
	log_notice("tendd " TEND_VERSION ": watching %zu systems with %zu checks",
		m->conf->systems.len, m->conf->checks.len);
	loop_notify("READY=1");
	return 0;
}

static int load_first(struct manager *m)
{
	struct conf_errors errors = {0};
	int r = conf_load(m->config_path, m->plugin_dir, &errors, &m->conf);

	for (size_t i = 0; r < 0 && i < errors.len; i++)
		log_error("%s:%u: %s", errors.items[i].file, errors.items[i].line,
			errors.items[i].text);
	conf_errors_clear(&errors);
	return r;
}

int manager_run(const struct manager_options *options)
{
	struct manager m = {
		.config_path = options->config_path,
		.plugin_dir = options->plugin_dir,
		.reload_ok = true,
	};
	struct loop_source *signals[3] = {NULL};
	struct tend_error err = {0};
	int r;

	log_open("tendd", LOG_INFO);
	if (options->foreground)
		log_to_stderr();
	/* Secrets live in this memory: no core dumps, no ptrace by others of the same user. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	r = options->calendar ? shift_new(options->calendar, &m.shift, &err) : 0;
	if (r < 0)
		log_error("%s", err.text);
	m.started = clock_now();
	m.started_wall = clock_wall();
	if (r == 0)
		r = load_first(&m);
	if (r < 0) {
		shift_free(m.shift);
		return EXIT_CONFIG;
	}
	m.reload_wall = m.conf->loaded_wall;
	r = loop_new(&m.loop);
	if (r == 0)
		r = watch_signals(&m, signals);
	if (r < 0)
		tend_error_set(&err, r, "cannot make the event loop: %s", strerror(-r));
	else
		r = start(&m, &err);
	if (r == 0) {
		r = loop_run(m.loop);
		loop_notify("STOPPING=1");
		log_notice("tendd: stopping");
	} else {
		log_error("%s", err.text);
	}
	manager_close(&m);
	trim_free(m.trim);
	for (int i = 0; i < 3; i++)
		loop_source_free(signals[i]);
	shift_free(m.shift);
	loop_free(m.loop);
	if (err.code == -EACCES || err.code == -EPERM || err.code == -EROFS)
		return EXIT_CANTCREATE;
	return r < 0 ? EXIT_SOFTWARE : r;
}
