/* SPDX-License-Identifier: MIT */
#include "agent.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/dial.h"
#include "common/reason.h"

/* Our own words come before the core's. */
#define END_MARGIN_USEC (20 * USEC_PER_MSEC)
enum { ENGINE_MIN_BYTES = 5 };

static const struct oid uptime_oid = {9, {1, 3, 6, 1, 2, 1, 1, 3, 0}};

__attribute__((format(printf, 3, 4))) static void fail(
	struct agent *agent, enum tend_reason reason, const char *format, ...)
{
	char text[AGENT_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	agent->state = AGENT_OVER;
	agent->user->failed(agent, reason, text);
}

/* ---- asking -------------------------------------------------------------------------------- */

static void new_id(struct agent *agent)
{
	if (getrandom(&agent->id, sizeof(agent->id), GRND_NONBLOCK) != sizeof(agent->id))
		agent->id = (uint32_t)tend_now();
	agent->id &= INT32_MAX;
	agent->n_bad = 0;
	agent->asked_at = tend_now();
}

static bool send_question(
	struct agent *agent, const struct message_way *way, const struct pdu_ask *ask)
{
	unsigned char buf[MESSAGE_ASK_BYTES];
	const unsigned char *start;
	size_t len;
	int r = message_write(way, ask->request_id, agent->salt++, ask, buf, &start, &len);

