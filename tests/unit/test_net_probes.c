/* SPDX-License-Identifier: MIT */
/* The pure parts of the probes redis, dns, ntp, ssh and tls. */
#include "unit.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/dns/judge.h"
#include "../../plugins/ntp/packet.h"
#include "../../plugins/redis/judge.h"
#include "../../plugins/redis/resp.h"
#include "../../plugins/ssh/banner.h"
#include "../../plugins/tls/judge.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* ---- redis -------------------------------------------------------------------------------- */

static void test_resp(void **state)
{
	static const struct {
		const char *data;
		ssize_t want;
		enum resp_type type;
		const char *text;
	} rows[] = {
		{"+OK\r\n", 5, RESP_STATUS, "OK"},
		{"-ERR no\r\n+OK\r\n", 9, RESP_ERROR, "ERR no"},
		{":-12\r\n", 6, RESP_INTEGER, "-12"},
		{"$5\r\nhello\r\n", 11, RESP_BULK, "hello"},
		{"$0\r\n\r\n", 6, RESP_BULK, ""},
		{"$-1\r\n", 5, RESP_NULL, ""},
		{"$5\r\nhell", 0, 0, NULL},
		{"+OK\r", 0, 0, NULL},
		{"", 0, 0, NULL},
		{"$5\r\nhelloXX", -EBADMSG, 0, NULL},
		{"$-2\r\n", -EBADMSG, 0, NULL},
		{"$99999999\r\n", -EBADMSG, 0, NULL},
		{":1x\r\n", -EBADMSG, 0, NULL},
		{"HTTP/1.1 200\r\n", -EBADMSG, 0, NULL},
		{"*1\r\n", -EBADMSG, 0, NULL},
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct resp reply;

		assert_int_equal(
			resp_next(rows[i].data, strlen(rows[i].data), &reply), rows[i].want);
		if (rows[i].want <= 0)
			continue;
		assert_int_equal(reply.type, rows[i].type);
		assert_int_equal(reply.len, strlen(rows[i].text));
		assert_memory_equal(reply.text, rows[i].text, reply.len);
	}
}

static void test_resp_reasons(void **state)
{
	static const struct {
		const char *text;
		enum tend_reason want;
	} rows[] = {
		{"NOAUTH Authentication required.", TEND_REASON_AUTH_FAILED},
		{"WRONGPASS invalid", TEND_REASON_AUTH_FAILED},
		{"NOPERM this user", TEND_REASON_ACCESS_DENIED},
		{"LOADING Redis is loading", TEND_REASON_STARTING},
		{"ERR max number of clients reached", TEND_REASON_CONNECTIONS_FULL},
		{"MISCONF Redis is", TEND_REASON_READ_ONLY},
		{"BUSY Redis is busy", TEND_REASON_LOCKED},
		{"ERR unknown command", TEND_REASON_QUERY_FAILED},
		{"", TEND_REASON_QUERY_FAILED},
	};

	for (size_t i = 0; i < N(rows); i++)
		assert_int_equal(
			resp_error_reason(rows[i].text, strlen(rows[i].text)), rows[i].want);
}

#define FULL "role:master\r\nused_memory:102\r\nmaxmemory:100\r\n"

