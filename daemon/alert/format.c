/* SPDX-License-Identifier: MIT */
#include "alert/format.h"
#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/child.h"

enum { CALL_MAX_TRIES = 2, MAX_BAD_STARTS = 4 };

struct format_call {
	struct format *format;
	const char *name;
	json_t *args;
	format_fn fn;
	void *data;
	usec_t give_up_at;
	unsigned n_tries;
	int r; /* once on the list of those done */
	json_t *ok;
	char why[FORMAT_ERROR_BYTES];
	TAILQ_ENTRY(format_call) link; /* in waiting or done; not while it is asked */
};
TAILQ_HEAD(call_list, format_call);

struct format {
	struct formats *formats;
	char *name;   /* as in the configuration */
	char *chunk;  /* the file's name, for messages */
	char *source; /* NULL: it cannot be read */
	json_t *library;
	enum format_state state;
	struct format_spec spec;
	char error[FORMAT_ERROR_BYTES];
	struct child *child;
	struct call_list waiting, done;
	struct format_call *asked; /* at most one: the time is its own */
	size_t n_waiting;
	struct loop_source *timer, *defer;
	const char *killed_why; /* by us; NULL: it went by itself */
	usec_t load_by;		/* it must be up by then; 0: it is not starting */
	usec_t asked_by;	/* the call must be answered by then, */
	usec_t asked_cpu;	/* or before its process has spent more CPU time than that */
	unsigned n_bad_starts;	/* in a row */
	uint64_t n_calls, n_failed, n_killed;
	bool leaving; /* no longer configured: goes when its calls have ended */
	bool wanted;  /* by the configuration that is being applied */
};

struct formats {
	struct loop *loop;
	char *program; /* tend-run */
	char *lua_dir;
	json_t *library;
	void (*known)(void *data);
	void *data;
	struct map formats; /* struct format *, by name */
	struct vec leaving; /* struct format * */
};

const char *const format_state_names[FORMAT_STATE_MAX] = {
	[FORMAT_STARTING] = "starting",
	[FORMAT_UP] = "up",
	[FORMAT_BAD] = "bad",
};

static void pump(struct format *f);
static struct format *format_free(struct format *f);

/* ---- calls ---------------------------------------------------------------------------------- */

static void call_free(struct format_call *call)
{
	json_decref(call->args);
	json_decref(call->ok);
	free(call);
}

/* Its function is called from the loop, never from within a call of the owner. */
static void call_done(struct format_call *call, int r, json_t *ok, const char *why)
{
	struct format *f = call->format;

	call->r = r;
	call->ok = ok ? json_incref(ok) : NULL;
	snprintf(call->why, sizeof(call->why), "%s", why ? why : "");
	if (r < 0) {
		f->n_failed++;
		snprintf(f->error, sizeof(f->error), "%s", call->why);
	}
	TAILQ_INSERT_TAIL(&f->done, call, link);
	loop_defer_set(f->defer, true);
}

static void on_defer(void *data)
{
	struct format *f = data;
	struct format_call *call;

	/* A function may cancel others and ask anew; it never frees the format. */
	while ((call = TAILQ_FIRST(&f->done))) {
		TAILQ_REMOVE(&f->done, call, link);
		call->fn(call->r, call->ok, call->why, call->data);
		call_free(call);
	}
	if (f->state == FORMAT_BAD)
		f->child = child_free(f->child);
	if (!f->leaving)
		return;
	for (size_t i = 0; i < f->formats->leaving.len; i++)
		if (f->formats->leaving.items[i] == f) {
			vec_remove(&f->formats->leaving, i);
			break;
		}
	format_free(f);
}

static struct format_call *take_waiting(struct format *f)
{
	struct format_call *call = TAILQ_FIRST(&f->waiting);

	if (call) {
		TAILQ_REMOVE(&f->waiting, call, link);
		f->n_waiting--;
	}
	return call;
}

static void fail_waiting(struct format *f, int r, const char *why)
{
	struct format_call *call;

	while ((call = take_waiting(f)))
		call_done(call, r, NULL, why);
}

