/* SPDX-License-Identifier: MIT */
/* `tendctl check try`: one attempt by tendd's own engine, of a configuration that lives in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "conf/plugins.h"
#include "ctl/check.h"
#include "ctl/writer.h"
#include "loop/child.h"
#include "net/net.h"
#include "try/catalog.h"
#include "try/try.h"
#include "watch/watch.h"

struct trial {
	const struct try_options *options;
	const struct tend_probe *probe;
	struct conf *conf;
	struct loop *loop;
	struct net *net;
	struct watch *watch;
	struct loop_source *signals[2];
	json_t *result;
};

/* ---- what cannot be tried ------------------------------------------------------------------- */

static int complain(const struct try_options *o, const char *text)
{
	char clean[1024];

	str_sanitize(clean, sizeof(clean), text, strlen(text));
	if (!o->nagios) {
		(void)fprintf(stderr, "tend-try: %s\n", clean);
		return TRY_USAGE;
	}
	/* '|' begins the figures. */
	for (char *p = clean; *p; p++)
		if (*p == '|')
			*p = '/';
	(void)printf("UNKNOWN: %s\n", clean);
	return TRY_UNKNOWN;
}

/* ---- the configuration ---------------------------------------------------------------------- */

/* In memory: nothing of a trial is left on a disk. */
static int load_text(const char *text, const char *plugin_dir, struct conf_errors *errors,
	struct conf **ret_conf)
{
	auto_close int fd = memfd_create("tend-try", MFD_CLOEXEC);
	char path[64];

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -EIO;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return conf_load(path, plugin_dir, errors, ret_conf);
}

/* All of them: who mends one wants to know of the next. */
static int tell_errors(const struct conf_errors *errors, int r, struct tend_error *err)
{
	static const char title[] = "[check " ASK_CHECK "] ";
	auto_str struct str text = STR_INIT(sizeof(err->text) - 1);

	for (size_t i = 0; i < errors->len; i++) {
		const char *one = errors->items[i].text;

		if (str_startswith(one, title))
			one += strlen(title);
		(void)str_appendf(&text, "%s%s", i ? "; " : "", one);
	}
	return tend_error_set(err, r, "%s", text.len ? str_get(&text) : strerror(-r));
}

static int load(struct trial *t, char *const *words, size_t n_words, struct tend_error *err)
{
	const struct ask_places *places = &t->options->places;
	auto_free char *text = NULL;
	struct conf_errors errors = {0};
	int r = ask_text(t->probe, places, words, n_words, &text, err);

	if (r < 0)
		return r;
	r = load_text(text, places->plugin_dir, &errors, &t->conf);
	if (r < 0)
		r = tell_errors(&errors, r, err);
	conf_errors_clear(&errors);
	return r;
}

/* ---- the attempt ---------------------------------------------------------------------------- */

static json_t *result_json(const struct trial *t, const struct check *check)
{
	auto_json json_t *full = watch_check_to_json(check, true);
	const struct result *last = &check->last;

	return json_pack("{s:s, s:s, s:s, s:s, s:f, s:O}", "probe", t->probe->name, "now",
		tend_state_name(last->verdict), "reason", tend_reason_name(last->reason), "text",
		last->text, "duration_ms", (double)(last->finished - last->started) / 1000.0,
		"metrics", json_object_get(full, "metrics"));
}

static void on_done(int r, struct check *check, void *data)
{
	struct trial *t = data;

	if (r == 0)
		t->result = result_json(t, check);
	loop_stop(t->loop, 0);
}

static void on_signal(int signo, void *data)
{
	struct trial *t = data;

	loop_stop(t->loop, -EINTR);
}

static int set_up(struct trial *t)
{
	int r = loop_new(&t->loop);

	if (r == 0)
		r = loop_signal_new(t->loop, SIGTERM, on_signal, t, &t->signals[0]);
	if (r == 0)
		r = loop_signal_new(t->loop, SIGINT, on_signal, t, &t->signals[1]);
	if (r == 0)
		r = net_new(t->loop, &t->net);
	if (r == 0)
		r = watch_new(t->loop, NULL, t->net, &t->watch);
	if (r == 0)
		r = watch_apply(t->watch, t->conf);
	return r;
}

