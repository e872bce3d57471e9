/* SPDX-License-Identifier: MIT */
#include "snmp/notify.h"
#include <string.h>
#include "base/clock.h"
#include "snmp/pdu.h"
#include "snmp/sink.h"

enum { TIMEOUT_MIN_MSEC = 100, TIMEOUT_MAX_MSEC = 300000, TIMEOUT_DEFAULT_MSEC = 5000 };

struct notify {
	struct loop *loop;
	struct loop_source *timer;
	struct sink *sinks[NOTIFY_MAX_SINKS];
	size_t n_sinks;
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
	free(n);
	return NULL;
}

static void on_done(struct inform *inform, void *data)
{
	struct request *request = data;

	if (inform->outcome == INFORM_ACKNOWLEDGED)
		(void)rpc_ok(request->rpc, request->id, json_pack("{s:b}", "acknowledged", 1));
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

static int inform(
	struct notify *n, struct rpc *rpc, uint64_t id, json_t *args, struct tend_error *err)
{
	struct sink_spec spec = {
		.host = text(args, "host"),
		.version = text(args, "version"),
		.user = text(args, "user"),
		.auth_protocol = text(args, "auth_protocol"),
		.auth_password = text(args, "auth_password"),
		.priv_protocol = text(args, "priv_protocol"),
		.priv_password = text(args, "priv_password"),
		.community = text(args, "community"),
	};
	json_t *given = json_object_get(args, "timeout_msec");
	json_int_t msec = given ? json_integer_value(given) : TIMEOUT_DEFAULT_MSEC;
	struct request *request;
	netsnmp_pdu *pdu = NULL;
	struct sink *sink = NULL;
	int r;

	if (msec < TIMEOUT_MIN_MSEC || msec > TIMEOUT_MAX_MSEC)
		return tend_error_set(err, -EINVAL, "timeout_msec must be %d to %d",
			TIMEOUT_MIN_MSEC, TIMEOUT_MAX_MSEC);
	r = pdu_from_json(json_object_get(args, "varbinds"), err, &pdu);
	if (r == 0)
		r = find_sink(n, &spec, err, &sink);
	if (r < 0) {
		snmp_free_pdu(pdu);
		return r;
	}
	request = malloc(sizeof(*request));
	if (!request) {
		snmp_free_pdu(pdu);
		return tend_error_set(err, -ENOMEM, "out of memory");
	}
	*request = (struct request){.rpc = rpc, .id = id};
	r = sink_send(sink, pdu, (usec_t)msec * USEC_PER_MSEC, on_done, request);
	if (r < 0) {
		free(request);
		return tend_error_set(err, r, "too many informs wait for this receiver");
	}
	return 0;
}

void notify_on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct tend_error err = {0};

	if (id == 0)
		return;
	if (strcmp(call, "inform") != 0)
		(void)rpc_error(rpc, id, "invalid", "there is no call of this name");
	else if (inform(data, rpc, id, args, &err) < 0)
		(void)rpc_error(rpc, id, "send", "%s", err.text);
}

void notify_step(struct notify *n)
{
	usec_t due = USEC_INFINITY;

	for (size_t i = 0; i < n->n_sinks; i++)
		due = MIN(due, sink_step(n->sinks[i], n->sinks, n->n_sinks));
	loop_timer_set(n->timer, due);
}
