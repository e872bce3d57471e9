/* SPDX-License-Identifier: MIT */
/*
 * What comes back from the net when tend-snmp has sent an inform: sinks on loopback, and a peer
 * that says what the input wants, while time, which is the input's, goes on. Byte 0: see MODE_*;
 * then records: a kind, a length, so many bytes (see `records`). Without the passwords nothing of
 * it may be an acknowledgement, a trap is never acknowledged, and each ends in its time. With
 * MODE_SPEC the rest is lines, what a sink is made of; nothing is sent then.
 * Parser: daemon/snmp/sink.c.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "snmp/sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MODE_V3 = 1,
	MODE_TRAP = 2,
	MODE_V1 = 4,  /* with MODE_TRAP, without MODE_V3 */
	MODE_TWO = 8, /* two sinks: the same user, other passwords */
	MODE_V6 = 16,
	MODE_SPEC = 32,
	MODE_ABANDON = 64, /* freed with what is in flight */
};

enum {
	MAX_RECORDS = 16,
	MAX_SENT = SINK_MAX_WAITING + SINK_WINDOW + 64, /* of one input */
	MAX_STEPS = 20000,
	MAX_PARTIES = 2,
	PACKET_BYTES = 2048,
	TICK_USEC = 20000,
	SECOND_PARTY = 8, /* in the kind of a record */
};

struct packet {
	unsigned char data[PACKET_BYTES];
	size_t len;
};

struct party {
	struct sink_spec spec;
	struct sink *sink;
	unsigned n_sent, n_done;
};

/* What the peer has heard of one socket. */
struct sender {
	struct sockaddr_storage address;
	socklen_t address_len;
	struct packet request; /* the last one */
};

static struct loop *loop;
static int peers[2]; /* IPv4, IPv6; the same where there is no IPv6 */
static char hosts[2][64];
static int peer; /* which of them is asked now */
static struct party parties[MAX_PARTIES];
static unsigned n_parties;
static struct sender senders[MAX_PARTIES];
static unsigned n_senders;
static unsigned n_asked;      /* of MAX_SENT */
static struct packet request; /* which is answered */
static usec_t fake_now;

/* net-snmp's own hashes a megabyte for each password, which is not what is tried here. */
int generate_Ku(const oid *hash, u_int hash_len, const u_char *password, size_t len, u_char *key,
	size_t *key_len)
{
	*key_len = 32;
	memset(key, 0x5a, *key_len);
	memcpy(key, password, MIN(len, *key_len));
	return SNMPERR_SUCCESS;
}

static usec_t read_now(void)
{
	return fake_now;
}

static const struct clock_source fake_clock = {read_now, read_now};

/* net-snmp's clock, which its timeouts count by: it shall be the same. */
void netsnmp_get_monotonic_clock(struct timeval *ret)
{
	ret->tv_sec = (time_t)(fake_now / USEC_PER_SEC);
	ret->tv_usec = (suseconds_t)(fake_now % USEC_PER_SEC);
}

static int open_peer(int family, const struct sockaddr *address, socklen_t len)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, address, len) < 0) {
		(void)close(fd);
		return -errno;
	}
	return fd < 0 ? -errno : fd;
}

static void set_up(void)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 own6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(own), len6 = sizeof(own6);

	log_open("fuzz", LOG_EMERG);
	library_begin();
	library_start("fuzz");
	peers[0] = open_peer(AF_INET, (struct sockaddr *)&own, len);
	assert(peers[0] >= 0 && getsockname(peers[0], (struct sockaddr *)&own, &len) == 0);
	snprintf(hosts[0], sizeof(hosts[0]), "127.0.0.1:%u", ntohs(own.sin_port));
	peers[1] = open_peer(AF_INET6, (struct sockaddr *)&own6, len6);
	if (peers[1] >= 0 && getsockname(peers[1], (struct sockaddr *)&own6, &len6) == 0) {
		snprintf(hosts[1], sizeof(hosts[1]), "[::1]:%u", ntohs(own6.sin6_port));
	} else {
		peers[1] = peers[0];
		memcpy(hosts[1], hosts[0], sizeof(hosts[1]));
	}
	clock_set_source(&fake_clock);
	assert(loop_new(&loop) == 0);
}

/* ---- BER, as much as is needed --------------------------------------------------------------- */

static void put(struct packet *p, const void *data, size_t len)
{
	assert(p->len + len <= sizeof(p->data));
	memcpy(p->data + p->len, data, len);
	p->len += len;
}

