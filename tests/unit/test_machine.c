/* SPDX-License-Identifier: MIT */
/* The judgement of the probes of a machine, as tables: document (and memory) -> reason, text. */
#include "unit.h"
#include <string.h>
#include "../../plugins/antivirus/antivirus.h"
#include "../../plugins/certfile/certfile.h"
#include "../../plugins/file/file.h"
#include "../../plugins/firewall/firewall.h"
#include "../../plugins/journal/journal.h"
#include "../../plugins/ports/ports.h"
#include "../../plugins/process/process.h"
#include "../../plugins/timer/timer.h"
#include "base/cleanup.h"
#include "exec/look/clamav.h"
#include "exec/look/mark.h"
#include "exec/look/ruleset.h"
#include "exec/look/sieve.h"

/* What the glue asks of the host; judging does not. */
int tend_look(
	struct tend_attempt *a, const char *kind, const json_t *args, tend_look_fn fn, void *data)
{
	fn(a, 0, "", args, data);
	return 0;
}
void tend_attempt_finish(struct tend_attempt *a, enum tend_reason reason, const char *format, ...)
{
}
int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit)
{
	return 0;
}
int tend_attempt_metric_of(struct tend_attempt *a, const char *name, const char *instance,
	double value, const char *unit)
{
	return 0;
}
const json_t *tend_attempt_memory(const struct tend_attempt *a)
{
	return NULL;
}
static json_t *remembered;
int tend_attempt_remember(struct tend_attempt *a, json_t *doc)
{
	if (json_dumpb(doc, NULL, 0, JSON_COMPACT) > 256 << 10) {
		json_decref(doc);
		return -EMSGSIZE;
	}
	json_decref(remembered);
	remembered = doc;
	return 0;
}
void tend_attempt_set_data(struct tend_attempt *a, void *data)
{
}
void *tend_attempt_data(struct tend_attempt *a)
{
	return NULL;
}

struct row {
	const void *conf;
	const char *doc, *memory;
	enum tend_reason reason;
	const char *says;
};

static void judge_rows(verdict_fn judge, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_json json_t *doc = json_loads(rows[i].doc, 0, NULL);
		auto_json json_t *memory =
			rows[i].memory ? json_loads(rows[i].memory, 0, NULL) : NULL;
		struct verdict v = {0};

		if (!doc || (rows[i].memory && !memory))
			fail_msg("row %zu is no JSON", i);
		judge(rows[i].conf, doc, memory, &v);
		if (v.reason != rows[i].reason || !strstr(v.text, rows[i].says))
			fail_msg("%zu: %s: %s (%s)", i, rows[i].doc, tend_reason_name(v.reason),
				v.text);
		verdict_clear(&v);
	}
}
#define JUDGE(judge, rows) judge_rows(judge, rows, ARRAY_SIZE(rows))

static void test_the_worst_comes_first(void **state)
{
	struct verdict v = {0};

	verdict_well(&v, "well");
	assert_string_equal(v.text, "well");
	verdict_fault(&v, TEND_REASON_TLS_EXPIRES, "soon");
	verdict_fault(&v, TEND_REASON_TLS_EXPIRED, "expired");
	verdict_fault(&v, TEND_REASON_TLS_WEAK, "weak");
	verdict_fault(&v, TEND_REASON_NO_EVIDENCE, "unknown");
	verdict_well(&v, "not said");
	assert_int_equal(v.reason, TEND_REASON_TLS_EXPIRED);
	assert_string_equal(v.text, "expired; soon; weak; unknown");
	for (int i = 0; i < 1000; i++)
		verdict_fault(&v, i % 2 ? TEND_REASON_TLS_WEAK : TEND_REASON_FORECAST, "%0100d", i);
	assert_non_null(memchr(v.text, '\0', sizeof(v.text)));
	for (int i = 0; i < 2 * TEND_SAMPLES_MAX; i++)
		verdict_metric(&v, "x", "", 1, "");
	assert_int_equal(v.n_metrics, TEND_SAMPLES_MAX);
}

static void test_process(void **state)
{
	static char name[] = "app";
	static const struct process_conf conf = {.name = name, .min = 2, .max = 3};
	static const struct row rows[] = {
		{&conf, "{\"count\":2,\"rss\":2048,\"oldest\":3600}", NULL, TEND_REASON_OK,
			"2 of app run, 2.0 KiB, the oldest for 60 min"},
		{&conf, "{\"count\":1}", NULL, TEND_REASON_PROCESS_MISSING, "1 of app run, 2 are"},
		{&conf, "{\"count\":2,\"stopped\":1}", NULL, TEND_REASON_PROCESS_MISSING,
			"1 of app run, 1 stopped"},
		{&conf, "{\"count\":4}", NULL, TEND_REASON_THRESHOLD, "4 of app run, at most 3"},
		{&conf, "{}", NULL, TEND_REASON_PROCESS_MISSING, "0 of app run"},
		{&conf, "{\"count\":\"2\"}", NULL, TEND_REASON_PROCESS_MISSING, "0 of app"},
	};

	JUDGE(process_judge, rows);
}