static void test_redis_judge(void **state)
{
	static const struct {
		const char *info;
		struct redis_conf conf;
		enum tend_reason want;
	} rows[] = {
		{"role:master\r\n", {.role = REDIS_MASTER}, TEND_REASON_OK},
		{"role:slave\r\nmaster_link_status:up\r\n", {.role = REDIS_MASTER},
			TEND_REASON_READ_ONLY},
		{"role:slave\r\nmaster_link_status:down\r\n", {.role = REDIS_REPLICA},
			TEND_REASON_REPLICATION_BROKEN},
		{"role:master\r\n", {.role = REDIS_REPLICA}, TEND_REASON_REPLICATION_BROKEN},
		{"role:master\r\nslave0:ip=::1,port=1,state=wait_bgsave\r\n", {.min_replicas = 1},
			TEND_REASON_REPLICATION_BROKEN},
		{"role:master\r\nslave0:ip=::1,port=1,state=online\r\n", {.min_replicas = 1},
			TEND_REASON_OK},
		{"role:master\r\nloading:1\r\n", {.db = 0}, TEND_REASON_STARTING},
		{"role:master\r\nrdb_last_bgsave_status:err\r\n", {.db = 0}, TEND_REASON_READ_ONLY},
		/* What Redis refuses writes for, as it counts it. */
		{FULL "maxmemory_policy:noeviction\r\n", {.db = 0}, TEND_REASON_READ_ONLY},
		{FULL "maxmemory_policy:allkeys-lru\r\n", {.db = 0}, TEND_REASON_OK},
		{FULL "maxmemory_policy:noeviction\r\nmem_not_counted_for_evict:2\r\n", {.db = 0},
			TEND_REASON_OK},
		{FULL "maxmemory_policy:noeviction\r\nrole:slave\r\n", {.db = 0}, TEND_REASON_OK},
		{"role:master\r\nused_memory:9\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n",
			{.db = 0}, TEND_REASON_OK},
		{"role:master\r\nmin_slaves_good_slaves:0\r\n", {.db = 0}, TEND_REASON_READ_ONLY},
		{"role:master\r\nmin_slaves_good_slaves:1\r\n", {.db = 0}, TEND_REASON_OK},
		{"role:master\r\naof_last_write_status:err\r\n", {.db = 0}, TEND_REASON_OK},
		{"role:master\r\naof_enabled:1\r\naof_last_write_status:err\r\n", {.db = 0},
			TEND_REASON_READ_ONLY},
		{"role:master\r\nrdb_changes_since_last_save:5\r\nrdb_last_save_time:900\r\n",
			{.max_save_age = 99 * USEC_PER_SEC}, TEND_REASON_STALE},
		{"role:master\r\nrdb_changes_since_last_save:5\r\nrdb_last_save_time:900\r\n",
			{.max_save_age = 101 * USEC_PER_SEC}, TEND_REASON_OK},
		{"role:master\r\nrdb_changes_since_last_save:0\r\nrdb_last_save_time:1\r\n",
			{.max_save_age = 1}, TEND_REASON_OK},
	};

	for (size_t i = 0; i < N(rows); i++) {
		char text[REDIS_TEXT_BYTES], all[400];
		struct info info;

		(void)snprintf(all, sizeof(all), "# Server\r\nredis_version:7\r\n%s", rows[i].info);
		assert_true(info_parse(all, strlen(all), &info));
		assert_int_equal(redis_judge(&rows[i].conf, &info, 1000, text), rows[i].want);
	}
}

static void test_info(void **state)
{
	static const char text[] =
		"# Memory\r\nused_memory:1048576\r\nrole:master\r\nredis_version:7.0.15\r\n"
		"slave0:ip=127.0.0.1,port=6380,state=online,offset=14,lag=2\r\n"
		"db0:keys=3,expires=0\r\ndb7:keys=4\r\ndbx:keys=9\r\nnonsense\r\nkeys:";
	struct info info;

	assert_true(info_parse(text, sizeof(text) - 1, &info));
	assert_float_equal(info.memory, 1048576, 0);
	assert_float_equal(info.keys, 7, 0);
	assert_int_equal(info.n_replicas, 1);
	assert_string_equal(info.replica[0].name, "127.0.0.1:6380");
	assert_true(info.replica[0].online);
	assert_float_equal(info.replica[0].lag_seconds, 2, 0);
	assert_false(info_parse("hello\r\n", 7, &info));
}

/* ---- dns ---------------------------------------------------------------------------------- */

struct dns_row {
	const char *owner;
	unsigned type;
	const char *data; /* of an A the last byte, of a CNAME the name */
};

static size_t put_name(unsigned char *out, const char *name)
{
	size_t n = 0;

	for (size_t len; *name; name += len + (name[len] == '.')) {
		len = strcspn(name, ".");
		out[n++] = (unsigned char)len;
		memcpy(out + n, name, len);
		n += len;
	}
	out[n++] = 0;
	return n;
}