static void put_tlv(struct packet *p, unsigned char tag, const void *data, size_t len)
{
	const unsigned char head[] = {
		tag, 0x82, (unsigned char)(len >> 8), (unsigned char)(len & 0xff)};

	put(p, head, sizeof(head));
	put(p, data, len);
}

static void put_packet(struct packet *p, unsigned char tag, const struct packet *inner)
{
	put_tlv(p, tag, inner->data, inner->len);
}

/* The n-th INTEGER within the sequences at the beginning: version, msgID, ... */
static void find_integer(const struct packet *p, unsigned n, struct packet *ret)
{
	size_t at = 0;

	while (at + 2 <= p->len) {
		unsigned char tag = p->data[at++];
		size_t len = p->data[at++];

		if (len == 0x82 && at + 2 <= p->len) {
			len = (size_t)p->data[at] << 8 | p->data[at + 1];
			at += 2;
		} else if (len == 0x81 && at < p->len) {
			len = p->data[at++];
		}
		if (tag == 0x30)
			continue;
		if (len > p->len - at)
			return;
		if (tag == 0x02 && n-- == 0) {
			put(ret, p->data + at, len);
			return;
		}
		at += len;
	}
}

/* A Report of this engine, without authentication: engine discovery, RFC 3414, 4. */
static void make_report(
	struct packet *p, const char *user, unsigned char oid_end, const uint8_t *id, size_t len)
{
	static const unsigned char flags[] = {0x00}, model[] = {3}, version[] = {3},
				   size[] = {8, 0};
	static const unsigned char zero[] = {0};
	const unsigned char stat[] = {0x2b, 6, 1, 6, 3, 15, 1, 1, oid_end, 0};
	struct packet msgid = {0}, header = {0}, usm = {0}, usm_text = {0}, varbind = {0},
		      varbinds = {0}, list = {0}, pdu = {0}, scoped = {0}, all = {0};

	find_integer(&request, 1, &msgid);
	put_packet(&header, 0x02, &msgid);
	put_tlv(&header, 0x02, size, sizeof(size));
	put_tlv(&header, 0x04, flags, sizeof(flags));
	put_tlv(&header, 0x02, model, sizeof(model));
	put_tlv(&usm, 0x04, id, len);
	put_tlv(&usm, 0x02, zero, 1);
	put_tlv(&usm, 0x02, zero, 1);
	put_tlv(&usm, 0x04, user, strlen(user));
	put_tlv(&usm, 0x04, "", 0);
	put_tlv(&usm, 0x04, "", 0);
	put_packet(&usm_text, 0x30, &usm);
	put_tlv(&varbind, 0x06, stat, sizeof(stat));
	put_tlv(&varbind, 0x41, zero, 1);
	put_packet(&list, 0x30, &varbind);
	put_packet(&varbinds, 0x30, &list);
	put_tlv(&pdu, 0x02, zero, 1);
	put_tlv(&pdu, 0x02, zero, 1);
	put_tlv(&pdu, 0x02, zero, 1);
	put(&pdu, varbinds.data, varbinds.len);
	put_tlv(&scoped, 0x04, id, len);
	put_tlv(&scoped, 0x04, "", 0);
	put_packet(&scoped, 0xa8, &pdu);
	put_tlv(&all, 0x02, version, 1);
	put_packet(&all, 0x30, &header);
	put_packet(&all, 0x04, &usm_text);
	put_packet(&all, 0x30, &scoped);
	put_packet(p, 0x30, &all);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void answer_raw(struct packet *p, const uint8_t *data, size_t len)
{
	put(p, data, len);
}

/* The request itself, with some of its bytes changed: pairs of a place and a byte. */
static void answer_changed(struct packet *p, const uint8_t *data, size_t len)
{
	*p = request;
	for (size_t i = 0; i + 1 < len; i += 2)
		if (data[i] < p->len)
			p->data[data[i]] = data[i + 1];
}

static void answer_report(struct packet *p, const uint8_t *data, size_t len)
{
	if (len > 0)
		make_report(p, "", data[0], data + 1, len - 1);
}

static void answer_report_of_user(struct packet *p, const uint8_t *data, size_t len)
{
	if (len > 0)
		make_report(p, "fuzz", data[0], data + 1, len - 1);
}

static void (*const answers[])(struct packet *p, const uint8_t *data, size_t len) = {
	answer_raw, answer_changed, answer_report, answer_report_of_user};

/* ---- the sinks ------------------------------------------------------------------------------ */

static void take_request(const struct packet *p, const struct sockaddr_storage *from, socklen_t len)
{
	struct sender *s = senders;

	while (s < senders + n_senders &&
		(s->address_len != len || memcmp(&s->address, from, len) != 0))
		s++;
	if (s == senders + n_senders) {
		if (n_senders == MAX_PARTIES)
			return;
		n_senders++;
	}
	*s = (struct sender){.address = *from, .address_len = len, .request = *p};
}

static void take_requests(void)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	struct packet p;
	ssize_t n;