static void test_process_cpu(void **state)
{
	static const struct process_conf conf = {.min = 0};
	auto_json json_t *doc = json_loads(
		"{\"count\":3,\"now\":110,\"hz\":100,\"processes\":["
		"{\"pid\":1,\"start\":5,\"ticks\":300},{\"pid\":2,\"start\":10500,\"ticks\":50},"
		"{\"pid\":3,\"start\":6,\"ticks\":1000}]}",
		0, NULL);
	/* 1 has used 200 ticks since; 2 is new, all 50 are; 3 was not told then. */
	auto_json json_t *memory = json_loads("{\"ticks\":{\"1:5\":100},\"now\":100}", 0, NULL);
	struct verdict v = {0};

	process_judge(&conf, doc, memory, &v);
	assert_non_null(verdict_find(&v, "cpu_pct", ""));
	assert_true(verdict_find(&v, "cpu_pct", "")->value == 25);
	assert_int_equal(json_object_size(json_object_get(v.memory, "ticks")), 3);
	verdict_clear(&v);
}

#define FILE_DOC                                                                                   \
	"\"exists\":true,\"type\":\"file\",\"size\":10,\"now\":1000,\"mtime\":900,\"owner\":"      \
	"\"a\","                                                                                   \
	"\"group\":\"b\",\"mode\":\"0640\""

#define PIPE_DOC "\"exists\":true,\"type\":\"pipe\",\"now\":1000,\"mtime\":900"

static void test_file(void **state)
{
	static char path[] = "/x", a[] = "a", c[] = "c", m640[] = "640", m600[] = "0600",
		    m777[] = "0777", remember[] = "remember", hex[] = "AB";
	static const struct file_conf plain = {.path = path},
				      absent = {.path = path, .absent = true},
				      owner = {.path = path, .owner = c},
				      good = {.path = path,
					      .owner = a,
					      .mode = m640,
					      .mode_max = m777},
				      group = {.path = path, .group = a},
				      mode = {.path = path, .mode = m600},
				      most = {.path = path, .mode_max = m600},
				      folder = {.path = path, .type = FILE_FOLDER},
				      age = {.path = path, .max_age = 50 * USEC_PER_SEC},
				      sum = {.path = path, .checksum = remember},
				      fixed = {.path = path, .checksum = hex},
				      drop = {.path = path, .drop_pct = 20},
				      least = {.path = path, .min_files = 5},
				      fresh = {.path = path, .max_age_inside = 50 * USEC_PER_SEC};
	static const struct row rows[] = {
		{&plain, "{" FILE_DOC "}", NULL, TEND_REASON_OK, "/x: 10 B, written 100 s ago"},
		{&plain, "{\"exists\":false}", NULL, TEND_REASON_FILE_MISSING, "does not exist"},
		{&absent, "{\"exists\":false}", NULL, TEND_REASON_OK, "as it should be"},
		{&absent, "{" FILE_DOC "}", NULL, TEND_REASON_UNDECLARED, "must not be"},
		{&good, "{" FILE_DOC "}", NULL, TEND_REASON_OK, ""},
		{&owner, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED,
			"belongs to a, not to c"},
		{&group, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED, "of the group b"},
		{&mode, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED, "mode 0640, not 0600"},
		{&most, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED, "allows more than 0600"},
		{&folder, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED, "is a file, not a"},
		{&age, "{" FILE_DOC "}", NULL, TEND_REASON_STALE, "100 s ago, more than 50 s"},
		{&sum, "{" FILE_DOC ",\"sha256\":\"ab\"}", NULL, TEND_REASON_OK, ""},
		{&sum, "{" FILE_DOC ",\"sha256\":\"ab\"}", "{\"sha256\":\"ab\"}", TEND_REASON_OK,
			""},
		{&sum, "{" FILE_DOC ",\"sha256\":\"cd\"}", "{\"sha256\":\"ab\"}",
			TEND_REASON_FILE_CHANGED, "the content of /x has changed"},
		{&fixed, "{" FILE_DOC ",\"sha256\":\"ab\"}", NULL, TEND_REASON_OK, ""},
		{&fixed, "{" FILE_DOC ",\"sha256\":\"cd\"}", NULL, TEND_REASON_FILE_CHANGED, ""},
		{&drop, "{" FILE_DOC ",\"inside\":{\"files\":80}}", "{\"most\":100}",
			TEND_REASON_OK, "80 files"},
		{&drop, "{" FILE_DOC ",\"inside\":{\"files\":79}}", "{\"most\":100}",
			TEND_REASON_FILE_MISSING, "has 79 files, it had 100"},
		{&least, "{" FILE_DOC ",\"inside\":{\"files\":4}}", NULL, TEND_REASON_FILE_MISSING,
			"has 4 files, 5 are needed"},
		{&plain, "{" FILE_DOC ",\"inside\":{\"files\":4,\"unreadable\":2}}", NULL,
			TEND_REASON_ACCESS_DENIED, "2 folders in /x"},
		{&fresh, "{" FILE_DOC ",\"inside\":{\"files\":4,\"newest\":900}}", NULL,
			TEND_REASON_STALE, "the newest file in it"},
		{&fresh, "{" FILE_DOC ",\"inside\":{\"files\":4,\"newest\":990}}", NULL,
			TEND_REASON_OK, ""},
		{&fresh, "{" FILE_DOC ",\"inside\":{\"files\":0}}", NULL, TEND_REASON_STALE,
			"has no file"},
		/* What cannot have what is asked for has changed; a time to come is no age. */
		{&sum, "{" PIPE_DOC "}", "{\"sha256\":\"ab\"}", TEND_REASON_FILE_CHANGED,
			"/x is a pipe, which has no checksum"},
		{&fixed, "{" PIPE_DOC "}", NULL, TEND_REASON_FILE_CHANGED, "is a pipe"},
		{&least, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED,
			"/x is a file, no folder"},
		{&fresh, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED, "no folder"},
		{&drop, "{" FILE_DOC "}", NULL, TEND_REASON_FILE_CHANGED, "no folder"},
		{&age, "{\"exists\":true,\"type\":\"file\",\"now\":1000,\"mtime\":1400}", NULL,
			TEND_REASON_STALE, "dated 7 min ahead"},
		{&age, "{\"exists\":true,\"type\":\"file\",\"now\":1000,\"mtime\":1010}", NULL,
			TEND_REASON_OK, ""},
		{&fresh, "{" FILE_DOC ",\"inside\":{\"files\":1,\"newest\":9900}}", NULL,
			TEND_REASON_STALE, "ahead"},
		{&plain, "{" FILE_DOC ",\"inside\":{\"files\":9,\"cut\":true}}", NULL,
			TEND_REASON_NO_EVIDENCE, "/x holds more than was counted"},
	};

	JUDGE(file_judge, rows);
}

