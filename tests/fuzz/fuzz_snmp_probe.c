/* SPDX-License-Identifier: MIT */
/*
 * What an SNMP agent answers, in clear, signed and encrypted, and the options that name OIDs. The
 * first byte says which. What nobody without the password can make is made here: the rest of the
 * input is then what was encrypted and signed.
 * Parser: plugins/snmp/ber.c plugins/snmp/message.c plugins/snmp/oid.c plugins/snmp/pdu.c
 * plugins/snmp/plan.c plugins/snmp/table.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/snmp/message.h"
#include "../../plugins/snmp/plan.h"
#include "../../plugins/snmp/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT = 4096, MAX_ROWS = 16, MAX_LINES = 24, SALT = 0x5a };
enum { OF_V2C, OF_DISCOVERY, OF_SEALED, OF_RAW, OF_OPTIONS, MODES };

static struct message message;

static struct message_way secured(void)
{
	struct message_way way = {
		.version = MESSAGE_V3,
		.user = "tend",
		.engine = {.id = "\x80\0\x1f\x88\x04tend", .len = 9, .boots = 7, .time = 4711},
		.keys = {.auth = USM_SHA256, .priv = USM_AES128},
	};

	if (usm_make_keys(&way.keys, "a signing word", "a private word", &way.engine) < 0)
		abort();
	return way;
}

/* ---- what came ----------------------------------------------------------------------------- */

static void use_answer(const struct pdu_answer *answer)
{
	struct table table;
	char text[OID_TEXT_BYTES];

	assert(answer->n_binds <= PDU_MAX_BINDS);
	table_init(&table, 2, MAX_ROWS);
	for (size_t i = 0; i < answer->n_binds; i++) {
		const struct pdu_bind *bind = &answer->binds[i];
		struct oid top = bind->name, index;
		double number;

		assert(bind->name.n >= 2 && bind->name.n <= OID_MAX_PARTS);
		(void)oid_text(&bind->name, text, sizeof(text));
		top.n--;
		assert(oid_below(&bind->name, &top) && oid_compare(&bind->name, &top) > 0);
		oid_index(&bind->name, &top, &index);
		if (!value_missing(&bind->value) && value_number(&bind->value, &number))
			assert(number - number == 0);
		(void)table_add(&table, i % 2, &index, &bind->value);
	}
	for (size_t i = 1; i < table.n_rows; i++)
		assert(oid_compare(&table.rows[i - 1].index, &table.rows[i].index) < 0);
	assert(table.n_rows <= MAX_ROWS);
	table_clear(&table);
}

static void read_message(const struct message_way *way, const uint8_t *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);

	if (!copy)
		return;
	memcpy(copy, data, size);
	if (message_read(way, copy, size, &message) == 0) {
		assert(message.engine.len <= USM_ENGINE_MAX_BYTES);
		use_answer(&message.answer);
	}
	free(copy);
}

/* A question to the engine that has answered is read back as it was put. */
static void turn_round(const struct usm_engine *engine)
{
	static unsigned char buf[MESSAGE_ASK_BYTES];
	struct message_way way = secured();
	const struct oid oid = {4, {1, 3, 6, 1}};
	const struct oid *const oids[] = {&oid};
	const struct pdu_ask ask = {
		.type = PDU_RESPONSE, .request_id = 1, .oids = oids, .n_oids = 1};
	const unsigned char *start;
	size_t len;

	if (engine->len == 0)
		return;
	way.engine = *engine;
	assert(message_write(&way, 2, 3, &ask, buf, &start, &len) == 0);
	assert(message_read(&way, buf + (start - buf), len, &message) == 0);
	assert(message.authentic && message.msg_id == 2 && message.answer.n_binds == 1);
}

/* ---- what only who knows the password can say ------------------------------------------------ */