	if (r < 0) {
		fail(agent, TEND_REASON_INTERNAL, "the question cannot be made: %s", strerror(-r));
		return false;
	}
	/* What is full now has room when it is sent again. */
	if (send(agent->fd, start, len, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != ENOBUFS) {
		fail(agent, connect_errno_reason(errno), "%s", strerror(errno));
		return false;
	}
	return true;
}

static bool send_now(struct agent *agent)
{
	static const struct oid *const none[1];
	const struct pdu_ask discovery = {.type = PDU_GET, .request_id = agent->id, .oids = none};
	usec_t now = tend_now();

	agent->way.engine.time =
		agent->engine_time + (uint32_t)((now - agent->engine_at) / USEC_PER_SEC);
	agent->ask.request_id = agent->id;
	agent->waiting = true;
	agent->sent_at = now;
	agent->n_sent++;
	return send_question(
		agent, &agent->way, agent->state == AGENT_DISCOVER ? &discovery : &agent->ask);
}

/* Who cannot decrypt a question may be silent (net-snmp is). The same once more, signed only: when
 * that is answered, be it by a refusal, it is the encryption that does not fit. */
static bool send_unsealed(struct agent *agent)
{
	struct message_way way = agent->way;
	struct pdu_ask ask = agent->ask;
	bool sent;

	if (agent->state != AGENT_HELLO || way.version != MESSAGE_V3 ||
		way.keys.priv == USM_NO_PRIV)
		return true;
	agent->unsealed_id = (agent->id + 1) & INT32_MAX;
	ask.request_id = agent->unsealed_id;
	way.keys.priv = USM_NO_PRIV;
	sent = send_question(agent, &way, &ask);
	usm_wipe(&way.keys);
	return sent;
}

void agent_ask(struct agent *agent, enum pdu_type type, const struct oid *const *oids, size_t n,
	int repetitions, const char *what)
{
	memcpy(agent->oids, oids, n * sizeof(oids[0]));
	agent->ask = (struct pdu_ask){
		.type = type, .repetitions = repetitions, .oids = agent->oids, .n_oids = n};
	(void)snprintf(agent->what, sizeof(agent->what), "%s", what);
	new_id(agent);
	(void)send_now(agent);
}

static void discover(struct agent *agent)
{
	agent->state = AGENT_DISCOVER;
	agent->way.engine = (struct usm_engine){0};
	agent->engine_time = 0;
	agent->engine_at = tend_now();
	new_id(agent);
	(void)send_now(agent);
}

static void hello(struct agent *agent)
{
	const struct oid *oids[] = {&uptime_oid};

	agent->state = AGENT_HELLO;
	agent_ask(agent, PDU_GET, oids, 1, 0, "sysUpTime");
}

static void fail_privacy(struct agent *agent)
{
	fail(agent, TEND_REASON_AUTH_FAILED,
		"user '%s': another privacy password or protocol (it answers what is signed, not "
		"what is encrypted)",
		agent->conf->user);
}

static usec_t resend_of(const struct agent *agent)
{
	usec_t most =
		(tend_attempt_deadline(agent->attempt) - tend_attempt_started(agent->attempt)) / 4;

	return agent->conf->resend < most ? agent->conf->resend : most;
}

static void on_tick(struct tend_attempt *a, void *data)
{
	struct agent *agent = data;
	usec_t now = tend_now(), next = now + resend_of(agent);

	if (agent->waiting && agent->sent_at + resend_of(agent) <= now) {
		if (agent->state == AGENT_HELLO && agent->unsealed_heard) {
			fail_privacy(agent);
			return;
		}
		if (!send_now(agent) || !send_unsealed(agent))
			return;
	} else if (agent->waiting) {
		next = agent->sent_at + resend_of(agent);
	}
	(void)tend_timer_new(a, next, on_tick, agent, NULL);
}

/* ---- the engine of v3 ---------------------------------------------------------------------- */

static void take_time(struct agent *agent, const struct usm_engine *engine)
{
	agent->way.engine.boots = engine->boots;
	agent->engine_time = engine->time;
	agent->engine_at = tend_now();
}

static void take_engine(struct agent *agent, const struct usm_engine *engine)
{
	const struct agent_conf *c = agent->conf;

	if (engine->len < ENGINE_MIN_BYTES) {
		fail(agent, TEND_REASON_PROTOCOL, "its engine id has %zu bytes, fewer than %d",
			engine->len, (int)ENGINE_MIN_BYTES);
		return;
	}
	agent->way.engine = *engine;
	take_time(agent, engine);
	if (usm_make_keys(&agent->way.keys, c->auth_password, c->priv_password, engine) < 0) {
		fail(agent, TEND_REASON_INTERNAL, "OpenSSL makes no keys of the passwords");
		return;
	}
	if (agent->answer_usec == 0) {
		hello(agent);
	} else {
		agent->state = AGENT_OPEN;
		new_id(agent);
		(void)send_now(agent);
	}
}

enum { REPORT_TIME = 1, REPORT_ENGINE };
static const struct {
	struct oid oid;
	enum tend_reason reason;
	int again; /* what a second try may mend */
	const char *words;
} reports[] = {
#define USM(n)                                                                                     \
	{                                                                                          \
		10,                                                                                \
		{                                                                                  \
			1, 3, 6, 1, 6, 3, 15, 1, 1, (n)                                            \
		}                                                                                  \
	}
#define MPD(n)                                                                                     \
	{                                                                                          \
		10,                                                                                \
		{                                                                                  \
			1, 3, 6, 1, 6, 3, 11, 2, 1, (n)                                            \
		}                                                                                  \
	}
#define TARGET(n)                                                                                  \
	{                                                                                          \
		9,                                                                                 \
		{                                                                                  \
			1, 3, 6, 1, 6, 3, 12, 1, (n)                                               \
		}                                                                                  \
	}
	{USM(1), TEND_REASON_AUTH_FAILED, 0,
		"it does not take this user at this level of security"},
	{USM(2), TEND_REASON_PROTOCOL, REPORT_TIME, "it takes neither our time nor its own"},
	{USM(3), TEND_REASON_AUTH_FAILED, 0, "it does not know this user"},
	{USM(4), TEND_REASON_PROTOCOL, REPORT_ENGINE,
		"it has another engine id each time it is asked"},
	{USM(5), TEND_REASON_AUTH_FAILED, 0,
		"another authentication password or protocol (wrong digest)"},
	{USM(6), TEND_REASON_AUTH_FAILED, 0,
		"another privacy password or protocol (it cannot decrypt)"},
	{MPD(1), TEND_REASON_PROTOCOL, 0, "it does not know the user-based security model"},
	{MPD(3), TEND_REASON_PROTOCOL, 0, "it does not answer such questions"},
	{TARGET(4), TEND_REASON_OBJECT_MISSING, 0, "the context is not available"},
	{TARGET(5), TEND_REASON_OBJECT_MISSING, 0, "it does not know the context"},
#undef USM
#undef MPD
#undef TARGET
};

static void on_report(struct agent *agent, const struct message *m)
{
	char text[OID_TEXT_BYTES] = "nothing";

	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]) && m->answer.n_binds; i++) {
		if (!oid_below(&m->answer.binds[0].name, &reports[i].oid))
			continue;
		if (reports[i].again == REPORT_TIME && m->authentic && !agent->tuned) {
			agent->tuned = true;
			take_time(agent, &m->engine);
			new_id(agent);
			(void)send_now(agent);
		} else if (reports[i].again == REPORT_ENGINE && !agent->found_again) {
			agent->found_again = true;
			discover(agent);
		} else {
			fail(agent, reports[i].reason, "user '%s': %s", agent->conf->user,
				reports[i].words);
		}
		return;
	}
	if (m->answer.n_binds)
		(void)oid_text(&m->answer.binds[0].name, text, sizeof(text));
	fail(agent, TEND_REASON_PROTOCOL, "it reports %s", text);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void on_hello(struct agent *agent, const struct pdu_answer *answer)
{
	agent->state = AGENT_OPEN;
	agent->answer_usec = tend_now() - agent->asked_at + 1;
	if (answer->status == PDU_NO_ACCESS || answer->status == PDU_AUTHORIZATION) {
		fail(agent, TEND_REASON_ACCESS_DENIED, "it lets us see nothing");
		return;
	}
	if (answer->n_binds == 1 && answer->binds[0].value.type == VALUE_TICKS)
		agent->uptime_ticks = (int64_t)answer->binds[0].value.number;
	agent->user->ready(agent);
}