#define TIMER "\"load_state\":\"loaded\",\"active_state\":\"active\",\"now\":1000000000"
#define NEXT  ",\"next\":1060000000"
#define WELL                                                                                       \
	",\"service\":{\"name\":\"x.service\",\"load_state\":\"loaded\",\"active_state\":"         \
	"\"inactive\",\"result\":\"success\",\"started\":890000000,\"exited\":900000000}"
#define FAILED                                                                                     \
	",\"service\":{\"name\":\"x.service\",\"active_state\":\"failed\",\"result\":"             \
	"\"exit-code\",\"status\":3,\"exited\":900000000}"
#define RUNS                                                                                       \
	",\"service\":{\"name\":\"x.service\",\"active_state\":\"activating\",\"result\":"         \
	"\"success\",\"started\":900000000}"

static void test_timer(void **state)
{
	static char name[] = "x.timer";
	static const struct timer_conf conf = {.timer = name, .late = 10 * USEC_PER_SEC},
				       age = {.timer = name,
					       .max_age = 50 * USEC_PER_SEC,
					       .late = 10 * USEC_PER_SEC},
				       run = {.timer = name, .max_run = 50 * USEC_PER_SEC},
				       longer = {.timer = name, .max_run = 200 * USEC_PER_SEC};
	static const struct row rows[] = {
		{&conf, "{" TIMER NEXT WELL "}", NULL, TEND_REASON_OK,
			"last success 100 s, next run in 60 s"},
		{&conf, "{\"load_state\":\"not-found\"}", NULL, TEND_REASON_UNIT_MISSING,
			"no timer"},
		{&conf, "{\"load_state\":\"masked\"}", NULL, TEND_REASON_UNIT_STOPPED, "masked"},
		{&conf, "{\"load_state\":\"error\"}", NULL, TEND_REASON_UNIT_FAILED, "error"},
		{&conf, "{\"load_state\":\"loaded\",\"active_state\":\"inactive\"}", NULL,
			TEND_REASON_UNIT_INACTIVE, "nothing will run"},
		{&conf, "{" TIMER NEXT FAILED "}", NULL, TEND_REASON_UNIT_FAILED,
			"x.service failed 100 s ago: exit-code, status 3"},
		{&age, "{" TIMER NEXT WELL "}", NULL, TEND_REASON_STALE,
			"100 s ago, more than 50 s"},
		/* Its success is remembered over a boot; without that the timer's stamp is a hint.
		 */
		{&age, "{" TIMER NEXT "}", "{\"success\":970}", TEND_REASON_OK,
			"last success 30 s"},
		{&age, "{" TIMER NEXT "}", NULL, TEND_REASON_STALE, "never succeeded"},
		{&age, "{" TIMER NEXT ",\"last\":970000000}", NULL, TEND_REASON_OK, "no success"},
		{&run, "{" TIMER NEXT RUNS "}", NULL, TEND_REASON_JOB_STUCK, "runs for 100 s"},
		{&longer, "{" TIMER NEXT RUNS "}", NULL, TEND_REASON_OK, "it runs"},
		{&conf, "{" TIMER WELL "}", NULL, TEND_REASON_NOT_RUN, "no next run"},
		{&conf, "{" TIMER ",\"next\":980000000" WELL "}", NULL, TEND_REASON_NOT_RUN,
			"was due 20 s ago"},
		{&conf,
			"{" TIMER ",\"next_monotonic\":70000000,\"now_monotonic\":10000000" WELL
			"}",
			NULL, TEND_REASON_OK, "next run in 60 s"},
		{&conf, "{" TIMER NEXT ",\"service\":{\"load_state\":\"not-found\"}}", NULL,
			TEND_REASON_UNIT_MISSING, "does not exist"},
	};

	JUDGE(timer_judge, rows);
}