/* The runner has gone, or had to. It is asked once more: what killed it may have been the machine.
 */
static void end_asked(struct format *f, const char *why)
{
	struct format_call *call = TAKE(f->asked);

	if (!call)
		return;
	if (call->n_tries < CALL_MAX_TRIES && clock_now() < call->give_up_at) {
		TAILQ_INSERT_HEAD(&f->waiting, call, link);
		f->n_waiting++;
		return;
	}
	call_done(call, -ETIMEDOUT, NULL, why);
}

static void on_reply(const struct rpc_reply *reply, void *data)
{
	struct format *f = data;
	struct format_call *call = f->asked;

	if (!call || reply->r == -ECONNRESET)
		return; /* on_down() knows why */
	f->asked = NULL;
	if (reply->r == 0)
		call_done(call, 0, reply->ok, NULL);
	else
		call_done(call, -EREMOTEIO, NULL, reply->message ? reply->message : "no answer");
	pump(f);
}

/* On a busy machine it gets less than it asks for, so what it has spent counts; by the clock it
 * ends when it gets none at all. */
static usec_t next_look(const struct format *f, usec_t now)
{
	usec_t spent = child_cpu(f->child);

	if (now >= f->asked_by || spent >= f->asked_cpu)
		return 0;
	return MIN(f->asked_by, now + f->asked_cpu - spent);
}

static void ask_next(struct format *f)
{
	struct rpc *rpc = f->child ? child_rpc(f->child) : NULL;
	struct format_call *call;
	int r;

	if (!rpc || f->state != FORMAT_UP || f->asked)
		return;
	call = take_waiting(f);
	if (!call)
		return;
	call->n_tries++;
	f->n_calls++;
	f->asked = call;
	r = rpc_call(rpc, call->name, json_incref(call->args), 0, on_reply, f, NULL);
	if (r == 0) {
		f->asked_by = clock_now() + FORMAT_CALL_USEC;
		f->asked_cpu = child_cpu(f->child) + FORMAT_CALL_CPU_USEC;
		loop_timer_set(f->timer, clock_now() + FORMAT_CALL_CPU_USEC);
		return;
	}
	f->asked = NULL;
	call_done(call, r, NULL, r == -EMSGSIZE ? "the notice is longer than 1 MiB" : strerror(-r));
	pump(f);
}

/* One timer: of the call that is asked, of the start, or of those that wait for a runner. */
static void pump(struct format *f)
{
	struct format_call *first;
	usec_t at = USEC_INFINITY;

	ask_next(f);
	if (f->asked)
		return;
	first = TAILQ_FIRST(&f->waiting);
	if (first)
		at = first->give_up_at;
	if (f->load_by)
		at = MIN(at, f->load_by);
	loop_timer_set(f->timer, at);
}

static void kill_runner(struct format *f, const char *why)
{
	f->n_killed++;
	f->killed_why = why;
	log_warning("format '%s': %s, its process is killed", f->name, why);
	child_kill(f->child); /* and on_down() follows */
}

static void on_timer(void *data)
{
	struct format *f = data;
	struct format_call *first;
	char why[FORMAT_ERROR_BYTES];
	usec_t now = clock_now(), at = f->asked ? next_look(f, now) : 0;

	if (at > 0) {
		loop_timer_set(f->timer, at);
		return;
	}
	if (f->asked) {
		kill_runner(f, now >= f->asked_by ? "no answer within 2 s"
						  : "no answer within 250 ms of CPU time");
		return;
	}
	if (f->load_by && f->load_by <= now) {
		f->load_by = 0;
		kill_runner(f, "it does not load within 5 s");
	}
	snprintf(why, sizeof(why), "its process is not up%s%.400s", f->error[0] ? ": " : "",
		f->error);
	while ((first = TAILQ_FIRST(&f->waiting)) && first->give_up_at <= now)
		call_done(take_waiting(f), -ETIMEDOUT, NULL, why);
	pump(f);
}

int format_ask(struct format *format, const char *name, json_t *args, format_fn fn, void *data,
	struct format_call **ret_call)
{
	struct format_call *call = calloc(1, sizeof(*call));

