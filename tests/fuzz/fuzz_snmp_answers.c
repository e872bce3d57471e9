/* SPDX-License-Identifier: MIT */
/*
 * What comes back from the net when tend-snmp has sent an inform: a sink on loopback, and a peer
 * that says what the input wants. Byte 0: 0 for v2c, else v3; then records: a kind, a length, so
 * many bytes (see `answers`). Without the passwords nothing of it may be an acknowledgement.
 * Parser: daemon/snmp/sink.c.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "snmp/sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ANSWERS = 16, PACKET_BYTES = 2048 };

struct packet {
	unsigned char data[PACKET_BYTES];
	size_t len;
};

static struct loop *loop;
static int peer; /* its socket */
static char host[32];
static struct sockaddr_in sender; /* of the last request */
static struct packet request;
static unsigned n_done;

/* net-snmp's own hashes a megabyte for each password, which is not what is tried here. */
int generate_Ku(const oid *hash, u_int hash_len, const u_char *password, size_t len, u_char *key,
	size_t *key_len)
{
	*key_len = 32;
	memset(key, 0x5a, *key_len);
	memcpy(key, password, MIN(len, *key_len));
	return SNMPERR_SUCCESS;
}

static void set_up(void)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(own);

	log_open("fuzz", LOG_EMERG);
	library_begin();
	library_start("fuzz");
	peer = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert(peer >= 0 && bind(peer, (struct sockaddr *)&own, len) == 0 &&
		getsockname(peer, (struct sockaddr *)&own, &len) == 0);
	snprintf(host, sizeof(host), "127.0.0.1:%u", ntohs(own.sin_port));
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

/* ---- one input ------------------------------------------------------------------------------ */

static void take_requests(void)
{
	struct packet p;
	socklen_t len = sizeof(sender);
	ssize_t n;

	while ((n = recvfrom(peer, p.data, sizeof(p.data), 0, (struct sockaddr *)&sender, &len)) >
		0) {
		p.len = (size_t)n;
		request = p;
	}
}

static void step(struct sink *sink)
{
	for (int i = 0; i < 3; i++) {
		(void)sink_step(sink, &sink, 1);
		take_requests();
		(void)loop_turn(loop, 0);
	}
}

static void on_done(struct inform *inform, void *data)
{
	const bool *v3 = data;

	assert(inform->outcome != INFORM_PENDING && inform->outcome != INFORM_SENT);
	assert(inform->outcome != INFORM_ACKNOWLEDGED || !*v3);
	assert(inform->outcome == INFORM_ACKNOWLEDGED || inform->why[0]);
	n_done++;
}

static netsnmp_pdu *make_inform(void)
{
	static const oid name[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_INFORM);
	long value = 7;

	assert(pdu && snmp_pdu_add_variable(
			      pdu, name, OID_LENGTH(name), ASN_TIMETICKS, &value, sizeof(value)));
	return pdu;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool v3 = size > 0 && data[0] != 0;
	const struct sink_spec spec = {.host = host,
		.version = v3 ? "3" : "2c",
		.user = "fuzz",
		.auth_protocol = "SHA-256",
		.auth_password = "nobody-knows-this",
		.priv_protocol = "AES",
		.priv_password = "nor-does-anybody-this",
		.community = "public"};
	struct tend_error err = {0};
	struct sink *sink = NULL;

	if (!loop)
		set_up();
	n_done = 0;
	request.len = 0;
	assert(sink_new(loop, &spec, &err, &sink) == 0);
	for (int i = 0; i < 2; i++)
		assert(sink_send(sink, make_inform(), USEC_PER_SEC, on_done, &v3) == 0);
	step(sink);
	for (size_t at = 1, n = 0; at + 2 <= size && n < MAX_ANSWERS; n++) {
		size_t len = MIN((size_t)data[at + 1], size - at - 2);
		struct packet p = {0};

		answers[data[at] % ARRAY_SIZE(answers)](&p, data + at + 2, len);
		(void)sendto(peer, p.data, p.len, 0, (struct sockaddr *)&sender, sizeof(sender));
		step(sink);
		at += 2 + len;
	}
	sink_free(sink);
	assert(n_done == 2);
	return 0;
}