/* An answer to a question for the A of www.crm.test. */
static size_t put_answer(unsigned char out[1000], const struct dns_row *rows, size_t n_rows)
{
	const unsigned char header[] = {
		0, 7, 0x81, 0x80, 0, 1, 0, (unsigned char)n_rows, 0, 0, 0, 0};
	size_t n = sizeof(header);

	memcpy(out, header, n);
	n += put_name(out + n, "www.crm.test");
	memcpy(out + n, "\0\1\0\1", 4);
	n += 4;
	for (size_t i = 0; i < n_rows; i++) {
		unsigned char data[300] = {192, 0, 2, (unsigned char)rows[i].data[0]};
		size_t len = rows[i].type == DNS_A ? 4 : put_name(data, rows[i].data);
		unsigned char fixed[] = {
			0, (unsigned char)rows[i].type, 0, 1, 0, 0, 0, 60, 0, (unsigned char)len};

		n += put_name(out + n, rows[i].owner);
		memcpy(out + n, fixed, sizeof(fixed));
		memcpy(out + n + sizeof(fixed), data, len);
		n += sizeof(fixed) + len;
	}
	return n;
}

/* Whose records count: those of the name that was asked for, and of what it is an alias of. */
static void test_dns_owners(void **state)
{
	static const struct {
		struct dns_row answers[4];
		int r;
		size_t n_records;
	} rows[] = {
		{{{"www.crm.test", DNS_A, "1"}}, 0, 1},
		{{{"WWW.crm.TEST", DNS_A, "1"}, {"www.crm.test", DNS_A, "2"}}, 0, 2},
		{{{"evil.test", DNS_A, "1"}}, 0, 0},
		{{{"evil.test", DNS_A, "1"}, {"www.crm.test", DNS_A, "2"}}, 0, 1},
		{{{"www.crm.test", DNS_CNAME, "a.test"}, {"a.test", DNS_A, "1"}}, 0, 1},
		{{{"a.test", DNS_A, "1"}, {"www.crm.test", DNS_CNAME, "a.test"}}, 0, 1},
		{{{"www.crm.test", DNS_CNAME, "a.test"}, {"a.test", DNS_CNAME, "b.test"},
			 {"b.test", DNS_A, "1"}, {"c.test", DNS_A, "2"}},
			0, 1},
		{{{"www.crm.test", DNS_CNAME, "a.test"}, {"b.test", DNS_A, "1"}}, 0, 0},
		{{{"www.crm.test", DNS_CNAME, "a.test"}}, 0, 0},
		{{{"www.crm.test", DNS_CNAME, "a.test"}, {"a.test", DNS_CNAME, "www.crm.test"}},
			-EBADMSG, 0},
	};

	for (size_t i = 0; i < N(rows); i++) {
		static struct dns_message message;
		unsigned char data[1000];
		size_t n = 0;

		while (n < N(rows[i].answers) && rows[i].answers[n].owner)
			n++;
		n = put_answer(data, rows[i].answers, n);
		assert_int_equal(dns_message_parse(data, n, DNS_A, &message), rows[i].r);
		if (rows[i].r == 0 && message.n_records != rows[i].n_records)
			fail_msg("row %zu: %zu records", i, message.n_records);
	}
}