	if (!call || !args || format->n_waiting >= FORMAT_MAX_WAITING) {
		int r = call && args ? -EBUSY : -ENOMEM;

		json_decref(args);
		free(call);
		return r;
	}
	*call = (struct format_call){.format = format,
		.name = name,
		.args = args,
		.fn = fn,
		.data = data,
		.give_up_at = clock_now() + FORMAT_WAIT_USEC};
	if (format->state == FORMAT_BAD) {
		call_done(call, -ENOEXEC, NULL, format->error);
	} else {
		TAILQ_INSERT_TAIL(&format->waiting, call, link);
		format->n_waiting++;
		pump(format);
	}
	*ret_call = call;
	return 0;
}

static void ignore_answer(int r, json_t *ok, const char *why, void *data)
{
}

void format_cancel(struct format_call *call)
{
	/* It stays in its list: the runner may be at it. */
	if (call)
		call->fn = ignore_answer;
}

/* ---- the runner ----------------------------------------------------------------------------- */

static void turn_bad(struct format *f, const char *why)
{
	f->state = FORMAT_BAD;
	f->load_by = 0;
	if (why != f->error)
		snprintf(f->error, sizeof(f->error), "%s", why);
	loop_timer_set(f->timer, 0);
	end_asked(f, f->error);
	fail_waiting(f, -ENOEXEC, f->error);
	/* Its process ends; not here, within a call of its connection. */
	loop_defer_set(f->defer, true);
}

static void tell_known(const struct format *f)
{
	if (f->formats->known)
		f->formats->known(f->formats->data);
}

static void refuse(struct format *f, const char *why)
{
	log_error("format '%s': %s; its receivers get CloudEvents", f->name, why);
	turn_bad(f, why);
	tell_known(f);
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct format *f = data;
	struct tend_error err = {0};
	const char *message;

	if (f->state != FORMAT_STARTING) {
		rpc_error(rpc, id, "invalid", "a format asks nothing");
	} else if (strcmp(call, "described") == 0) {
		if (format_spec_parse(json_object_get(args, "format"), &f->spec, &err) < 0) {
			auto_free char *why = str_printf("%s: %s", f->chunk, err.text);

			refuse(f, why ? why : err.text);
			return;
		}
		f->state = FORMAT_UP;
		f->load_by = 0;
		f->n_bad_starts = 0;
		tell_known(f);
		pump(f);
	} else if (strcmp(call, "failed") == 0) {
		message = json_string_value(json_object_get(args, "message"));
		refuse(f, message ? message : "it cannot be loaded");
	}
}

static void on_up(struct child *child, struct rpc *rpc, void *data)
{
	struct format *f = data;
	json_t *args = json_pack("{s:s, s:s, s:s, s:O}", "mode", "format", "chunk", f->chunk,
		"source", f->source, "library", f->library);

	if (f->state == FORMAT_BAD)
		return;
	f->state = FORMAT_STARTING;
	f->load_by = clock_now() + FORMAT_START_USEC;
	if (!args || rpc_call(rpc, "start", args, 0, NULL, NULL, NULL) < 0)
		log_warning("format '%s': its process cannot be told what to do", f->name);
	pump(f);
}

static void on_down(struct child *child, const char *why, void *data)
{
	struct format *f = data;
	char text[FORMAT_ERROR_BYTES];

	if (f->state == FORMAT_BAD)
		return;
	snprintf(text, sizeof(text), "%s%.300s",
		f->killed_why ? "" : "its process ended: ", f->killed_why ? f->killed_why : why);
	f->killed_why = NULL;
	f->load_by = 0;
	snprintf(f->error, sizeof(f->error), "%s", text);
	if (f->state == FORMAT_STARTING && ++f->n_bad_starts >= MAX_BAD_STARTS) {
		refuse(f, text);
		return;
	}
	f->state = FORMAT_STARTING;
	end_asked(f, text);
	pump(f);
}

static int start_runner(struct format *f)
{
	const char *const argv[] = {f->formats->program, "--format", NULL};
	auto_free char *name = str_printf("format %s", f->name);
	const struct child_spec spec = {.name = name,
		.argv = argv,
		.on_call = on_call,
		.on_up = on_up,
		.on_down = on_down,
		.data = f};

	return name ? child_new(f->formats->loop, &spec, &f->child) : -ENOMEM;
}

