/* SPDX-License-Identifier: MIT */
/*
 * alert/snmp.c: tries by the helper process `tend-snmp notify`: an inform whose acknowledgement is
 * the delivery, or a trap, of which nothing more is known than that it was sent. Passwords go over
 * the socketpair, never by arguments.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/child.h"
#include "snmp/varbinds.h"

#define ENGINE_FILE  "snmp-engine"	/* in the state directory; the helper's */
#define ANSWER_GRACE (2 * USEC_PER_SEC) /* for the helper's own time-out to be reported first */

struct snmp_notifier {
	struct alert *alert;
	struct child *child;
	struct vec tries; /* struct snmp_try * */
	usec_t heard_at;  /* of clock_now(): its last word */
	bool engine_told;
	char engine_id[80]; /* ours, for v3 traps; "" while it is not known */
};

struct snmp_try {
	struct snmp_notifier *notifier;
	struct shipment *shipment;
	usec_t began; /* of clock_now() */
	try_fn done;
};

/* ---- the helper ----------------------------------------------------------------------------- */

static bool sends_v3_traps(const struct conf_receiver *conf)
{
	return conf && conf->type == RECEIVER_SNMP && conf->snmp_notify == CONF_SNMP_TRAP &&
	       conf->snmp_version == CONF_SNMP_3;
}

/* For v3 traps the helper keeps an engine id in a file, whose boots rise once a start of ours: not
 * when the helper is started again, nor at a reload. */
static void tell_engine(struct snmp_notifier *notifier)
{
	const struct alert *alert = notifier->alert;
	struct rpc *rpc = notifier->child ? child_rpc(notifier->child) : NULL;
	bool wanted = false;

	MAP_FOREACH (&alert->receivers, const struct receiver *, receiver)
		wanted = wanted || sends_v3_traps(receiver->conf);
	if (!wanted || !rpc || notifier->engine_told)
		return;
	notifier->engine_told =
		rpc_call(rpc, "engine",
			json_pack("{s:o, s:o}", "file",
				json_sprintf("%s/" ENGINE_FILE, alert->conf->daemon.state_dir),
				"start",
				json_sprintf("%d-%llu", (int)getpid(),
					(unsigned long long)alert->started)),
			0, NULL, NULL, NULL) == 0;
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct snmp_notifier *notifier = data;
	const char *engine_id = json_string_value(json_object_get(args, "engine_id"));

	if (strcmp(call, "engine") == 0 && engine_id)
		str_sanitize(notifier->engine_id, sizeof(notifier->engine_id), engine_id,
			strlen(engine_id));
	if (id)
		(void)rpc_error(rpc, id, "invalid", "tendd serves no call '%s' here", call);
}

static void on_up(struct child *child, struct rpc *rpc, void *data)
{
	struct snmp_notifier *notifier = data;

	notifier->engine_told = false;
	tell_engine(notifier);
	MAP_FOREACH (&notifier->alert->receivers, struct receiver *, receiver)
		if (receiver->conf && receiver->conf->type == RECEIVER_SNMP)
			receiver_pump(receiver);
}

static void on_down(struct child *child, const char *why, void *data)
{
	log_warning("tend-snmp notify ended: %s; informs wait until it is back", why);
}

int snmp_notifier_new(struct alert *alert, struct snmp_notifier **ret_notifier)
{
	struct snmp_notifier *notifier = calloc(1, sizeof(*notifier));
	auto_free char *path = str_printf("%s/tend-snmp", alert->deps.libexec_dir);
	const char *const argv[] = {path, "notify", NULL};
	const struct child_spec spec = {.name = "tend-snmp notify",
		.argv = argv,
		.on_call = on_call,
		.on_up = on_up,
		.on_down = on_down,
		.data = notifier};
	int r;

	if (!notifier || !path) {
		free(notifier);
		return -ENOMEM;
	}
	notifier->alert = alert;
	r = child_new(alert->deps.loop, &spec, &notifier->child);
	if (r < 0) {
		free(notifier);
		return r;
	}
	*ret_notifier = notifier;
	return 0;
}