static void take_packet(struct agent *agent, unsigned char *data, size_t len)
{
	static struct message m; /* too large for a stack; one thread, and used up at once */
	int r = message_read(&agent->way, data, len, &m);

	if (agent->state == AGENT_HELLO && agent->unsealed_id && m.msg_id == agent->unsealed_id &&
		(r == 0 || (r == -EKEYREJECTED && m.authentic))) {
		agent->unsealed_heard = true;
		return;
	}
	if (r < 0) {
		agent->n_bad++;
		agent->bad = r;
		return;
	}
	/* An answer to what was asked before, or to nobody. */
	if (!agent->waiting || (agent->way.version == MESSAGE_V3 && m.msg_id != agent->id))
		return;
	if (m.answer.type == PDU_RESPONSE && m.answer.request_id != agent->id)
		return;
	if (m.answer.type == PDU_REPORT && agent->way.version != MESSAGE_V3)
		return;
	agent->waiting = false;
	agent->heard = true;
	if (agent->state == AGENT_DISCOVER)
		take_engine(agent, &m.engine);
	else if (m.answer.type == PDU_REPORT)
		on_report(agent, &m);
	else if (agent->state == AGENT_HELLO)
		on_hello(agent, &m.answer);
	else
		agent->user->answered(agent, &m.answer);
}