/* ---- formats -------------------------------------------------------------------------------- */

static struct format *format_free(struct format *f)
{
	struct format_call *call;

	if (!f)
		return NULL;
	child_free(f->child);
	if (f->asked)
		call_free(f->asked);
	while ((call = take_waiting(f)))
		call_free(call);
	while ((call = TAILQ_FIRST(&f->done))) {
		TAILQ_REMOVE(&f->done, call, link);
		call_free(call);
	}
	loop_source_free(f->timer);
	loop_source_free(f->defer);
	format_spec_clear(&f->spec);
	json_decref(f->library);
	free(f->name);
	free(f->chunk);
	free(f->source);
	free(f);
	return NULL;
}
DEFINE_AUTO(struct format *, format_free)

int formats_new(
	struct loop *loop, void (*known)(void *data), void *data, struct formats **ret_formats)
{
	struct formats *formats = calloc(1, sizeof(*formats));

	if (!formats)
		return -ENOMEM;
	formats->loop = loop;
	formats->known = known;
	formats->data = data;
	*ret_formats = formats;
	return 0;
}

struct formats *formats_free(struct formats *formats)
{
	if (!formats)
		return NULL;
	MAP_FOREACH (&formats->formats, struct format *, f)
		format_free(f);
	VEC_FOREACH (&formats->leaving, struct format *, f)
		format_free(f);
	map_clear(&formats->formats);
	vec_clear(&formats->leaving);
	free(formats->program);
	free(formats->lua_dir);
	json_decref(formats->library);
	free(formats);
	return NULL;
}

static const char *format_name_of(const struct conf_receiver *conf)
{
	return conf->type != RECEIVER_WEBHOOK || !conf->format ||
			       strcmp(conf->format, "cloudevents") == 0
		       ? NULL
		       : conf->format;
}

struct format *formats_find(const struct formats *formats, const struct conf_receiver *conf)
{
	const char *name = format_name_of(conf);

	return name ? map_get(&formats->formats, name) : NULL;
}

static int format_new(struct formats *formats, const char *name, const char *path,
	const char *source, json_t *library, struct format **ret_format)
{
	auto(format_free) struct format *f = calloc(1, sizeof(*f));
	const char *slash = strrchr(path, '/');
	int r;

	if (!f)
		return -ENOMEM;
	TAILQ_INIT(&f->waiting);
	TAILQ_INIT(&f->done);
	f->formats = formats;
	f->name = strdup(name);
	f->chunk = strdup(slash ? slash + 1 : path);
	f->source = source ? strdup(source) : NULL;
	f->library = json_incref(library);
	r = f->name && f->chunk ? loop_timer_new(formats->loop, on_timer, f, &f->timer) : -ENOMEM;
	if (r == 0)
		r = loop_defer_new(formats->loop, on_defer, f, &f->defer);
	if (r < 0)
		return r;
	loop_source_name(f->timer, "format timer");
	loop_source_name(f->defer, "format answers");
	loop_defer_set(f->defer, false);
	*ret_format = TAKE(f);
	return 0;
}

/* A runner whose file and library are as they were goes on. */
static bool is_same(const struct format *f, const char *source, const json_t *library)
{
	return f && f->state != FORMAT_BAD && str_eq(f->source, source) &&
	       json_equal(f->library, library);
}

static void hand_on_list(struct format *old, struct format *f, struct call_list *list)
{
	struct format_call *call;

	TAILQ_FOREACH(call, list, link)
	call->format = f;
	TAILQ_CONCAT(list == &old->done ? &f->done : &f->waiting, list, link);
}

/* The file was changed: what waits is for the new one. */
static void hand_on(struct format *old, struct format *f)
{
	if (old->asked) {
		TAILQ_INSERT_HEAD(&old->waiting, old->asked, link);
		old->asked = NULL;
		old->n_waiting++;
	}
	f->n_waiting += old->n_waiting;
	old->n_waiting = 0;
	hand_on_list(old, f, &old->waiting);
	hand_on_list(old, f, &old->done);
	loop_defer_set(f->defer, true);
	if (f->state == FORMAT_BAD)
		fail_waiting(f, -ENOEXEC, f->error);
}