static void test_dns_judge(void **state)
{
	static char ten[] = "192.0.2.10", eleven[] = "192.0.2.11", mail[] = "10 MAIL.crm.test.";
	static char *one[] = {ten, NULL}, *both[] = {ten, eleven, NULL}, *mx[] = {mail, NULL};
	static const struct {
		struct dns_conf conf;
		int r;
		struct dns_message m;
		enum tend_reason want;
	} rows[] = {
		{{.expect = one}, 0, {.n_records = 1, .records = {"192.0.2.10"}}, TEND_REASON_OK},
		{{.expect = both}, 0, {.n_records = 1, .records = {"192.0.2.10"}},
			TEND_REASON_DNS_UNEXPECTED},
		{{.expect = one}, 0, {.n_records = 2, .records = {"192.0.2.11", "192.0.2.10"}},
			TEND_REASON_DNS_UNEXPECTED},
		{{.expect = one, .match = DNS_MATCH_CONTAINS}, 0,
			{.n_records = 2, .records = {"192.0.2.11", "192.0.2.10"}}, TEND_REASON_OK},
		{{.type = 3, .expect = mx}, 0, {.n_records = 1, .records = {"10 mail.crm.test"}},
			TEND_REASON_OK},
		{{.type = 8, .expect = mx}, 0, {.n_records = 1, .records = {"10 mail.crm.test"}},
			TEND_REASON_DNS_UNEXPECTED},
		{{.type = 0}, 0, {.n_records = 0}, TEND_REASON_OBJECT_MISSING},
		{{.type = 0}, 0, {.refers = true}, TEND_REASON_DNS_UNEXPECTED},
		{{.authoritative = true}, 0, {.n_records = 1}, TEND_REASON_DNS_UNEXPECTED},
		{{.authoritative = true}, 0, {.n_records = 1, .authoritative = true},
			TEND_REASON_OK},
		{{.validated = true}, 0, {.n_records = 1}, TEND_REASON_DNS_UNEXPECTED},
		{{.type = 0}, 0, {.rcode = DNS_NXDOMAIN}, TEND_REASON_DNS_FAILED},
		{{.rcode = 1}, 0, {.rcode = DNS_NXDOMAIN}, TEND_REASON_OK},
		{{.rcode = 1}, 0, {.n_records = 1}, TEND_REASON_DNS_UNEXPECTED},
		{{.type = 0}, 0, {.rcode = DNS_SERVFAIL}, TEND_REASON_QUERY_FAILED},
		{{.type = 0}, 0, {.rcode = DNS_REFUSED}, TEND_REASON_ACCESS_DENIED},
		{{.type = 0}, 0, {.rcode = DNS_FORMERR}, TEND_REASON_PROTOCOL},
		{{.type = 0}, 0, {.rcode = 11}, TEND_REASON_QUERY_FAILED},
		{{.type = 0}, -ETIMEDOUT, {.rcode = 0}, TEND_REASON_NO_REPLY},
		{{.type = 0}, -ECONNREFUSED, {.rcode = 0}, TEND_REASON_CONNECT_REFUSED},
		{{.type = 0}, -EBADMSG, {.rcode = 0}, TEND_REASON_PROTOCOL},
		{{.type = 0}, -ENOENT, {.rcode = 0}, TEND_REASON_DNS_FAILED},
		{{.type = 0}, -ENETUNREACH, {.rcode = 0}, TEND_REASON_CONNECT_FAILED},
	};
	static struct dns_answer answer;

	for (size_t i = 0; i < N(rows); i++) {
		char why[DNS_WHY_BYTES] = "";

		answer.r = rows[i].r;
		answer.message = rows[i].m;
		assert_int_equal(dns_judge(&rows[i].conf, &answer, why), rows[i].want);
		assert_true((rows[i].want == TEND_REASON_OK) == (why[0] == '\0'));
	}
}

static void test_dns_no_answer(void **state)
{
	static const struct dns_conf conf = {.type = 0};
	static const struct {
		struct dns_answer answer;
		enum tend_reason want;
	} rows[] = {
		{{.r = -ETIMEDOUT}, TEND_REASON_NO_REPLY},
		{{.r = -ETIMEDOUT, .heard = true}, TEND_REASON_PROTOCOL},
		{{.r = -ETIMEDOUT, .taken = true}, TEND_REASON_NO_REPLY},
		{{.r = -ECONNREFUSED}, TEND_REASON_CONNECT_REFUSED},
		{{.r = -ECONNREFUSED, .heard = true}, TEND_REASON_CONNECT_REFUSED},
		{{.r = -ECONNREFUSED, .taken = true}, TEND_REASON_PROTOCOL},
	};
	char why[DNS_WHY_BYTES];

	for (size_t i = 0; i < N(rows); i++)
		assert_int_equal(dns_judge(&conf, &rows[i].answer, why), rows[i].want);
}

