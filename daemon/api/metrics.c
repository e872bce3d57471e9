/* SPDX-License-Identifier: MIT */
/*
 * /metrics in the Prometheus text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/) and /healthz.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "alert/silence.h"
#include "api/private.h"
#include "history/history.h"

enum { METRICS_MAX_BYTES = 64 << 20, METRICS_MAX_RECEIVERS = 256 };
#define LAG_KEEP_USEC (10 * USEC_PER_SEC)

struct metrics {
	struct str text;
	bool failed; /* no memory: the page is refused, never cut */
};

__attribute__((format(printf, 2, 3))) static void put(struct metrics *m, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = str_vappendf(&m->text, format, ap);
	va_end(ap);
	if (r < 0)
		m->failed = true;
}

static void head(struct metrics *m, const char *name, const char *type, const char *help)
{
	put(m, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A value as the format wants it: NaN and +Inf by name, no locale. */
static void put_value(struct metrics *m, double value)
{
	if (isnan(value))
		put(m, " NaN\n");
	else if (isinf(value))
		put(m, " %sInf\n", value < 0 ? "-" : "+");
	else
		put(m, " %.17g\n", value);
}

static void put_text(struct metrics *m, const char *text, size_t len)
{
	if (str_append(&m->text, text, len) < 0)
		m->failed = true;
}

/* A page has a few for each line, so they are not formatted. */
static void put_label(struct metrics *m, const char *before, const char *name, const char *value)
{
	put_text(m, before, strlen(before));
	put_text(m, name, strlen(name));
	put_text(m, "=\"", 2);
	while (*value) {
		size_t n = strcspn(value, "\\\"\n");
		const char escaped[] = {'\\', value[n] == '\n' ? 'n' : value[n]};

		put_text(m, value, n);
		value += n;
		if (*value)
			put_text(m, escaped, sizeof(escaped));
		value += *value != '\0';
	}
	put_text(m, "\"", 1);
}

static void gauge(struct metrics *m, const char *name, const char *help, double value)
{
	head(m, name, "gauge", help);
	put(m, "%s", name);
	put_value(m, value);
}

static void counter(struct metrics *m, const char *name, const char *help, uint64_t value)
{
	head(m, name, "counter", help);
	put(m, "%s %" PRIu64 "\n", name, value);
}

static void put_check(struct metrics *m, const char *name, const struct check *check)
{
	put_text(m, name, strlen(name));
	put_label(m, "{", "system", check->conf->component->system->name);
	put_label(m, ",", "component", check->conf->component->name);
	put_label(m, ",", "check", check->conf->name);
}

static void checks_state(struct metrics *m, struct watch *watch)
{
	size_t n[TEND_STATE_MAX] = {0};

	MAP_FOREACH (watch_checks(watch), struct check *, check)
		n[watch_check_shown_state(check)]++;
	head(m, "tend_checks", "gauge", "Checks by state.");
	for (enum tend_state s = 0; s < TEND_STATE_MAX; s++)
		put(m, "tend_checks{state=\"%s\"} %zu\n", tend_state_name(s), n[s]);
	head(m, "tend_check_state", "gauge",
		"State of a check: 0 ok, 1 warning, 2 critical, 3 unknown, 4 pending, 5 "
		"unreachable.");
	MAP_FOREACH (watch_checks(watch), struct check *, check) {
		put_check(m, "tend_check_state", check);
		put(m, "} %d\n", (int)watch_check_shown_state(check));
	}
}

static void checks_results(struct metrics *m, struct watch *watch)
{
	head(m, "tend_check_duration_seconds", "gauge", "How long the last attempt took.");
	MAP_FOREACH (watch_checks(watch), struct check *, check) {
		if (check->last.number == 0)
			continue;
		put_check(m, "tend_check_duration_seconds", check);
		put(m, "}");
		put_value(m, (double)(check->last.finished - check->last.started) / 1e6);
	}
	head(m, "tend_check_last_result_timestamp_seconds", "gauge", "When the last result came.");
	MAP_FOREACH (watch_checks(watch), struct check *, check) {
		if (check->last.number == 0)
			continue;
		put_check(m, "tend_check_last_result_timestamp_seconds", check);
		put(m, "}");
		put_value(m, (double)check->last.finished_wall / 1e6);
	}
	head(m, "tend_check_attempts_total", "counter", "Attempts of a check by how they ended.");
	MAP_FOREACH (watch_checks(watch), struct check *, check) {
		put_check(m, "tend_check_attempts_total", check);
		put(m, ",result=\"good\"} %" PRIu64 "\n", check->n_good);
		put_check(m, "tend_check_attempts_total", check);
		put(m, ",result=\"failed\"} %" PRIu64 "\n", check->n_failed);
	}
	head(m, "tend_check_metric", "gauge",
		"What the probe of a check measured, in its own unit.");
	MAP_FOREACH (watch_checks(watch), struct check *, check)
		for (size_t i = 0; i < check->last.n_metrics; i++) {
			put_check(m, "tend_check_metric", check);
			put_label(m, ",", "metric", check->last.metrics[i].name);
			if (check->last.metrics[i].instance[0])
				put_label(m, ",", "instance", check->last.metrics[i].instance);
			put_label(m, ",", "unit", check->last.metrics[i].unit);
			put(m, "}");
			put_value(m, check->last.metrics[i].value);
		}
}

static void receiver_counter(struct metrics *m, const struct alert_receiver_stats *stats, size_t n,
	const char *name, const char *type, const char *help, size_t offset)
{
	head(m, name, type, help);
	for (size_t i = 0; i < n; i++) {
		uint64_t value;

		memcpy(&value, (const char *)&stats[i] + offset, sizeof(value));
		put(m, "%s", name);
		put_label(m, "{", "receiver", stats[i].name);
		put(m, "} %" PRIu64 "\n", value);
	}
}

/* Each reason is there from the start: a rate needs a zero before the first. */
static void notices_failed(struct metrics *m, const struct alert_receiver_stats *stats, size_t n)
{
	head(m, "tend_notices_failed_total", "counter",
		"Notices given up: refused by the receiver for good, expired while they waited, or "
		"shed since too many waited.");
	for (size_t i = 0; i < n; i++) {
		const struct {
			const char *name;
			uint64_t value;
		} reasons[] = {
			{"refused", stats[i].n_failed - stats[i].n_shed - stats[i].n_expired},
			{"expired", stats[i].n_expired},
			{"shed", stats[i].n_shed},
		};

		for (size_t k = 0; k < ARRAY_SIZE(reasons); k++) {
			put(m, "tend_notices_failed_total");
			put_label(m, "{", "receiver", stats[i].name);
			put_label(m, ",", "reason", reasons[k].name);
			put(m, "} %" PRIu64 "\n", reasons[k].value);
		}
	}
}

static void receiver_gauge(struct metrics *m, const char *name, const char *receiver, double value)
{
	put(m, "%s", name);
	put_label(m, "{", "receiver", receiver);
	put(m, "}");
	put_value(m, value);
}

static void receivers(struct metrics *m, const struct alert *alert)
{
	struct alert_receiver_stats *stats = calloc(METRICS_MAX_RECEIVERS, sizeof(*stats));
	usec_t wall = clock_wall();
	size_t n;

	if (!stats) {
		m->failed = true;
		return;
	}
	n = alert_get_stats(alert, stats, METRICS_MAX_RECEIVERS);
#define ROW(name, type, help, member)                                                              \
	receiver_counter(                                                                          \
		m, stats, n, name, type, help, offsetof(struct alert_receiver_stats, member))
	ROW("tend_notices_delivered_total", "counter", "Notices a receiver has taken.",
		n_delivered);
	ROW("tend_notice_tries_total", "counter", "Attempts to deliver.", n_tries);
	ROW("tend_notices_waiting", "gauge", "Notices that wait for a receiver.", n_waiting);
	ROW("tend_notice_sequence", "gauge", "Last number of a receiver's own sequence.", sequence);
#undef ROW
	notices_failed(m, stats, n);
	head(m, "tend_notice_oldest_seconds", "gauge",
		"How long the oldest notice has waited for a receiver; 0: none waits.");
	for (size_t i = 0; i < n; i++)
		receiver_gauge(m, "tend_notice_oldest_seconds", stats[i].name,
			stats[i].oldest_wall && wall > stats[i].oldest_wall
				? (double)(wall - stats[i].oldest_wall) / 1e6
				: 0);
	head(m, "tend_receiver_breaker_open", "gauge",
		"1: the receiver is left alone for a while.");
	for (size_t i = 0; i < n; i++)
		receiver_gauge(
			m, "tend_receiver_breaker_open", stats[i].name, stats[i].breaker_open);
	head(m, "tend_receiver_disabled", "gauge", "1: it said that it is gone for good.");
	for (size_t i = 0; i < n; i++)
		receiver_gauge(m, "tend_receiver_disabled", stats[i].name, stats[i].disabled);
	free(stats);
}

/* Reading these resets them: keep the worst for a while, so that two scrapers both see it. */
void api_take_lag(struct api *api, struct api_lag *ret_lag)
{
	usec_t now = clock_now();
	struct watch_stats stats = {0};

	watch_get_stats(api->manager->watch, &stats);
	if (now - api->lag.at > LAG_KEEP_USEC)
		api->lag = (struct api_lag){.at = now};
	api->lag.busy_usec = loop_recent_busy(api->manager->loop);
	api->lag.late_usec = MAX(api->lag.late_usec, stats.max_late_usec);
	*ret_lag = api->lag;
}

static void put_window(struct metrics *m, const struct conf_window *window, usec_t wall)
{
	put(m, "tend_window_open");
	put_label(m, "{", "window", window->name);
	put_label(m, ",", "kind", window->freeze ? "freeze" : "window");
	put(m, "} %d\n", window_open(window, wall, NULL));
}

static void windows_metrics(struct metrics *m, const struct manager *manager)
{
	const struct conf *conf = manager->conf;
	usec_t wall = clock_wall();
	size_t n_paused = 0;

	MAP_FOREACH (watch_checks(manager->watch), const struct check *, check)
		n_paused += check->paused;
	gauge(m, "tend_checks_paused", "Checks that a window keeps from running.",
		(double)n_paused);
	gauge(m, "tend_incidents_held",
		"Open incidents of which something (a window, a silence, another incident) holds a "
		"notice back.",
		(double)incidents_n_held(manager->incidents));
	if (conf->windows.len + conf->freezes.len == 0)
		return;
	head(m, "tend_window_open", "gauge", "1 while a window, or a freeze, is open.");
	MAP_FOREACH (&conf->windows, const struct conf_window *, window)
		put_window(m, window, wall);
	MAP_FOREACH (&conf->freezes, const struct conf_window *, freeze)
		put_window(m, freeze, wall);
}

/* Each gate and state is there from the start: a rate needs a zero before the first. */
static void quiet_metrics(struct metrics *m, const struct manager *manager)
{
	const struct incidents *incidents = manager->incidents;
	size_t n[SILENCE_STATE_MAX] = {0}, n_acknowledged = 0;
	uint64_t silenced, unrouted;

	VEC_FOREACH (silences_list(alert_silences(manager->alert)), const struct silence *, one)
		n[silence_state(one, clock_wall())]++;
	head(m, "tend_silences", "gauge", "Silences that are in force, or will be.");
	for (enum silence_state s = SILENCE_PENDING; s <= SILENCE_ACTIVE; s++)
		put(m, "tend_silences{state=\"%s\"} %zu\n", silence_state_names[s], n[s]);
	VEC_FOREACH (incidents_open(incidents), const struct incident *, incident)
		n_acknowledged += incident->ack_author != NULL;
	gauge(m, "tend_incidents_acknowledged", "Open incidents that somebody has.",
		(double)n_acknowledged);
	alert_get_withheld(manager->alert, &silenced, &unrouted);
	head(m, "tend_notices_withheld_total", "counter",
		"Notices that were held back, by what did it; route: no route gave it to a "
		"receiver.");
	for (enum incident_gate gate = 0; gate < INCIDENT_GATE_MAX; gate++)
		put(m, "tend_notices_withheld_total{gate=\"%s\"} %" PRIu64 "\n",
			incident_gate_names[gate],
			incidents_n_withheld(incidents, gate) +
				(gate == INCIDENT_GATE_SILENCE ? silenced : 0));
	put(m, "tend_notices_withheld_total{gate=\"route\"} %" PRIu64 "\n", unrouted);
}

static void history_metrics(struct metrics *m, struct manager *manager)
{
	struct history_stats stats;

	history_get_stats(manager->history, &stats);
	gauge(m, "tend_history_series", "Metrics that have a history.", (double)stats.n_series);
	gauge(m, "tend_history_file_bytes", "Size of the history of metrics.",
		(double)stats.file.file_bytes);
	counter(m, "tend_history_writes_total", "Minutes of metrics that were written.",
		stats.file.n_minutes);
	counter(m, "tend_history_lost_total", "Minutes of metrics that the disk did not take.",
		stats.file.n_lost);
	counter(m, "tend_history_refused_total",
		"Values of metrics that had no room for a history.", stats.n_refused);
	counter(m, "tend_history_gave_way_total",
		"Metrics that went out of the history for others of the same check: it may have "
		"256.",
		stats.n_gave_way);
}

/* Of every policy and target whose last action did not help. */
static void actions_metrics(struct metrics *m, struct manager *manager)
{
	auto_json json_t *actions = policies_actions_to_json(manager->policies);
	const json_t *breakers = json_object_get(actions, "breakers");
	json_t *breaker;
	size_t i;

	gauge(m, "tend_actions_enabled", "0: nothing that changes a system is done.",
		policies_actions_enabled(manager->policies));
	gauge(m, "tend_approvals_waiting", "Steps of policies that wait for people.",
		(double)policies_n_waiting_approvals(manager->policies));
	counter(m, "tend_policy_events_dropped_total",
		"Events that started no policy: there was no room to wait.",
		(uint64_t)json_integer_value(json_object_get(actions, "dropped_events")));
	if (json_array_size(breakers) == 0)
		return;
	head(m, "tend_breaker_open", "gauge",
		"1: a policy does nothing on a target, since its actions did not help; 0.5: one "
		"try "
		"may.");
	json_array_foreach (breakers, i, breaker) {
		const char *state = json_string_value(json_object_get(breaker, "state"));

		put(m, "tend_breaker_open");
		put_label(m, "{", "policy", json_string_value(json_object_get(breaker, "policy")));
		put_label(m, ",", "target", json_string_value(json_object_get(breaker, "target")));
		put(m, "} %s\n",
			str_eq(state, "open")	     ? "1"
			: str_eq(state, "half-open") ? "0.5"
						     : "0");
	}
}

static void policy_metric(
	const struct policies_glance *g, struct metrics *m, const char *name, double value)
{
	put(m, "%s", name);
	put_label(m, "{", "policy", g->name);
	put(m, "}");
	put_value(m, value);
}

static void put_enabled(const struct policies_glance *g, void *data)
{
	policy_metric(g, data, "tend_policy_enabled", g->enabled && !g->error);
}

static void put_last_run(const struct policies_glance *g, void *data)
{
	if (g->ended_wall)
		policy_metric(g, data, "tend_policy_last_run_timestamp_seconds",
			(double)g->ended_wall / 1e6);
}

static void put_last_success(const struct policies_glance *g, void *data)
{
	if (g->ended_wall)
		policy_metric(g, data, "tend_policy_last_run_success", str_eq(g->state, "done"));
}

static void policies_metrics(struct metrics *m, const struct policies *policies)
{
	head(m, "tend_policy_enabled", "gauge",
		"0: the policy is switched off, has been disabled, or has a mistake.");
	policies_glance(policies, put_enabled, m);
	head(m, "tend_policy_last_run_timestamp_seconds", "gauge", "When its last run ended.");
	policies_glance(policies, put_last_run, m);
	head(m, "tend_policy_last_run_success", "gauge", "1: that run did what it should.");
	policies_glance(policies, put_last_success, m);
}

static void work_ended(struct metrics *m, const char *name, const struct work_stats *work,
	enum work_cause first, enum work_cause last)
{
	for (unsigned cause = first; cause <= (unsigned)last; cause++) {
		put(m, "%s", name);
		put_label(m, "{", "cause", work_cause_name((enum work_cause)cause));
		put(m, "} %" PRIu64 "\n", work->n_ended[cause]);
	}
}

static void work_metrics(struct metrics *m, const struct work_stats *work)
{
	gauge(m, "tend_work_processes", "Processes tend-work, at work or kept warm.",
		(double)work->n_processes);
	gauge(m, "tend_work_busy", "Of these, at work.", (double)work->n_busy);
	gauge(m, "tend_work_waiting", "Attempts that wait for one.", (double)work->n_waiting);
	counter(m, "tend_work_started_total", "Starts of tend-work.", work->n_started);
	head(m, "tend_work_killed_total", "counter", "Killed while at work, by cause.");
	work_ended(m, "tend_work_killed_total", work, WORK_KILLED_DEADLINE, WORK_KILLED_CANCELLED);
	head(m, "tend_work_crashes_total", "counter", "Ended by themselves, by cause.");
	work_ended(m, "tend_work_crashes_total", work, WORK_CRASHED_SIGNAL, WORK_CRASHED_START);
	head(m, "tend_work_wait_seconds_total", "counter", "All that attempts have waited.");
	put(m, "tend_work_wait_seconds_total");
	put_value(m, (double)work->waited / 1e6);
}

static void late_metrics(struct metrics *m, const struct watch_stats *stats)
{
	uint64_t n = 0;

	head(m, "tend_check_start_delay_seconds", "histogram",
		"How long after they were due checks have begun.");
	for (size_t i = 0; i < WATCH_LATE_MAX; i++) {
		n += stats->n_late[i];
		put(m, "tend_check_start_delay_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
			(double)watch_late_bounds[i] / 1e6, n);
	}
	n += stats->n_late[WATCH_LATE_MAX];
	put(m, "tend_check_start_delay_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", n);
	put(m, "tend_check_start_delay_seconds_sum");
	put_value(m, (double)stats->sum_late_usec / 1e6);
	put(m, "tend_check_start_delay_seconds_count %" PRIu64 "\n", n);
}

static void daemon_metrics(struct metrics *m, struct api *api)
{
	struct manager *manager = api->manager;
	struct store_stats store = {0};
	struct watch_stats watch = {0};
	struct api_lag lag;
	auto_json json_t *why = api_health(api);

	api_take_lag(api, &lag);
	watch_get_stats(manager->watch, &watch);
	store_get_stats(manager->store, &store);
	head(m, "tend_build_info", "gauge", "Always 1; the version is the label.");
	put(m, "tend_build_info{version=\"%s\"} 1\n", TEND_VERSION);
	gauge(m, "tend_start_time_seconds", "When the daemon started.",
		(double)manager->started_wall / 1e6);
	gauge(m, "tend_healthy", "1 when /healthz says ok.", why && json_array_size(why) == 0);
	gauge(m, "tend_loop_lag_seconds", "Longest time the loop was busy in one turn, of late.",
		(double)lag.busy_usec / 1e6);
	gauge(m, "tend_check_start_lag_seconds", "Latest start of a due check, of late.",
		(double)lag.late_usec / 1e6);
	late_metrics(m, &watch);
	gauge(m, "tend_checks_running", "Attempts under way.", (double)watch.n_running);
	counter(m, "tend_overruns_total", "Checks that were due while their attempt still ran.",
		watch.n_overruns);
	counter(m, "tend_metrics_left_out_total", "Metrics of results that had more than 256.",
		watch.n_left_out);
	gauge(m, "tend_memory_bytes", "What attempts remember for the next ones, as text.",
		(double)watch.memory_bytes);
	counter(m, "tend_memory_refused_total",
		"Times that there was no room for what an attempt wanted to remember.",
		watch.n_memories_refused);
	work_metrics(m, &watch.work);
	history_metrics(m, manager);
	gauge(m, "tend_incidents_open", "Incidents that are open.",
		(double)incidents_open(manager->incidents)->len);
	windows_metrics(m, manager);
	quiet_metrics(m, manager);
	actions_metrics(m, manager);
	gauge(m, "tend_config_last_reload_successful", "0: the last reload was refused.",
		manager->reload_ok);
	gauge(m, "tend_config_last_reload_timestamp_seconds", "When it was last tried.",
		(double)manager->reload_wall / 1e6);
	gauge(m, "tend_outbox_depth", "Deliveries that wait.",
		(double)alert_outbox_depth(manager->alert));
	gauge(m, "tend_store_healthy", "0: the store does not commit.", store.healthy);
	gauge(m, "tend_store_queue", "Batches that wait for the store.", (double)store.n_queued);
	counter(m, "tend_store_commits_total", "Commits.", store.n_commits);
	counter(m, "tend_store_failures_total", "Commits that failed.", store.n_failed);
	gauge(m, "tend_store_commit_seconds", "How long the last commit took.",
		(double)store.last_commit_usec / 1e6);
	counter(m, "tend_log_dropped_total", "Log lines lost to a full journal.", log_dropped());
	counter(m, "tend_api_requests_total", "Requests to the API.", api->n_requests);
	head(m, "tend_api_limited_total", "counter",
		"What others told too fast, and was not taken (429), by what it was.");
	for (int i = 0; i < API_INBOUND_MAX; i++)
		put(m, "tend_api_limited_total{path=\"%s\"} %" PRIu64 "\n", api_inbound_names[i],
			api->n_limited[i]);
	counter(m, "tend_api_refused_total", "Requests refused for their role, path or form.",
		api->n_refused);
}

void api_get_metrics(struct request *request)
{
	struct manager *manager = request->api->manager;
	struct metrics m = {.text = STR_INIT(METRICS_MAX_BYTES)};
	size_t len;

	daemon_metrics(&m, request->api);
	checks_state(&m, manager->watch);
	checks_results(&m, manager->watch);
	receivers(&m, manager->alert);
	policies_metrics(&m, manager->policies);
	len = m.text.len;
	if (m.failed) {
		str_clear(&m.text);
		request_fail(request, API_ERROR_INTERNAL, "no memory for the metrics");
		return;
	}
	request_answer(
		request, 200, "text/plain; version=0.0.4; charset=utf-8", str_take(&m.text), len);
}

json_t *api_health(const struct api *api)
{
	const struct manager *m = api->manager;
	struct store_stats stats = {0};
	json_t *why = json_array();

	if (!watch_healthy(m->watch))
		(void)json_array_append_new(why, json_string("due checks are not started in time"));
	if (!alert_healthy(m->alert))
		(void)json_array_append_new(
			why, json_string("due deliveries are not tried in time"));
	store_get_stats(m->store, &stats);
	if (!stats.healthy)
		(void)json_array_append_new(
			why, json_sprintf("the store does not commit: %s",
				     stats.last_error[0] ? stats.last_error : "a commit is late"));
	return why;
}

void api_get_healthz(struct request *request)
{
	auto_json json_t *why = api_health(request->api);
	struct str text = STR_INIT(1 << 16);
	size_t i, len;
	json_t *line;
	int r = 0;

	json_array_foreach (why, i, line)
		r = str_appendf(&text, "%s\n", json_string_value(line));
	if (json_array_size(why) == 0)
		r = str_appendf(&text, "ok\n");
	if (!why || r < 0) {
		str_clear(&text);
		request_fail(request, API_ERROR_INTERNAL, "no memory");
		return;
	}
	len = text.len;
	request_answer(request, json_array_size(why) ? 503 : 200, "text/plain; charset=utf-8",
		str_take(&text), len);
}