static int want(struct formats *formats, const char *name, const char *path, json_t *library)
{
	struct format *old = map_get(&formats->formats, name);
	auto(format_free) struct format *f = NULL;
	auto_free char *source = NULL;
	struct tend_error err = {0};
	int r;

	if (old && old->wanted)
		return 0;
	(void)format_read(path, &source, &err);
	if (is_same(old, source, library)) {
		old->wanted = true;
		return 0;
	}
	r = format_new(formats, name, path, source, library, &f);
	if (r < 0)
		return r;
	f->wanted = true;
	if (source) {
		r = start_runner(f);
		if (r < 0)
			return r;
	} else {
		/* Whoever applies the configuration asks for the state afterwards. */
		log_error("format '%s': %s; its receivers get CloudEvents", name, err.text);
		turn_bad(f, err.text);
	}
	if (old) {
		hand_on(old, f);
		(void)map_remove(&formats->formats, name);
		format_free(old);
	}
	r = map_put(&formats->formats, name, f);
	if (r == 0)
		pump(TAKE(f));
	return r;
}

static void drop_unwanted(struct formats *formats)
{
	for (size_t i = formats->formats.len; i-- > 0;) {
		struct format *f = formats->formats.slots[i].value;

		if (f->wanted)
			continue;
		(void)map_remove(&formats->formats, f->name);
		/* Its calls end first. */
		f->leaving = vec_push(&formats->leaving, f) == 0;
		if (f->leaving)
			turn_bad(f, "it is no longer configured");
	}
}

int formats_open(struct formats *formats, const char *libexec_dir, const char *lua_dir)
{
	auto_free char *program = str_printf("%s/tend-run", libexec_dir);
	auto_free char *dir = strdup(lua_dir);
	json_t *library;
	int r = program && dir ? format_read_library(lua_dir, &library) : -ENOMEM;

	if (r < 0)
		return r;
	json_decref(formats->library);
	formats->library = library;
	free(formats->program);
	formats->program = TAKE(program);
	free(formats->lua_dir);
	formats->lua_dir = TAKE(dir);
	return 0;
}

int formats_want(struct formats *formats, const char *name, struct format **ret_format)
{
	auto_free char *path = format_path(formats->lua_dir, name);
	int r = path ? want(formats, name, path, formats->library) : -ENOMEM;

	if (r == 0)
		*ret_format = map_get(&formats->formats, name);
	return r;
}

int formats_apply(struct formats *formats, const struct conf *conf)
{
	int r = formats_open(formats, conf->daemon.libexec_dir, conf->daemon.lua_dir);
	struct format *f;

	if (r < 0)
		return r;
	MAP_FOREACH (&formats->formats, struct format *, one)
		one->wanted = false;
	MAP_FOREACH (&conf->receivers, const struct conf_receiver *, receiver) {
		const char *name = format_name_of(receiver);

		r = name ? formats_want(formats, name, &f) : 0;
		if (r < 0)
			return r;
	}
	drop_unwanted(formats);
	return 0;
}

/* ---- what is known of one ------------------------------------------------------------------- */

const struct format_spec *format_get_spec(const struct format *format)
{
	return format->spec.doc && format->state != FORMAT_BAD ? &format->spec : NULL;
}

enum format_state format_get_state(const struct format *format)
{
	return format->state;
}

const char *format_get_error(const struct format *format)
{
	return format->error;
}

json_t *format_to_json(const struct format *f)
{
	return json_pack("{s:s, s:s, s:s?, s:I, s:I, s:I, s:i}", "name", f->name, "state",
		format_state_names[f->state], "error", f->error[0] ? f->error : NULL, "calls",
		(json_int_t)f->n_calls, "failed", (json_int_t)f->n_failed, "killed",
		(json_int_t)f->n_killed, "pid", f->child ? (int)child_pid(f->child) : 0);
}