	while ((n = recvfrom(peer, p.data, sizeof(p.data), 0, (struct sockaddr *)&from, &len)) >
		0) {
		p.len = (size_t)n;
		take_request(&p, &from, len);
		len = sizeof(from);
	}
}

/* When something is due at the latest. */
static usec_t step(void)
{
	struct sink *sinks[MAX_PARTIES];
	usec_t due = USEC_INFINITY;

	for (unsigned n = 0; n < n_parties; n++)
		sinks[n] = parties[n].sink;
	for (unsigned n = 0; n < n_parties; n++) {
		struct party *p = &parties[n];
		usec_t own = sink_step(p->sink, sinks, n_parties);

		due = MIN(due, own);
		assert(!sink_idle(p->sink) || p->n_done == p->n_sent);
	}
	take_requests();
	(void)loop_turn(loop, 0);
	return due;
}

static void steps(void)
{
	for (int i = 0; i < 3; i++)
		(void)step();
}

/* As the loop does it: at each time that something is due. None may be due for ever. */
static void pass(usec_t span)
{
	usec_t end = fake_now + span, due;
	unsigned n = 0;

	while ((due = step()) <= end) {
		fake_now = MAX(fake_now, due);
		assert(++n < MAX_STEPS);
	}
	fake_now = end;
	steps();
}

static void on_done(struct inform *inform, void *data)
{
	struct party *p = data;
	bool trap = p->spec.trap;

	assert(inform->outcome != INFORM_PENDING && (inform->outcome != INFORM_SENT || trap));
	assert(inform->outcome != INFORM_ACKNOWLEDGED || (!p->spec.user && !trap));
	assert(inform->outcome == INFORM_ACKNOWLEDGED || inform->outcome == INFORM_SENT ||
		inform->why[0]);
	assert(!strstr(inform->why, "(null)"));
	p->n_done++;
}

static netsnmp_pdu *make_pdu(int command)
{
	static const oid name[] = {1, 3, 6, 1, 2, 1, 1, 3, 0}, enterprise[] = {1, 3, 6, 1, 4, 1};
	netsnmp_pdu *pdu = snmp_pdu_create(command);
	long value = 7;

	assert(pdu && snmp_pdu_add_variable(
			      pdu, name, OID_LENGTH(name), ASN_TIMETICKS, &value, sizeof(value)));
	if (command == SNMP_MSG_TRAP) {
		pdu->enterprise = snmp_duplicate_objid(enterprise, OID_LENGTH(enterprise));
		pdu->enterprise_length = OID_LENGTH(enterprise);
	}
	return pdu;
}

static void send_more(struct party *p, unsigned n)
{
	for (; n > 0 && n_asked < MAX_SENT; n--) {
		int r = sink_send(
			p->sink, make_pdu(sink_command(&p->spec)), USEC_PER_SEC, on_done, p);

		n_asked++;
		assert(r == 0 || r == -ENOBUFS);
		if (r == 0)
			p->n_sent++;
		assert(p->n_sent - p->n_done <= SINK_MAX_WAITING + SINK_WINDOW);
	}
}

/* ---- records -------------------------------------------------------------------------------- */

static void record_answer(unsigned kind, const uint8_t *data, size_t len)
{
	struct sender *s = &senders[kind & SECOND_PARTY ? 1 : 0];
	struct packet p = {0};

	if (s->address_len == 0)
		return;
	request = s->request;
	answers[kind % ARRAY_SIZE(answers)](&p, data, len);
	(void)sendto(peer, p.data, p.len, 0, (struct sockaddr *)&s->address, s->address_len);
	steps();
}

static void record_time(unsigned kind, const uint8_t *data, size_t len)
{
	if (len > 0)
		pass((usec_t)data[0] * TICK_USEC);
}

