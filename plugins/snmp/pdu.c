/* SPDX-License-Identifier: MIT */
#include "pdu.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT_BYTES = 40 };

/* ---- values -------------------------------------------------------------------------------- */

bool value_missing(const struct value *v)
{
	return v->type == VALUE_NO_OBJECT || v->type == VALUE_NO_INSTANCE ||
	       v->type == VALUE_END_OF_VIEW || v->type == VALUE_NULL;
}

/* "23.5", also with blanks around it; no words of strtod() such as inf. */
static bool text_number(const struct ber_in *bytes, double *ret_number)
{
	char text[NUMBER_TEXT_BYTES], *end;
	size_t len = ber_left(bytes);

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, bytes->at, len);
	text[len] = '\0';
	if (strspn(text, "0123456789+-.eE \t") != len)
		return false;
	*ret_number = strtod(text, &end);
	return end != text && end[strspn(end, " \t")] == '\0' && isfinite(*ret_number);
}

/* What net-snmp and others put into an Opaque: 9f 78 04 and a float, 9f 79 08 and a double. */
static bool opaque_number(const struct ber_in *bytes, double *ret_number)
{
	const unsigned char *p = bytes->at;
	uint64_t bits = 0;
	uint32_t half;
	float single;

	if (ber_left(bytes) < 3 || p[0] != 0x9f || ber_left(bytes) != 3u + p[2])
		return false;
	for (size_t i = 0; i < p[2]; i++)
		bits = bits << 8 | p[3 + i];
	if (p[1] == 0x78 && p[2] == sizeof(single)) {
		half = (uint32_t)bits;
		memcpy(&single, &half, sizeof(single));
		*ret_number = (double)single;
	} else if (p[1] == 0x79 && p[2] == sizeof(bits)) {
		memcpy(ret_number, &bits, sizeof(bits));
	} else {
		return false;
	}
	return isfinite(*ret_number);
}

bool value_number(const struct value *v, double *ret_number)
{
	switch (v->type) {
	case VALUE_INTEGER:
		*ret_number = (double)(int64_t)v->number;
		return true;
	case VALUE_COUNTER32:
	case VALUE_COUNTER64:
	case VALUE_GAUGE:
		*ret_number = (double)v->number;
		return true;
	case VALUE_TICKS:
		*ret_number = (double)v->number / 100;
		return true;
	case VALUE_OCTETS:
		return text_number(&v->bytes, ret_number);
	case VALUE_OPAQUE:
		return opaque_number(&v->bytes, ret_number);
	default:
		return false;
	}
}

static bool is_text(const unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] == 0 || (data[i] < 0x20 && !strchr("\t\r\n", data[i])))
			return false;
	return true;
}

static const char *octets_text(const struct ber_in *bytes, char buf[VALUE_TEXT_BYTES])
{
	size_t len = ber_left(bytes), n;

	/* Some agents count the end of a C string. */
	while (len > 0 && bytes->at[len - 1] == 0)
		len--;
	if (is_text(bytes->at, len)) {
		n = len < VALUE_TEXT_BYTES ? len : VALUE_TEXT_BYTES - 1;
		memcpy(buf, bytes->at, n);
		buf[n] = '\0';
		return buf;
	}
	len = ber_left(bytes);
	for (size_t i = 0; i < len && i < VALUE_TEXT_BYTES / 3; i++)
		(void)snprintf(buf + 3 * i, 4, "%02x%s", bytes->at[i],
			i + 1 < len && i + 1 < VALUE_TEXT_BYTES / 3 ? ":" : "");
	return buf;
}

const char *value_text(const struct value *v, char buf[VALUE_TEXT_BYTES])
{
	struct oid oid;
	double number;

	buf[0] = '\0';
	if (v->type == VALUE_OCTETS)
		return octets_text(&v->bytes, buf);
	if (v->type == VALUE_OID && oid_read(v->bytes.at, ber_left(&v->bytes), &oid) == 0)
		return oid_text(&oid, buf, VALUE_TEXT_BYTES);
	if (v->type == VALUE_ADDRESS && ber_left(&v->bytes) == 4)
		(void)snprintf(buf, VALUE_TEXT_BYTES, "%u.%u.%u.%u", v->bytes.at[0], v->bytes.at[1],
			v->bytes.at[2], v->bytes.at[3]);
	else if (value_number(v, &number))
		(void)snprintf(buf, VALUE_TEXT_BYTES, "%.15g", number);
	return buf;
}