void snmp_notifier_apply(struct snmp_notifier *notifier)
{
	tell_engine(notifier);
}

const char *snmp_engine_id(const struct alert *alert, const struct conf_receiver *conf)
{
	return alert->notifier && sends_v3_traps(conf) && alert->notifier->engine_id[0]
		       ? alert->notifier->engine_id
		       : NULL;
}

bool snmp_is_ready(struct alert *alert)
{
	const struct snmp_notifier *notifier = alert->notifier;

	return notifier && notifier->child && child_rpc(notifier->child);
}

int64_t snmp_rate(struct alert *alert, const struct conf_receiver *conf)
{
	return 6000; /* small, and a manager expects storms of them */
}

/* ---- tries ---------------------------------------------------------------------------------- */

static void try_end(struct snmp_try *try, const struct judgement *j)
{
	struct vec *tries = &try->notifier->tries;

	for (size_t i = 0; i < tries->len; i++)
		if (tries->items[i] == try) {
			vec_remove(tries, i);
			break;
		}
	if (try->shipment) {
		try->shipment->try = NULL;
		if (j)
			try->done(try->shipment, j);
		shipment_unref(try->shipment);
	}
	free(try);
}

struct snmp_notifier *snmp_notifier_free(struct snmp_notifier *notifier)
{
	const struct judgement j = {.verdict = VERDICT_RETRY,
		.error = "the helper was stopped while it waited for the answer"};

	if (!notifier)
		return NULL;
	notifier->child = child_free(notifier->child);
	while (notifier->tries.len > 0)
		try_end(notifier->tries.items[0], notifier->alert->freeing ? NULL : &j);
	vec_clear(&notifier->tries);
	free(notifier);
	return NULL;
}

static void judge(const struct rpc_reply *reply, struct judgement *ret_judgement)
{
	struct judgement j = {.verdict = VERDICT_RETRY};
	char message[160];

	if (reply->r == 0 && json_is_true(json_object_get(reply->ok, "acknowledged"))) {
		j.verdict = VERDICT_DELIVERED;
	} else if (reply->r == 0 && json_is_true(json_object_get(reply->ok, "sent"))) {
		j.verdict = VERDICT_DELIVERED;
		snprintf(j.error, sizeof(j.error), "sent, not acknowledged");
	} else if (reply->r == -EREMOTEIO) {
		str_sanitize(message, sizeof(message), reply->message, strlen(reply->message));
		snprintf(j.error, sizeof(j.error), "%.64s: %s", reply->error_code, message);
		if (strcmp(reply->error_code, "rejected") == 0 ||
			strcmp(reply->error_code, "invalid") == 0)
			j.verdict = VERDICT_FAILED;
	} else {
		snprintf(j.error, sizeof(j.error), "%s",
			reply->r == 0 ? "not acknowledged"
			: reply->r == -ETIMEDOUT
				? "timeout: the helper does not answer"
				: "the helper ended while it waited for the answer");
	}
	*ret_judgement = j;
}

/* It keeps the time of each call itself: one that says nothing to anybody for so long hangs. */
static void look_after_helper(const struct snmp_try *try, const struct rpc_reply *reply)
{
	struct snmp_notifier *notifier = try->notifier;

	if (reply->r != -ETIMEDOUT) {
		notifier->heard_at = clock_now();
	} else if (notifier->heard_at < try->began && child_rpc(notifier->child)) {
		log_error("tend-snmp notify hangs: it is killed and started again");
		child_kill(notifier->child);
		notifier->heard_at = clock_now();
	}
}

static void on_reply(const struct rpc_reply *reply, void *data)
{
	struct snmp_try *try = data;
	struct judgement j;

	look_after_helper(try, reply);
	judge(reply, &j);
	try_end(try, try->notifier->alert->freeing ? NULL : &j);
}