static void record_send(unsigned kind, const uint8_t *data, size_t len)
{
	struct party *p = &parties[(kind & SECOND_PARTY ? 1 : 0) % n_parties];

	if (len == 0)
		return;
	send_more(p, data[0]);
	assert(sink_last_used(p->sink) <= fake_now);
	steps();
}

static void (*const records[])(unsigned kind, const uint8_t *data, size_t len) = {
	record_answer, record_answer, record_answer, record_answer, record_time, record_send};

/* ---- one input ------------------------------------------------------------------------------ */

static void make_parties(unsigned mode)
{
	/* Boots of traps: any will do. */
	static const struct boots boots = {
		.id = {0x80, 0, 0x1f, 0x88, 5, 1, 2, 3}, .len = 8, .boots = 3};
	struct tend_error err = {0};

	n_parties = mode & MODE_TWO ? 2 : 1;
	peer = peers[mode & MODE_V6 ? 1 : 0];
	for (unsigned n = 0; n < n_parties; n++) {
		struct party *p = &parties[n];
		bool trap = mode & MODE_TRAP;

		*p = (struct party){.spec = {.host = hosts[mode & MODE_V6 ? 1 : 0],
					    .version = trap && mode & MODE_V1 ? "1" : "2c",
					    .trap = trap,
					    .community = "public"}};
		if (mode & MODE_V3) {
			p->spec.version = "3";
			p->spec.boots = &boots;
			p->spec.user = "fuzz";
			p->spec.auth_protocol = "SHA-256";
			p->spec.auth_password = n ? "known-to-nobody" : "nobody-knows-this";
			p->spec.priv_protocol = "AES";
			p->spec.priv_password = "nor-does-anybody-this";
		}
		assert(sink_new(loop, &p->spec, &err, &p->sink) == 0);
	}
	for (unsigned n = 0; n < n_parties; n++)
		for (unsigned m = 0; m < n_parties; m++)
			assert(sink_is(parties[n].sink, &parties[m].spec) ==
				(n == m || !(mode & MODE_V3)));
}

/* The lines of a specification; one that is empty or missing is not given. */
static void try_spec(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	char *rest = text, *field[7] = {0};
	static const struct boots boots = {.id = {1, 2, 3, 4, 5, 6}, .len = 6};
	struct sink_spec spec;
	struct tend_error err = {0};
	struct sink *sink = NULL;
	int r;

	assert(text);
	for (size_t i = 0; i < ARRAY_SIZE(field) && rest; i++) {
		field[i] = strsep(&rest, "\n");
		if (!*field[i])
			field[i] = NULL;
	}
	spec = (struct sink_spec){.host = field[0],
		.version = field[1],
		.community = field[2],
		.user = field[2],
		.auth_protocol = field[3],
		.auth_password = field[4],
		.priv_protocol = field[5],
		.priv_password = field[6],
		.trap = rest != NULL,
		.boots = rest && *rest ? &boots : NULL};
	r = sink_new(loop, &spec, &err, &sink);
	assert(r == 0 ? err.text[0] == '\0' && sink_is(sink, &spec) && sink_idle(sink)
		      : !sink && err.text[0]);
	sink_free(sink);
}

static void run_records(const uint8_t *data, size_t size)
{
	for (size_t at = 0, n = 0; at + 2 <= size && n < MAX_RECORDS; n++) {
		size_t len = MIN((size_t)data[at + 1], size - at - 2);
		unsigned kind = data[at] % (2 * SECOND_PARTY);

		records[kind % SECOND_PARTY % ARRAY_SIZE(records)](kind, data + at + 2, len);
		at += 2 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned mode = size > 0 ? data[0] : 0;

	if (!loop)
		set_up();
	fake_now = 1000 * USEC_PER_SEC;
	if (mode & MODE_SPEC) {
		try_spec(data + 1, size - 1);
		return 0;
	}
	memset(senders, 0, sizeof(senders));
	n_senders = n_asked = 0;
	make_parties(mode);
	for (unsigned n = 0; n < n_parties; n++)
		send_more(&parties[n], 2);
	steps();
	if (size > 1)
		run_records(data + 1, size - 1);
	/* Whatever came: by now all are over. */
	if (!(mode & MODE_ABANDON))
		pass(2 * USEC_PER_SEC);
	for (unsigned n = 0; n < n_parties; n++) {
		assert(mode & MODE_ABANDON || parties[n].n_done == parties[n].n_sent);
		sink_free(parties[n].sink);
		assert(parties[n].n_done == parties[n].n_sent);
	}
	return 0;
}
