/* SPDX-License-Identifier: MIT */
#include "snmp/notify.h"
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "snmp/boots.h"
#include "snmp/pdu.h"
#include "snmp/sink.h"

enum { TIMEOUT_MIN_MSEC = 100, TIMEOUT_MAX_MSEC = 300000, TIMEOUT_DEFAULT_MSEC = 5000 };

struct notify {
	struct loop *loop;
	struct loop_source *timer;
	struct sink *sinks[NOTIFY_MAX_SINKS];
	size_t n_sinks;
	/* Who we are to receivers of v3 traps; not loaded before tendd said where it is kept. */
	char *engine_file, *engine_start;
	usec_t engine_tried;
	struct boots boots;
	char engine_error[TEND_ERROR_TEXT_BYTES];
};

struct request {
	struct rpc *rpc;
	uint64_t id;
};

/* Waking up is all: notify_step() follows every event. */
static void on_timer(void *data)
{
}

int notify_new(struct loop *loop, struct notify **ret_notify)
{
	struct notify *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->loop = loop;
	r = loop_timer_new(loop, on_timer, NULL, &n->timer);
	if (r < 0) {
		free(n);
		return r;
	}
	*ret_notify = n;
	return 0;
}

struct notify *notify_free(struct notify *n)
{
	if (!n)
		return NULL;
	for (size_t i = 0; i < n->n_sinks; i++)
		sink_free(n->sinks[i]);
	loop_source_free(n->timer);
	free(n->engine_file);
	free(n->engine_start);
	free(n);
	return NULL;
}

/* ---- our own engine ------------------------------------------------------------------------- */

static int load_engine(struct notify *n, struct rpc *rpc, struct tend_error *err)
{
	char id[BOOTS_TEXT_BYTES];
	int r = n->boots.len > 0 ? boots_renew(n->engine_file, err, &n->boots)
				 : boots_load(n->engine_file, n->engine_start, err, &n->boots);

	if (r < 0)
		return r;
	(void)rpc_call(rpc, "engine",
		json_pack("{s:s, s:I}", "engine_id", boots_format_id(&n->boots, id), "boots",
			(json_int_t)n->boots.boots),
		0, NULL, NULL, NULL);
	return 0;
}

/* A disk that was full may not be full for ever; asked again by traps, but not by each. */
static int need_engine(struct notify *n, struct rpc *rpc, struct tend_error *err)
{
	usec_t now = clock_now();
	int r;

	if (!n->engine_file)
		return tend_error_set(err, -EINVAL, "the engine for traps is not known");
	if (n->boots.len > 0 && !boots_is_behind(&n->boots, boots_clock(), clock_wall()))
		return 0;
	if (n->engine_error[0] && now - n->engine_tried < USEC_PER_SEC)
		return tend_error_set(err, -EIO, "%s", n->engine_error);
	n->engine_tried = now;
	r = load_engine(n, rpc, err);
	if (r < 0) {
		snprintf(n->engine_error, sizeof(n->engine_error), "%s", err->text);
		log_error("tend-snmp: no SNMPv3 trap can be sent: %s", err->text);
		return r;
	}
	n->engine_error[0] = '\0';
	return 0;
}