#define CERT(more) "{\"now\":1000,\"files\":[{\"path\":\"/c\",\"ends_first\":\"ca\"," more "}]}"

static void test_certfile(void **state)
{
	static char key[] = "/k";
	static const struct certfile_conf conf = {.key = key,
						  .expires_within = 86400 * USEC_PER_SEC,
						  .min_bits = 2048},
					  bundle = {.bundle = true};
	static const struct row rows[] = {
		{&conf, CERT("\"not_after\":865000"), NULL, TEND_REASON_OK, "expires in 10 days"},
		{&conf, CERT("\"not_after\":999"), NULL, TEND_REASON_TLS_EXPIRED, "ca has expired"},
		{&conf, CERT("\"not_after\":4600"), NULL, TEND_REASON_TLS_EXPIRES, "in 60 min"},
		{&conf, CERT("\"not_after\":865000,\"not_before\":2000"), NULL,
			TEND_REASON_TLS_UNTRUSTED, "valid in"},
		{&conf, CERT("\"not_after\":865000,\"names_missing\":[\"crm\"]"), NULL,
			TEND_REASON_TLS_NAME, "/c is not for crm"},
		{&conf, CERT("\"not_after\":865000,\"key_matches\":false"), NULL,
			TEND_REASON_CONTENT_UNEXPECTED, "private key /k"},
		{&conf, CERT("\"not_after\":865000,\"key_error\":\"Permission denied\""), NULL,
			TEND_REASON_ACCESS_DENIED, "/k: Permission denied"},
		{&conf, CERT("\"not_after\":865000,\"key\":\"RSA\",\"bits\":1024"), NULL,
			TEND_REASON_TLS_WEAK, "1024 bits"},
		{&conf, CERT("\"not_after\":865000,\"key\":\"EC\",\"bits\":256"), NULL,
			TEND_REASON_OK, ""},
		{&conf, CERT("\"not_after\":865000,\"signature\":\"RSA-SHA1\""), NULL,
			TEND_REASON_TLS_WEAK, "RSA-SHA1"},
		{&conf, CERT("\"not_after\":865000,\"joined\":false"), NULL,
			TEND_REASON_TLS_UNTRUSTED, "do not follow"},
		{&conf, CERT("\"error\":\"x\",\"errno\":\"missing\""), NULL,
			TEND_REASON_FILE_MISSING, "/c: x"},
		{&conf, CERT("\"error\":\"x\",\"errno\":\"denied\""), NULL,
			TEND_REASON_ACCESS_DENIED, "/c: x"},
		{&conf, CERT("\"error\":\"no certificate\""), NULL, TEND_REASON_PROTOCOL, ""},
		{&conf, "{}", NULL, TEND_REASON_NO_EVIDENCE, ""},
		{&conf, CERT("\"not_after\":865000,\"chain\":1,\"broken\":true"), NULL,
			TEND_REASON_PROTOCOL, "/c: what follows on certificate 1 cannot be read"},
		/* Nobody has to believe a signature of one's own; a bundle is no chain. */
		{&conf,
			CERT("\"not_after\":865000,\"signature\":\"RSA-SHA1\",\"self_signed\":"
			     "true"),
			NULL, TEND_REASON_OK, ""},
		{&bundle, CERT("\"not_after\":865000,\"joined\":false"), NULL, TEND_REASON_OK, ""},
		{&bundle, CERT("\"not_after\":999"), NULL, TEND_REASON_TLS_EXPIRED, "ca has"},
	};

	JUDGE(certfile_judge, rows);
}