static void test_dns_same(void **state)
{
	static const struct dns_message a = {.n_records = 2, .records = {"x", "y"}, .serial = 7},
					b = {.n_records = 2, .records = {"y", "x"}, .serial = 8},
					c = {.n_records = 2, .records = {"y", "z"}, .serial = 7};
	const struct dns_conf address = {.type = 0}, soa = {.type = 6};

	assert_true(dns_same(&address, &a, &b));
	assert_false(dns_same(&address, &a, &c));
	assert_false(dns_same(&soa, &a, &b));
	assert_true(dns_same(&soa, &a, &c));
}

/* ---- ntp ---------------------------------------------------------------------------------- */

static void put_time(unsigned char *p, double at)
{
	uint64_t seconds = (uint64_t)(at + 2208988800.0), rest;

	rest = (uint64_t)((at - floor(at)) * 4294967296.0);
	for (int i = 0; i < 4; i++) {
		p[i] = (unsigned char)(seconds >> (24 - 8 * i));
		p[4 + i] = (unsigned char)(rest >> (24 - 8 * i));
	}
}

static void test_ntp(void **state)
{
	static const double now[] = {1.8e9, 2085978496.0 + 5, 4.0e9}; /* the second: in era 1 */
	unsigned char packet[NTP_PACKET_BYTES];
	struct ntp_reply reply;
	struct ntp_sample s;

	for (size_t i = 0; i < N(now); i++) {
		ntp_request(0x0102030405060708, packet);
		assert_int_equal(packet[0], 0x23);
		assert_false(ntp_reply_parse(packet, sizeof(packet), now[i], &reply));
		memmove(packet + 24, packet + 40, 8);
		packet[0] = 0x24;
		packet[1] = 3;
		put_time(packet + 32, now[i] + 10.25);
		put_time(packet + 40, now[i] + 10.5);
		assert_true(ntp_reply_parse(packet, sizeof(packet), now[i], &reply));
		assert_int_equal(reply.cookie, 0x0102030405060708);
		assert_int_equal(reply.stratum, 3);
		/* It took 1 s, of which the server kept 0.25: it is 9.875 s ahead. */
		s = ntp_sample_of(&reply, now[i], now[i] + 1);
		assert_float_equal(s.offset, 9.875, 1e-5);
		assert_float_equal(s.delay, 0.75, 1e-5);
	}
	assert_false(ntp_reply_parse(packet, 47, now[0], &reply));
	packet[1] = 0;
	memcpy(packet + 12, "RATE", 4);
	assert_true(ntp_reply_parse(packet, sizeof(packet), now[0], &reply));
	assert_string_equal(reply.refused, "RATE");
}

static void test_ntp_best(void **state)
{
	static const struct ntp_sample samples[] = {{0.5, 0.2}, {0.1, 0.01}, {0.4, 0.3}};
	double jitter = 0;

	assert_float_equal(ntp_best(samples, 3, &jitter).offset, 0.1, 1e-9);
	assert_float_equal(jitter, sqrt((0.16 + 0.09) / 2), 1e-9);
	assert_float_equal(ntp_best(samples, 1, &jitter).offset, 0.5, 1e-9);
	assert_float_equal(jitter, 0, 0);
}

/* ---- ssh, tls ----------------------------------------------------------------------------- */