static void on_engine(struct notify *n, struct rpc *rpc, json_t *args)
{
	struct tend_error err = {0};
	const char *file, *start;

	if (n->engine_file)
		return; /* it does not change while we live */
	if (json_unpack(args, "{s:s, s:s}", "file", &file, "start", &start) < 0 || *file != '/') {
		log_error("tend-snmp: the note `engine' is not valid");
		return;
	}
	n->engine_file = strdup(file);
	n->engine_start = strdup(start);
	if (!n->engine_file || !n->engine_start) {
		free(n->engine_file);
		n->engine_file = NULL;
		return;
	}
	(void)need_engine(n, rpc, &err);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void on_done(struct inform *inform, void *data)
{
	struct request *request = data;

	if (inform->outcome == INFORM_ACKNOWLEDGED || inform->outcome == INFORM_SENT)
		(void)rpc_ok(request->rpc, request->id,
			json_pack("{s:b}", inform_outcome_names[inform->outcome], 1));
	else
		(void)rpc_error(request->rpc, request->id, inform_outcome_names[inform->outcome],
			"%s", inform->why);
	free(request);
}

/* Room for one more: the idle sink that was used longest ago goes. */
static int make_room(struct notify *n)
{
	size_t oldest = n->n_sinks;

	if (n->n_sinks < NOTIFY_MAX_SINKS)
		return 0;
	for (size_t i = 0; i < n->n_sinks; i++)
		if (sink_idle(n->sinks[i]) &&
			(oldest == n->n_sinks ||
				sink_last_used(n->sinks[i]) < sink_last_used(n->sinks[oldest])))
			oldest = i;
	if (oldest == n->n_sinks)
		return -ENOBUFS;
	sink_free(n->sinks[oldest]);
	n->sinks[oldest] = n->sinks[--n->n_sinks];
	return 0;
}

static int find_sink(struct notify *n, const struct sink_spec *spec, struct tend_error *err,
	struct sink **ret_sink)
{
	int r;

	for (size_t i = 0; i < n->n_sinks; i++) {
		if (sink_is(n->sinks[i], spec)) {
			*ret_sink = n->sinks[i];
			return 0;
		}
	}
	r = make_room(n);
	if (r < 0)
		return tend_error_set(err, r, "%d receivers are busy already", NOTIFY_MAX_SINKS);
	r = sink_new(n->loop, spec, err, &n->sinks[n->n_sinks]);
	if (r == 0)
		*ret_sink = n->sinks[n->n_sinks++];
	return r;
}

static const char *text(json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

static int start(
	struct notify *n, struct request *request, bool trap, json_t *args, struct tend_error *err)
{
	struct sink_spec spec = {
		.host = text(args, "host"),
		.version = text(args, "version"),
		.trap = trap,
		.boots = &n->boots,
		.user = text(args, "user"),
		.auth_protocol = text(args, "auth_protocol"),
		.auth_password = text(args, "auth_password"),
		.priv_protocol = text(args, "priv_protocol"),
		.priv_password = text(args, "priv_password"),
		.community = text(args, "community"),
	};
	json_t *given = json_object_get(args, "timeout_msec");
	json_int_t msec = given ? json_integer_value(given) : TIMEOUT_DEFAULT_MSEC;
	netsnmp_pdu *pdu = NULL;
	struct sink *sink = NULL;
	int r = 0;

	if (msec < TIMEOUT_MIN_MSEC || msec > TIMEOUT_MAX_MSEC)
		return tend_error_set(err, -EINVAL, "timeout_msec must be %d to %d",
			TIMEOUT_MIN_MSEC, TIMEOUT_MAX_MSEC);
	if (trap && str_eq(spec.version, "3"))
		r = need_engine(n, request->rpc, err);
	if (r == 0)
		r = pdu_from_json(
			json_object_get(args, "varbinds"), sink_command(&spec), err, &pdu);
	if (r == 0)
		r = find_sink(n, &spec, err, &sink);
	if (r < 0) {
		snmp_free_pdu(pdu);
		return r;
	}
	r = sink_send(sink, pdu, (usec_t)msec * USEC_PER_MSEC, on_done, request);
	if (r < 0)
		return tend_error_set(err, r, "too many notices wait for this receiver");
	return 0;
}

static void on_notice(struct notify *n, struct rpc *rpc, uint64_t id, bool trap, json_t *args)
{
	struct request *request = malloc(sizeof(*request));
	struct tend_error err = {.text = "out of memory"};

	if (request) {
		*request = (struct request){.rpc = rpc, .id = id};
		if (start(n, request, trap, args, &err) == 0)
			return;
	}
	free(request);
	(void)rpc_error(rpc, id, "send", "%s", err.text);
}

void notify_on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	bool trap = strcmp(call, "trap") == 0;

	if (id == 0 && strcmp(call, "engine") == 0)
		on_engine(data, rpc, args);
	else if (id != 0 && (trap || strcmp(call, "inform") == 0))
		on_notice(data, rpc, id, trap, args);
	else if (id != 0)
		(void)rpc_error(rpc, id, "invalid", "there is no call of this name");
}

void notify_step(struct notify *n)
{
	usec_t due = USEC_INFINITY;

	for (size_t i = 0; i < n->n_sinks; i++)
		due = MIN(due, sink_step(n->sinks[i], n->sinks, n->n_sinks));
	loop_timer_set(n->timer, due);
}