static int read_value(struct ber_in *in, struct value *ret_value)
{
	struct value v = {0};

	if (ber_next(in, &v.type, &v.bytes) < 0)
		return -EBADMSG;
	switch (v.type) {
	case VALUE_COUNTER32:
	case VALUE_GAUGE:
	case 0x47: /* UInteger32 of RFC 1442 */
	case VALUE_TICKS:
		if (ber_left(&v.bytes) > 5 || ber_number(&v.bytes, &v.number) < 0)
			return -EBADMSG;
		v.number &= UINT32_MAX;
		v.type = v.type == 0x47 ? (unsigned)VALUE_GAUGE : v.type;
		break;
	case VALUE_INTEGER:
	case VALUE_COUNTER64:
		if (ber_number(&v.bytes, &v.number) < 0)
			return -EBADMSG;
		break;
	case VALUE_OCTETS:
	case VALUE_NULL:
	case VALUE_OID:
	case VALUE_ADDRESS:
	case VALUE_OPAQUE:
	case VALUE_NO_OBJECT:
	case VALUE_NO_INSTANCE:
	case VALUE_END_OF_VIEW:
		break;
	default:
		return -EBADMSG;
	}
	*ret_value = v;
	return 0;
}

/* ---- PDUs ---------------------------------------------------------------------------------- */

void pdu_put(struct ber_out *out, const struct pdu_ask *ask)
{
	const unsigned char *end = out->at;

	for (size_t i = ask->n_oids; i > 0; i--) {
		const unsigned char *bind_end = out->at;

		ber_put_bytes(out, BER_NULL, NULL, 0);
		ber_put_oid(out, ask->oids[i - 1]);
		ber_put_header(out, BER_SEQUENCE, bind_end);
	}
	ber_put_header(out, BER_SEQUENCE, end);
	ber_put_int(out, BER_INTEGER, ask->repetitions);
	ber_put_int(out, BER_INTEGER, ask->non_repeaters);
	ber_put_int(out, BER_INTEGER, ask->request_id);
	ber_put_header(out, ask->type, end);
}

static int read_bind(struct ber_in *list, struct pdu_bind *ret_bind)
{
	struct ber_in bind, name;

	if (ber_enter(list, BER_SEQUENCE, &bind) < 0 || ber_enter(&bind, BER_OID, &name) < 0 ||
		oid_read(name.at, ber_left(&name), &ret_bind->name) < 0 ||
		read_value(&bind, &ret_bind->value) < 0 || ber_left(&bind) > 0)
		return -EBADMSG;
	return 0;
}

int pdu_read(struct ber_in *in, struct pdu_answer *ret_answer)
{
	struct ber_in body, list;
	int64_t id;

	ret_answer->n_binds = 0;
	if (ber_next(in, &ret_answer->type, &body) < 0 ||
		(ret_answer->type != PDU_RESPONSE && ret_answer->type != PDU_REPORT) ||
		ber_read_int(&body, INT32_MIN, UINT32_MAX, &id) < 0 ||
		ber_read_int(&body, 0, 255, &ret_answer->status) < 0 ||
		ber_read_int(&body, 0, INT32_MAX, &ret_answer->index) < 0 ||
		ber_enter(&body, BER_SEQUENCE, &list) < 0)
		return -EBADMSG;
	ret_answer->request_id = (uint32_t)id;
	while (ber_left(&list) > 0) {
		if (ret_answer->n_binds == PDU_MAX_BINDS ||
			read_bind(&list, &ret_answer->binds[ret_answer->n_binds]) < 0)
			return -EBADMSG;
		ret_answer->n_binds++;
	}
	return 0;
}