static void test_banner(void **state)
{
	static const struct {
		const char *text;
		enum banner_what want;
		const char *protocol, *software;
	} rows[] = {
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", BANNER_FOUND, "2.0",
			"OpenSSH_9.2p1 Debian-2"},
		{"Hello\nSSH-1.99-x-y\nrest", BANNER_FOUND, "1.99", "x-y"},
		{"SSH-2.0-x", BANNER_MORE, "", ""},
		{"", BANNER_MORE, "", ""},
		{"SSH-2.0\r\n", BANNER_BROKEN, "", ""},
		{"\x01\n", BANNER_BROKEN, "", ""},
		{"Exceeded MaxStartups\r\n", BANNER_FULL, "", ""},
		{"Not allowed at this time\r\n", BANNER_DENIED, "", ""},
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct banner banner;

		assert_int_equal(
			banner_find(rows[i].text, strlen(rows[i].text), &banner), rows[i].want);
		if (rows[i].want != BANNER_FOUND)
			continue;
		assert_string_equal(banner.protocol, rows[i].protocol);
		assert_string_equal(banner.software, rows[i].software);
	}
}

static void test_tls_probe(void **state)
{
	static const struct {
		struct tls_probe_conf conf;
		struct tls_facts facts;
		enum tend_reason want;
	} rows[] = {
#define FACTS .has_certificate = true, .version = TLS1_3_VERSION, .cipher_bits = 256
		{{.ocsp = TLS_OCSP_CHECK}, {FACTS, .days = 30, .chain_days = 30}, TEND_REASON_OK},
		{{.ocsp = TLS_OCSP_REQUIRE}, {FACTS}, TEND_REASON_TLS_UNTRUSTED},
		{{.ocsp = TLS_OCSP_CHECK}, {FACTS, .must_staple = true}, TEND_REASON_TLS_UNTRUSTED},
		{{.ocsp = TLS_OCSP_IGNORE}, {FACTS, .must_staple = true}, TEND_REASON_OK},
		{{.ocsp = TLS_OCSP_CHECK}, {FACTS, .staple = TLS_STAPLE_REVOKED},
			TEND_REASON_TLS_REVOKED},
		{{.ocsp = TLS_OCSP_IGNORE}, {FACTS, .staple = TLS_STAPLE_REVOKED}, TEND_REASON_OK},
		{{.ocsp = TLS_OCSP_CHECK}, {FACTS, .staple = TLS_STAPLE_EXPIRED},
			TEND_REASON_TLS_UNTRUSTED},
		{{.net.secure.floor = TLS_1_3},
			{.has_certificate = true, .version = TLS1_2_VERSION, .cipher_bits = 256},
			TEND_REASON_TLS_WEAK},
		{{.min_cipher_bits = 128},
			{.has_certificate = true, .version = TLS1_2_VERSION, .cipher_bits = 112},
			TEND_REASON_TLS_WEAK},
		{{.net.secure.floor = TLS_1_2}, {FACTS, .weak = "short"}, TEND_REASON_TLS_WEAK},
		{{.net.secure.floor = TLS_1_1}, {FACTS, .weak = "short"}, TEND_REASON_OK},
		{{.expires = 10 * 86400 * USEC_PER_SEC}, {FACTS, .days = 30, .chain_days = 9},
			TEND_REASON_TLS_EXPIRES},
		{{.net.secure.verify = true, .net.host = NULL}, {.has_certificate = false},
			TEND_REASON_TLS_UNTRUSTED},
	};
	char text[TLS_TEXT_BYTES], host[] = "a.example";

	for (size_t i = 0; i < N(rows); i++) {
		struct tls_probe_conf conf = rows[i].conf;

		conf.net.host = host;
		assert_int_equal(tls_probe_judge(&conf, &rows[i].facts, text), rows[i].want);
	}
	assert_float_equal(tls_version_number(TLS1_2_VERSION), 1.2, 1e-9);
	assert_float_equal(tls_version_number(7), 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resp),
		cmocka_unit_test(test_resp_reasons),
		cmocka_unit_test(test_redis_judge),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_dns_owners),
		cmocka_unit_test(test_dns_judge),
		cmocka_unit_test(test_dns_no_answer),
		cmocka_unit_test(test_dns_same),
		cmocka_unit_test(test_ntp),
		cmocka_unit_test(test_ntp_best),
		cmocka_unit_test(test_banner),
		cmocka_unit_test(test_tls_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