static void on_io(struct tend_attempt *a, int fd, uint32_t events, void *data)
{
	static unsigned char packet[MESSAGE_MAX_BYTES];
	struct agent *agent = data;

	/* One a turn: whatever it brings may end the attempt. */
	ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

	if (n >= 0)
		take_packet(agent, packet, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		fail(agent, connect_errno_reason(errno), "%s", strerror(errno));
}

/* ---- silence ------------------------------------------------------------------------------- */

static void fail_unheard(struct agent *agent)
{
	bool v3 = agent->way.version == MESSAGE_V3;

	if (agent->n_bad)
		fail(agent, TEND_REASON_PROTOCOL, "what is answered is %s",
			agent->bad != -EKEYREJECTED ? "no SNMP of this version"
			: v3			    ? "not from the engine and user that were asked"
						    : "of another community");
	else
		fail(agent, TEND_REASON_NO_REPLY, "none of %u questions was answered%s",
			agent->n_sent,
			v3 ? "" : " (an agent that does not take the community is silent)");
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct agent *agent = data;

	if (agent->state == AGENT_OVER)
		return;
	if (agent->state == AGENT_NAME)
		fail(agent, TEND_REASON_DNS_FAILED, "%s: the name servers do not answer in time",
			agent->conf->host);
	else if (!agent->heard)
		fail_unheard(agent);
	else if (agent->state == AGENT_HELLO && agent->unsealed_heard)
		fail_privacy(agent);
	else if (agent->state == AGENT_HELLO && agent->n_bad && agent->bad == -EKEYREJECTED)
		fail(agent, TEND_REASON_AUTH_FAILED,
			"its answers to user '%s' are not signed as they should be",
			agent->conf->user);
	else if (agent->state == AGENT_HELLO)
		fail(agent, TEND_REASON_TOO_SLOW,
			"%s was not answered in time, though the agent is there%s", agent->what,
			agent->conf->context ? " (it may have no such context)" : "");
	else if (agent->n_bad)
		fail(agent, TEND_REASON_PROTOCOL, "%s: what is answered is no SNMP", agent->what);
	else
		fail(agent, TEND_REASON_TOO_SLOW, "%s was not answered in time", agent->what);
}

/* ---- name and socket ----------------------------------------------------------------------- */

static int open_socket(struct agent *agent, const struct tend_address *address)
{
	struct tend_address to = *address;
	int r;

	if (to.sa.sa_family == AF_INET6)
		to.in6.sin6_port = htons((uint16_t)agent->conf->port);
	else
		to.in.sin_port = htons((uint16_t)agent->conf->port);
	dial_address_text(address, (unsigned)agent->conf->port, agent->where, sizeof(agent->where));
	agent->fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (agent->fd < 0)
		return -errno;
	/* So only what this agent sends is heard, and that nobody listens there. */
	r = connect(agent->fd, &to.sa, to.length) < 0
		    ? -errno
		    : tend_io_new(agent->attempt, agent->fd, EPOLLIN, on_io, agent, &agent->io);
	if (r < 0) {
		(void)close(agent->fd);
		agent->fd = -1;
	}
	return r;
}

static void begin(struct agent *agent)
{
	(void)tend_timer_new(agent->attempt, tend_now() + resend_of(agent), on_tick, agent, NULL);
	if (agent->way.version == MESSAGE_V3)
		discover(agent);
	else
		hello(agent);
}

static void on_resolved(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	static const int wanted[] = {AF_UNSPEC, AF_INET, AF_INET6};
	struct tend_address sorted[TEND_RESOLVE_MAX];
	struct agent *agent = data;
	int error = 0;

	agent->dns_usec = tend_now() - tend_attempt_started(a);
	if (r < 0) {
		fail(agent, TEND_REASON_DNS_FAILED, "%s: %s", agent->conf->host,
			r == -ENOENT ? "there is no such name" : strerror(-r));
		return;
	}
	n = dial_order(addresses, n, wanted[agent->conf->family], sorted);
	for (size_t i = 0; i < n && agent->fd < 0; i++) {
		r = open_socket(agent, &sorted[i]); /* a family may have no route */
		error = r < 0 ? -r : 0;
	}
	if (n == 0)
		fail(agent, TEND_REASON_DNS_FAILED, "%s: the name has no address of this family",
			agent->conf->host);
	else if (agent->fd < 0)
		fail(agent, connect_errno_reason(error), "%s", strerror(error));
	else
		begin(agent);
}

int agent_start(struct agent *agent, const struct agent_user *user, struct tend_attempt *a,
	const struct agent_conf *conf)
{
	int r;

	*agent = (struct agent){
		.user = user, .attempt = a, .conf = conf, .fd = -1, .uptime_ticks = -1};
	agent->way = (struct message_way){
		.version = conf->version ? MESSAGE_V3 : MESSAGE_V2C,
		.community = conf->community,
		.user = conf->user,
		.context = conf->context,
		.keys = {.auth = (enum usm_auth)conf->auth, .priv = (enum usm_priv)conf->priv},
	};
	/* A salt must not come twice with one key (RFC 3826, 3.1.2.1). */
	if (getrandom(&agent->salt, sizeof(agent->salt), GRND_NONBLOCK) != sizeof(agent->salt))
		agent->salt = tend_now();
	r = tend_timer_new(a, tend_attempt_deadline(a) - END_MARGIN_USEC, on_late, agent, NULL);
	return r < 0 ? r : tend_resolve(a, conf->host, on_resolved, agent);
}

void agent_stop(struct agent *agent)
{
	agent->state = AGENT_OVER;
	tend_io_free(agent->io);
	agent->io = NULL;
	if (agent->fd >= 0)
		(void)close(agent->fd);
	agent->fd = -1;
	usm_wipe(&agent->way.keys);
}