static void read_sealed(const uint8_t *data, size_t size)
{
	static unsigned char buf[2 * MAX_INPUT];
	static const unsigned char zeros[USM_DIGEST_MAX_BYTES];
	unsigned char digest[USM_DIGEST_MAX_BYTES], salt[USM_SALT_BYTES] = {SALT}, flags = 3;
	struct message_way way = secured();
	const unsigned char *end, *digest_end;
	struct ber_out out;
	unsigned char *at;

	ber_out_init(&out, buf, sizeof(buf));
	ber_put_bytes(&out, BER_OCTETS, data, size);
	at = out.end - size;
	if (size &&
		usm_crypt(&way.keys, way.engine.boots, way.engine.time, salt, true, at, size) < 0)
		abort();
	end = out.at;
	ber_put_bytes(&out, BER_OCTETS, salt, sizeof(salt));
	digest_end = out.at;
	ber_put_bytes(&out, BER_OCTETS, zeros, usm_digest_bytes(way.keys.auth));
	ber_put_bytes(&out, BER_OCTETS, way.user, strlen(way.user));
	ber_put_int(&out, BER_INTEGER, way.engine.time);
	ber_put_int(&out, BER_INTEGER, way.engine.boots);
	ber_put_bytes(&out, BER_OCTETS, way.engine.id, way.engine.len);
	ber_put_header(&out, BER_SEQUENCE, end);
	ber_put_header(&out, BER_OCTETS, end);
	end = out.at;
	ber_put_int(&out, BER_INTEGER, 3);
	ber_put_bytes(&out, BER_OCTETS, &flags, 1);
	ber_put_int(&out, BER_INTEGER, MESSAGE_MAX_BYTES);
	ber_put_int(&out, BER_INTEGER, 9);
	ber_put_header(&out, BER_SEQUENCE, end);
	ber_put_int(&out, BER_INTEGER, MESSAGE_V3);
	ber_put_header(&out, BER_SEQUENCE, out.end);
	if (out.full || usm_digest(&way.keys, out.at, (size_t)(out.end - out.at), digest) < 0)
		abort();
	memcpy(buf + (digest_end - buf) - usm_digest_bytes(way.keys.auth), digest,
		usm_digest_bytes(way.keys.auth));
	read_message(&way, out.at, (size_t)(out.end - out.at));
	assert(message.authentic);
}

/* ---- options ------------------------------------------------------------------------------- */

/* Lines: a letter for the option, and what it says. */
static void read_options(const uint8_t *data, size_t size)
{
	static const char letters[] = "gwWeouspti";
	char text[MAX_INPUT + 1], *lists[sizeof(letters)][MAX_LINES + 1] = {0}, *rest = text, *line;
	size_t n[sizeof(letters)] = {0};
	struct tend_error err = {0};
	struct plan *plan = NULL;
	struct agent_conf conf = {
		.get = lists[0],
		.walk = lists[1],
		.where = lists[2],
		.expect = lists[3],
		.words = lists[4],
		.units = lists[5],
		.scales = lists[6],
		.shares = lists[7],
		.totals = lists[8],
		.optional = lists[9],
	};

	memcpy(text, data, size);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		const char *letter = *line ? strchr(letters, *line) : NULL;
		size_t i = letter ? (size_t)(letter - letters) : 0;

		if (*line == 'l')
			conf.label = line + 1;
		else if (*line == 'd')
			conf.decimals = line + 1;
		else if (letter && n[i] < MAX_LINES)
			lists[i][n[i]++] = line + 1;
	}
	if (plan_new(&conf, &err, &plan) < 0) {
		assert(err.text[0]);
		return;
	}
	for (size_t i = 0; i < plan->n_gets + plan->n_walks; i++) {
		size_t len = 0;
		const char *word = plan_word(&plan->items[i], "1", &len);

		assert(!word || (word >= text && word + len <= text + size));
		(void)plan_expects(&plan->items[i], "1");
		assert(plan->items[i].oid.n <= PLAN_MAX_OID_PARTS);
	}
	plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message_way v2c = {.version = MESSAGE_V2C, .community = "public"};
	const struct message_way unknown = {.version = MESSAGE_V3, .user = "tend"};
	struct message_way known;

	if (size == 0 || size > MAX_INPUT)
		return 0;
	memset(&message, 0, sizeof(message));
	switch (*data % MODES) {
	case OF_V2C:
		read_message(&v2c, data + 1, size - 1);
		break;
	case OF_DISCOVERY:
		read_message(&unknown, data + 1, size - 1);
		turn_round(&message.engine);
		break;
	case OF_SEALED:
		read_sealed(data + 1, size - 1);
		break;
	case OF_RAW:
		known = secured();
		read_message(&known, data + 1, size - 1);
		break;
	default:
		read_options(data + 1, size - 1);
		break;
	}
	return 0;
}