static void test_port_rules(void **state)
{
	static const struct {
		const char *text;
		int r;
		unsigned first, last;
		bool udp;
		const char *address;
	} rows[] = {
		{"22/tcp", 0, 22, 22, false, ""},
		{"53/udp loopback", 0, 53, 53, true, "loopback"},
		{"8000-8010/tcp 2001:db8::1", 0, 8000, 8010, false, "2001:db8::1"},
		{"22", -EINVAL, 0, 0, false, NULL},
		{"22/sctp", -EINVAL, 0, 0, false, NULL},
		{"0/tcp", -EINVAL, 0, 0, false, NULL},
		{"65536/tcp", -EINVAL, 0, 0, false, NULL},
		{"10-5/tcp", -EINVAL, 0, 0, false, NULL},
		{"22/tcp a b", -EINVAL, 0, 0, false, NULL},
		{"ssh", -EINVAL, 0, 0, false, NULL},
		{"", -EINVAL, 0, 0, false, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ports_rule rule;

		if (ports_rule_parse(rows[i].text, &rule) != rows[i].r)
			fail_msg("%s", rows[i].text);
		if (rows[i].r < 0)
			continue;
		assert_int_equal(rule.first, rows[i].first);
		assert_int_equal(rule.last, rows[i].last);
		assert_int_equal(rule.udp, rows[i].udp);
		assert_string_equal(rule.address, rows[i].address);
	}
}

#define PORT(number, protocol, address)                                                            \
	"{\"port\":" number ",\"protocol\":\"" protocol "\",\"address\":\"" address                \
	"\",\"user\":\"www\",\"service\":\"svc\"}"

static void test_ports(void **state)
{
	static struct ports_rule rules[] = {
		{.name = "db", .address = "loopback", .first = 5432, .last = 5432},
		{.name = "ssh", .first = 22, .last = 22}};
	static const struct ports_conf conf = {.rules = rules, .n_rules = 2, .udp_below = 32768},
				       strict = {.rules = rules,
					       .n_rules = 2,
					       .udp_below = 32768,
					       .loopback = true};
	static const struct row rows[] = {
		{&conf, "{\"ports\":[" PORT("22", "tcp", "::") "," PORT("5432", "tcp", "::1") "]}",
			NULL, TEND_REASON_OK, "2 ports listen, 1 of them"},
		{&conf,
			"{\"ports\":[" PORT("22", "tcp", "::") "," PORT(
				"5432", "tcp", "0.0.0.0") "]}",
			NULL, TEND_REASON_UNDECLARED,
			"5432/tcp (svc) on 0.0.0.0, user www (db), declared for loopback only"},
		{&conf,
			"{\"ports\":[" PORT("22", "tcp", "::") "," PORT(
				"5432", "tcp", "127.0.0.1") "," PORT("80", "tcp", "0.0.0.0") "]}",
			NULL, TEND_REASON_UNDECLARED, "not declared: 80/tcp (svc) on 0.0.0.0"},
		{&conf,
			"{\"ports\":[" PORT("22", "tcp", "::") "," PORT(
				"5432", "tcp", "127.0.0.1") "," PORT("81", "tcp",
				"127.0.0.1") "," PORT("40000", "udp", "::") "]}",
			NULL, TEND_REASON_OK, ""},
		{&strict,
			"{\"ports\":[" PORT("22", "tcp", "::") "," PORT(
				"5432", "tcp", "127.0.0.1") "," PORT("81", "tcp", "127.0.0.1") "]}",
			NULL, TEND_REASON_UNDECLARED, "81/tcp"},
		{&conf,
			"{\"ports\":[" PORT("22", "udp", "::1") "," PORT(
				"5432", "tcp", "127.0.0.1") "]}",
			NULL, TEND_REASON_OBJECT_MISSING, "nothing listens on ssh: 22/tcp"},
		/* What is declared or not may be among those that were not told. */
		{&conf, "{\"cut\":true,\"ports\":[" PORT("22", "tcp", "::1") "]}", NULL,
			TEND_REASON_NO_EVIDENCE, "more than 1 ports listen"},
		{&conf, "{\"cut\":true,\"ports\":[" PORT("80", "tcp", "::") "]}", NULL,
			TEND_REASON_UNDECLARED, "80/tcp"},
	};

	JUDGE(ports_judge, rows);
}

static void test_firewall(void **state)
{
	static char remember[] = "remember", table[] = "inet filter", policy[] = "input=drop";
	static char *tables[] = {table, NULL}, *policies[] = {policy, NULL};
	static const struct firewall_conf conf = {.tables = tables,
						  .policies = policies,
						  .fingerprint = remember,
						  .min_rules = 1,
						  .max_age = 60 * USEC_PER_SEC},
					  ufw = {.max_age = 60 * USEC_PER_SEC, .ufw = true};
	static const struct row rows[] = {
		{&conf,
			"{\"rules\":5,\"tables\":[\"inet filter\"],\"hooks\":{\"input\":\"drop\"},"
			"\"fingerprint\":\"a\"}",
			NULL, TEND_REASON_OK, "5 rules in 1 tables"},
		{&conf,
			"{\"rules\":5,\"tables\":[\"inet filter\"],\"hooks\":{\"input\":\"drop\"},"
			"\"fingerprint\":\"b\"}",
			"{\"fingerprint\":\"a\"}", TEND_REASON_UNDECLARED, "not those declared"},
		{&conf,
			"{\"rules\":5,\"tables\":[\"inet "
			"filter\"],\"hooks\":{\"input\":\"accept\"}}",
			NULL, TEND_REASON_UNDECLARED, "policy of input is accept, not drop"},
		{&conf, "{\"rules\":5,\"tables\":[\"ip x\"],\"hooks\":{\"input\":\"drop\"}}", NULL,
			TEND_REASON_OBJECT_MISSING, "no table inet filter"},
		{&conf, "{\"rules\":0,\"tables\":[\"inet filter\"],\"hooks\":{\"input\":\"drop\"}}",
			NULL, TEND_REASON_OBJECT_MISSING, "0 rules, 1 are needed"},
		{&conf,
			"{\"rules\":5,\"age\":90,\"tables\":[\"inet filter\"],\"hooks\":{\"input\":"
			"\"drop\"}}",
			NULL, TEND_REASON_STALE, "read 90 s ago"},
		{&ufw, "{\"ufw\":false}", NULL, TEND_REASON_UNDECLARED, "ufw is not switched on"},
		{&ufw, "{\"ufw\":true}", NULL, TEND_REASON_OK, ""},
	};

	JUDGE(firewall_judge, rows);
}

static void test_rulesets(void **state)
{
	static const char nft[] =
		"{\"nftables\":[{\"table\":{\"family\":\"ip\",\"name\":\"t\",\"handle\":%d}},"
		"{\"chain\":{\"type\":\"filter\",\"hook\":\"input\",\"policy\":\"drop\"}},"
		"{\"rule\":{\"expr\":[{\"counter\":{\"packets\":%d}},{\"%s\":null}]}}]}";
	char text[3][600];
	const char *prints[3];
	json_t *docs[3] = {NULL};

	for (int i = 0; i < 3; i++) {
		(void)snprintf(text[i], sizeof(text[i]), nft, i, i, i == 2 ? "accept" : "drop");
		assert_int_equal(ruleset_read(text[i], strlen(text[i]), &docs[i], NULL), 0);
		prints[i] = json_string_value(json_object_get(docs[i], "fingerprint"));
		assert_string_equal(json_string_value(json_object_get(
					    json_object_get(docs[i], "hooks"), "input")),
			"drop");
	}
	/* Counters and handles change nothing, a rule does. */
	assert_string_equal(prints[0], prints[1]);
	assert_string_not_equal(prints[0], prints[2]);
	for (int i = 0; i < 3; i++)
		json_decref(docs[i]);
	static const char save[] = "*filter\n:INPUT DROP [7:8]\n-A INPUT -j ACCEPT\nCOMMIT\n";
	auto_json json_t *doc = NULL;

	assert_int_equal(ruleset_read(save, strlen(save), &doc, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(doc, "rules")), 1);
	assert_int_equal(ruleset_read("hello\n", 6, &doc, NULL), -EIO);
	assert_int_equal(ruleset_read("{}", 2, &doc, NULL), -EIO);
}

static void test_antivirus(void **state)
{
	static char folder[] = "/f";
	static const struct antivirus_conf conf = {
		.folder = folder, .daemon = true, .test = true, .max_age = 60 * USEC_PER_SEC};
	static const struct row rows[] = {
		{&conf,
			"{\"now\":100,\"files\":[{\"built\":90}],\"daemon\":{\"version\":\"ClamAV "
			"1\","
			"\"test\":\"stream: Eicar FOUND\"}}",
			NULL, TEND_REASON_OK, "ClamAV 1, signatures of 10 s ago"},
		{&conf,
			"{\"now\":100,\"files\":[{\"built\":90}],\"daemon\":{\"version\":\"SSH-2\"}"
			"}",
			NULL, TEND_REASON_PROTOCOL, "this is not clamd"},
		{&conf,
			"{\"now\":100,\"files\":[{\"built\":90}],\"daemon\":{\"version\":\"ClamAV "
			"1\","
			"\"test\":\"stream: OK\"}}",
			NULL, TEND_REASON_CONTENT_UNEXPECTED, "does not find"},
		{&conf,
			"{\"now\":100,\"files\":[{\"built\":90}],\"daemon\":{\"error\":\"denied\"}"
			"}",
			NULL, TEND_REASON_ACCESS_DENIED, ""},
		{&conf,
			"{\"now\":100,\"files\":[{\"built\":90}],\"daemon\":{\"error\":\"failed\"}"
			"}",
			NULL, TEND_REASON_CONNECT_FAILED, ""},
		{&conf,
			"{\"now\":100,\"files\":[],\"daemon\":{\"version\":\"ClamAV 1\",\"test\":"
			"\" FOUND\"}}",
			NULL, TEND_REASON_FILE_MISSING, "no signatures in /f"},
	};
	static const char head[] =
		"ClamAV-VDB:07 Jul 2023 08-29 +0000:26961:2036:90:m:s:b:1688714980";
	struct clamav_head parsed;

	JUDGE(antivirus_judge, rows);
	assert_int_equal(clamav_head_parse(head, strlen(head), &parsed), 0);
	assert_int_equal(parsed.built, 1688714980);
	assert_int_equal(parsed.version, 26961);
	assert_int_equal(clamav_head_parse("ClamAV-VDB:x:1", 14, &parsed), -EINVAL);
	assert_int_equal(clamav_head_parse("PK", 2, &parsed), -EINVAL);
}

static void test_templates(void **state)
{
	static const struct {
		const char *line, *kind;
	} rows[] = {
		{"served 5 in 17.5 ms", "served # in # ms"},
		{"from 10.1.2.3:443 to fe80::1", "from # to #::#"},
		{"user \"eve 'x'\" said 'no'", "user # said #"},
		{"it doesn't matter", "it doesn't matter"},
		{"job deadbeefcafe done", "job # done"},
		{"facade decade", "facade decade"},
		{"  two\t blanks ", "two blanks "},
		{"2026-11-22T10:11:12Z x", "# x"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char kind[SIEVE_TEMPLATE_BYTES];

		sieve_template(rows[i].line, strlen(rows[i].line), kind);
		assert_string_equal(kind, rows[i].kind);
	}
}

static void judge_much(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	ret_verdict->memory = json_incref((json_t *)(uintptr_t)doc);
}

/* Without its cursor it would read the same lines for ever: kinds go, and are learned anew. */
static void test_memory_that_is_too_large(void **state)
{
	static const struct machine_probe probe = {.kind = "journal", .judge = judge_much};
	size_t len = 300 << 10;
	auto_free char *text = calloc(1, len + 1);

	memset(text, 'a', len);
	assert_int_equal(machine_start(NULL, NULL, &probe,
				 json_pack("{s:s, s:i, s:i, s:s, s:[]}", "cursor", "c", "since", 1,
					 "now", 9, "seen", text, "told")),
		0);
	assert_non_null(remembered);
	auto_free char *kept = json_dumps(remembered, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(kept, "{\"cursor\":\"c\",\"now\":9,\"since\":9}");
	json_decref(remembered);
	remembered = NULL;
	/* What has no kinds is not remembered, and that is all. */
	assert_int_equal(machine_start(NULL, NULL, &probe, json_pack("{s:s}", "cursor", text)), 0);
	assert_null(remembered);
}

/* What has matched counts for the window, and is remembered for it. */
static void test_sift(void **state)
{
	static char pattern[] = "bad=ERROR", allow[] = "bad=2";
	static char *patterns[] = {pattern, NULL}, *allowed[] = {allow, NULL};
	static const struct sift_conf conf = {.patterns = patterns,
		.allowed = allowed,
		.new = true,
		.window = 600 * USEC_PER_SEC,
		.learn = 300 * USEC_PER_SEC};
	static const struct {
		double now, n;
		bool first;
		const char *new;
		enum tend_reason reason;
		double matches;
	} steps[] = {
		{1000, 9, true, "00000001", TEND_REASON_OK, 0},
		{1060, 1, false, "00000002", TEND_REASON_OK, 1}, /* still learning */
		{1120, 1, false, NULL, TEND_REASON_OK, 2},
		{1180, 1, false, NULL, TEND_REASON_PATTERN_SEEN, 3},
		{1240, 0, false, NULL, TEND_REASON_PATTERN_SEEN, 3},
		{1661, 0, false, NULL, TEND_REASON_OK, 2},
		{1700, 0, false, "00000003", TEND_REASON_PATTERN_NEW, 2},
		{2299, 0, false, NULL, TEND_REASON_PATTERN_NEW, 0},
		{2301, 0, false, NULL, TEND_REASON_OK, 0},
	};
	json_t *memory = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		auto_json json_t *doc = json_pack("{s:f, s:f, s:{s:{s:f, s:s}}, s:[]}", "now",
			steps[i].now, "lines", steps[i].n, "matches", "bad", "n", steps[i].n,
			"sample", "ERROR x", "new");
		struct verdict v = {0};

		if (steps[i].new)
			(void)json_array_append_new(json_object_get(doc, "new"),
				json_pack("{s:s, s:s, s:s}", "hash", steps[i].new, "template",
					"t #", "source", "s"));
		sift_judge(&conf, doc, memory, steps[i].first, &v);
		if (v.reason != steps[i].reason ||
			verdict_find(&v, "matches", "bad")->value != steps[i].matches)
			fail_msg("step %zu: %s (%s), %g", i, tend_reason_name(v.reason), v.text,
				verdict_find(&v, "matches", "bad")->value);
		json_decref(memory);
		memory = json_incref(v.memory);
		verdict_clear(&v);
	}
	assert_string_equal(
		json_string_value(json_object_get(memory, "seen")), "000000010000000200000003");
	json_decref(memory);
}

/* Where nothing was written nothing is known; what has matched before is told all the same. */
static void test_journal(void **state)
{
	static char pattern[] = "bad=ERROR";
	static char *patterns[] = {pattern, NULL};
	static const struct journal_conf conf = {
		.marker = true, .sift = {.patterns = patterns, .window = 600 * USEC_PER_SEC}};
#define SEEN "\"matches\":{\"bad\":{\"n\":1,\"sample\":\"ERROR x\"}}"
	static const struct row rows[] = {
		{&conf, "{\"now\":100,\"written\":{\"ok\":true}}", NULL, TEND_REASON_OK,
			"0 new lines"},
		{&conf, "{\"now\":100}", NULL, TEND_REASON_NO_EVIDENCE,
			"its last entry is not known"},
		{&conf,
			"{\"now\":100,\"written\":{\"ok\":false,\"why\":\"Connection "
			"refused\",\"newest\":1000000,\"now\":31000000}}",
			NULL, TEND_REASON_NO_EVIDENCE,
			"takes no messages: Connection refused; its last entry is 30 s ago"},
		{&conf,
			"{\"now\":100,\"written\":{\"ok\":false,\"newest\":1000000,\"marked\":"
			"29000000,\"now\":31000000}}",
			NULL, TEND_REASON_NO_EVIDENCE, "sent 2 s ago has not come into it"},
		{&conf, "{\"now\":100," SEEN ",\"written\":{\"ok\":false}}", "{\"cursor\":\"c\"}",
			TEND_REASON_PATTERN_SEEN, "; the journal is not being written"},
	};
	static const struct {
		const char *memory, *asked;
	} asks[] = {
		{"{}", "{}"},
		{"{\"written\":7}", "{}"},
		{"{\"written\":{\"newest\":7}}", "{\"newest\":7}"},
		{"{\"written\":{\"mark\":\"m\",\"newest\":7,\"proved\":\"x\",\"marked\":9,\"ok\":"
		 "true,"
		 "\"why\":\"w\"}}",
			"{\"mark\":\"m\",\"marked\":9,\"newest\":7}"},
		{"{\"written\":{\"mark\":\"123456789012345678901234567890123\",\"newest\":7}}",
			"{\"newest\":7}"},
	};

	JUDGE(journal_judge, rows);
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		auto_json json_t *memory = json_loads(asks[i].memory, 0, NULL);
		auto_json json_t *written = journal_written(memory);
		auto_free char *text = json_dumps(written, JSON_COMPACT | JSON_SORT_KEYS);

		assert_string_equal(text, asks[i].asked);
	}
}

/* One marker proves it for a while, one that is on its way is waited for, and then given up. */
static void test_markers(void **state)
{
#define S USEC_PER_SEC
	static const struct {
		struct mark_memory before;
		usec_t newest, now;
		enum mark_step step;
	} rows[] = {
		{{0}, 999 * S, 1000 * S, MARK_SEND},
		{{.newest = 998 * S}, 999 * S, 1000 * S, MARK_NEWS},
		{{.newest = 998 * S, .marked = 990 * S}, 999 * S, 1000 * S, MARK_NEWS},
		/* It is new to us, but the system may have died after it. */
		{{.newest = 600 * S}, 700 * S, 1000 * S, MARK_SEND},
		{{.newest = 999 * S}, 999 * S, 1000 * S, MARK_SEND},
		{{.newest = 999 * S, .proved = 991 * S}, 999 * S, 1000 * S, MARK_FRESH},
		{{.newest = 999 * S, .proved = 990 * S}, 999 * S, 1000 * S, MARK_SEND},
		{{.newest = 99 * S, .proved = 999 * S, .marked = 941 * S}, 99 * S, 1000 * S,
			MARK_AWAIT},
		{{.newest = 99 * S, .proved = 999 * S, .marked = 940 * S}, 99 * S, 1000 * S,
			MARK_SEND},
		/* The clock was set back. */
		{{.newest = 9999 * S}, 999 * S, 1000 * S, MARK_NEWS},
		{{.newest = 99 * S, .marked = 9999 * S}, 99 * S, 1000 * S, MARK_SEND},
		/* Files are gone. */
		{{.newest = 999 * S}, 0, 1000 * S, MARK_SEND},
	};
#undef S

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (mark_decide(&rows[i].before, rows[i].newest, rows[i].now) != rows[i].step)
			fail_msg("row %zu", i);
}

/* A marker that is not stored would prove the wrong thing. */
static void test_marker_levels(void **state)
{
	static const struct {
		const char *text;
		int level;
	} rows[] = {
		{"", 7},
		{"[Journal]\n#MaxLevelStore=err\n", 7},
		{"[Journal]\nMaxLevelStore=warning\nStorage=auto", 4},
		{"MaxLevelStore = err ", 3},
		{"MaxLevelStore=NOTICE\r\n", 5},
		{"MaxLevelStore=2", 2},
		{"MaxLevelStore=debug\nMaxLevelStore=info\n", 6},
		{"MaxLevelStoreX=err\nMaxLevelStore\nMaxLevelStore=\nMaxLevelStore=errr", 7},
		{"MaxLevelSyslog=err\n", 7},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(mark_level(rows[i].text, 7), rows[i].level);
	assert_int_equal(mark_level("MaxLevelStore=info\n", 3), 3);
}

static void test_sift_options(void **state)
{
	static char good[] = "a=x+", bad[] = "a=(", number[] = "a=7", word[] = "a=x",
		    other[] = "b=7", minus[] = "a=-1";
	static char *list_good[] = {good, NULL}, *list_bad[] = {bad, NULL},
		    *list_number[] = {number, NULL}, *list_word[] = {word, NULL},
		    *list_other[] = {other, NULL}, *list_minus[] = {minus, NULL};
	static const struct {
		struct sift_conf conf;
		const char *says; /* NULL: good */
	} rows[] = {
		{{.patterns = list_good}, NULL},
		{{.patterns = list_good, .allowed = list_number, .ignore = list_good}, NULL},
		{{.new = true}, NULL},
		{{0}, "nothing is looked for"},
		{{.patterns = list_bad}, "no expression"},
		{{.patterns = list_good, .ignore = list_bad}, "no expression"},
		{{.patterns = list_good, .allowed = list_word}, "no number"},
		{{.patterns = list_good, .allowed = list_minus}, "no number"},
		{{.patterns = list_good, .allowed = list_other}, "no pattern.b"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		int r = sift_check(&rows[i].conf, &err);

		if (r != (rows[i].says ? -EINVAL : 0) ||
			(rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("%zu: %d %s", i, r, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_worst_comes_first),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_process_cpu),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_certfile),
		cmocka_unit_test(test_port_rules),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_firewall),
		cmocka_unit_test(test_rulesets),
		cmocka_unit_test(test_antivirus),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_memory_that_is_too_large),
		cmocka_unit_test(test_sift),
		cmocka_unit_test(test_sift_options),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_markers),
		cmocka_unit_test(test_marker_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