static int attempt(struct trial *t)
{
	int r = set_up(t);

	if (r == 0)
		r = watch_run_now(t->watch, ASK_CHECK, 0, on_done, t);
	if (r == 0)
		r = loop_run(t->loop);
	return r < 0 ? r : t->result ? 0 : -EIO;
}

static void trial_clear(struct trial *t)
{
	watch_free(t->watch);
	net_free(t->net);
	children_drain(USEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_SIZE(t->signals); i++)
		loop_source_free(t->signals[i]);
	loop_free(t->loop);
	conf_unref(t->conf);
	json_decref(t->result);
}

/* ---- what is shown -------------------------------------------------------------------------- */

static const char *get(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

/* Durations that the probe took apart. */
static bool is_phase(const json_t *metric)
{
	return str_endswith(get(metric, "name"), "_seconds") && !*get(metric, "instance");
}

static const char *help_of(const struct tend_probe *probe, const char *name)
{
	for (const struct tend_metric_doc *doc = probe->metric_docs; doc && doc->name; doc++)
		if (strcmp(doc->name, name) == 0)
			return doc->help;
	return "";
}

static void print_metric(const struct trial *t, const json_t *metric)
{
	const char *instance = get(metric, "instance");
	auto_free char *name =
		str_printf("%s%s%s", get(metric, "name"), *instance ? " of " : "", instance);

	(void)printf("  %-28s %12.6g %-3s", name ? name : "",
		json_number_value(json_object_get(metric, "value")), get(metric, "unit"));
	if (strcmp(get(metric, "state"), "ok") != 0)
		(void)printf(" %s", get(metric, "state"));
	if (*get(metric, "warning"))
		(void)printf(" warning %s", get(metric, "warning"));
	if (*get(metric, "critical"))
		(void)printf(" critical %s", get(metric, "critical"));
	if (t->options->verbose && *help_of(t->probe, get(metric, "name")))
		(void)printf("  # %s", help_of(t->probe, get(metric, "name")));
	(void)putchar('\n');
}

static void print_metrics(const struct trial *t, const char *title, bool phases)
{
	bool first = true;
	size_t i;
	json_t *metric;

	json_array_foreach (json_object_get(t->result, "metrics"), i, metric) {
		if (is_phase(metric) != phases)
			continue;
		if (first)
			(void)printf("%s\n", title);
		first = false;
		print_metric(t, metric);
	}
}

static void print_page(const struct trial *t)
{
	int reason = tend_reason_from_name(get(t->result, "reason"));

	(void)printf("%s, %s, after %.1f ms\n  %s\n", get(t->result, "now"),
		get(t->result, "reason"),
		json_number_value(json_object_get(t->result, "duration_ms")),
		get(t->result, "text"));
	if (t->options->verbose && reason > 0)
		(void)printf("  %s: %s\n", get(t->result, "reason"),
			tend_reason_text((enum tend_reason)reason));
	print_metrics(t, "Phases", true);
	print_metrics(t, "Metrics", false);
}

static int show(const struct trial *t)
{
	int code = TRY_UNKNOWN;
	auto_free char *line = NULL;

	if (t->options->nagios) {
		line = check_nagios_line(t->result, &code);
		(void)puts(line ? line : "UNKNOWN: no memory");
		return line ? code : TRY_UNKNOWN;
	}
	if (t->options->json) {
		(void)json_dumpf(t->result, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		(void)putchar('\n');
	} else {
		print_page(t);
	}
	return ctl_exit_of_state(get(t->result, "now"));
}

int try_check(
	const struct try_options *options, const char *name, char *const *words, size_t n_words)
{
	struct trial t = {.options = options};
	struct tend_error err = {0};
	int r = plugin_load(options->places.plugin_dir, name, &t.probe, &err), code;

	if (r == 0)
		r = load(&t, words, n_words, &err);
	if (r < 0) {
		code = complain(options, err.text[0] ? err.text : strerror(-r));
		trial_clear(&t);
		return code;
	}
	r = attempt(&t);
	if (r < 0) {
		(void)complain(options, r == -EINTR ? "interrupted" : strerror(-r));
		code = TRY_UNKNOWN;
	} else {
		code = show(&t);
	}
	(void)fflush(stdout);
	trial_clear(&t);
	return code;
}