/* "192.0.2.7", "192.0.2.7:162", "2001:db8::7", "[2001:db8::7]:162": always with a port. */
static char *host_with_port(const char *host)
{
	const char *colon = strchr(host, ':');

	if (*host == '[')
		return strstr(host, "]:") ? strdup(host) : str_printf("%s:162", host);
	if (!colon)
		return str_printf("%s:162", host);
	return strchr(colon + 1, ':') ? str_printf("[%s]:162", host) : strdup(host);
}

static int set_string(json_t *args, const char *key, const char *value)
{
	if (!value)
		return 0;
	return json_object_set_new(args, key, json_string(value)) < 0 ? -ENOMEM : 0;
}

static int compose_varbinds(const struct alert *alert, const struct delivery *d, json_t **ret_json)
{
	auto_free char *text = notice_compose_text(&d->record->notice, d->merged);
	struct notice notice = d->record->notice;
	int r;

	if (!text)
		return -ENOMEM;
	notice.text = text;
	r = snmp_notice_varbinds(&notice, d->sequence, store_epoch(alert->deps.store),
		clock_now() - alert->started, ret_json);
	return r == -EINVAL ? -EOPNOTSUPP : r;
}

static int compose(const struct try_context *context, const struct delivery *d, json_t **ret_args)
{
	const struct conf_receiver *conf = context->conf;
	auto_free char *host = host_with_port(conf->host);
	auto_json json_t *args = json_object(), *varbinds = NULL;
	int r = host && args ? compose_varbinds(context->alert, d, &varbinds) : -ENOMEM;

	if (r == 0)
		r = set_string(args, "host", host);
	if (r == 0)
		r = set_string(args, "version", conf_snmp_version_names[conf->snmp_version]);
	if (r == 0)
		r = set_string(args, "user", conf->user);
	if (r == 0 && conf->auth_password)
		r = set_string(
			args, "auth_protocol", conf_auth_protocol_names[conf->auth_protocol]);
	if (r == 0)
		r = set_string(args, "auth_password", conf->auth_password);
	if (r == 0 && conf->priv_password)
		r = set_string(
			args, "priv_protocol", conf_priv_protocol_names[conf->priv_protocol]);
	if (r == 0)
		r = set_string(args, "priv_password", conf->priv_password);
	if (r == 0)
		r = set_string(args, "community", conf->community);
	if (r == 0 && (json_object_set_new(args, "timeout_msec",
			       json_integer((json_int_t)(conf->timeout / USEC_PER_MSEC))) < 0 ||
			      json_object_set(args, "varbinds", varbinds) < 0))
		r = -ENOMEM;
	if (r == 0)
		*ret_args = TAKE(args);
	return r;
}

/* The helper's answer still comes, to nobody. */
void snmp_cancel(struct shipment *s)
{
	struct snmp_try *try = s->try;

	s->try = NULL;
	try->shipment = NULL;
	shipment_unref(s);
}

int snmp_start(const struct try_context *context, struct shipment *s)
{
	struct snmp_notifier *notifier = context->alert->notifier;
	struct rpc *rpc = child_rpc(notifier->child);
	struct snmp_try *try;
	json_t *args = NULL;
	int r;

	if (!rpc)
		return -ENOTCONN;
	r = compose(context, shipment_first(s), &args);
	if (r < 0)
		return r;
	try = calloc(1, sizeof(*try));
	r = try ? vec_push(&notifier->tries, try) : -ENOMEM;
	if (r < 0) {
		free(try);
		json_decref(args);
		return r;
	}
	*try = (struct snmp_try){.notifier = notifier,
		.shipment = shipment_ref(s),
		.began = clock_now(),
		.done = context->done};
	r = rpc_call(rpc, context->conf->snmp_notify == CONF_SNMP_TRAP ? "trap" : "inform", args,
		context->conf->timeout + ANSWER_GRACE, on_reply, try, NULL);
	if (r < 0)
		try_end(try, NULL);
	return r;
}
