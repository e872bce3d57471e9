/* SPDX-License-Identifier: MIT */
/* What a peer may say to tend-exec; everything else is refused with the key that is wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/str.h"
#include "exec/request.h"

#define ID "0192a6f0-1111-7222-8333-444455556666"

static void test_requests(void **state)
{
	static const struct {
		const char *call, *args, *says; /* says NULL = good */
	} rows[] = {
		{"hello", "{}", NULL},
		{"hello", "null", NULL},
		{"hello", "{\"id\":1}", "'id'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"start\",\"unit\":\"a.service\"}", NULL},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"stop\",\"unit\":\"a\",\"why\":\"x\"}",
			NULL},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"kill\",\"unit\":\"a\"}", "'verb'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":1,\"unit\":\"a\"}", "'verb'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"start\"}", "'unit'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"start\",\"unit\":\"\"}", "'unit'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"start\",\"unit\":\"a\\u0000b\"}", "'unit'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"start\",\"unit\":[\"a\"]}", "'unit'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"start\",\"unit\":\"a\",\"why\":2}",
			"'why'"},
		{"unit", "{\"id\":\"" ID "\",\"verb\":\"start\",\"unit\":\"a\",\"mode\":\"x\"}",
			"'mode'"},
		{"unit", "{\"verb\":\"start\",\"unit\":\"a\"}", "'id'"},
		{"unit", "{\"id\":7,\"verb\":\"start\",\"unit\":\"a\"}", "'id'"},
		{"unit", "[]", "object"},
		{"unit", "null", "object"},
		{"attach", "{\"id\":\"" ID "\"}", NULL},
		{"attach", "{\"id\":\"0192A6F0-1111-7222-8333-444455556666\"}", "'id'"},
		{"attach", "{\"id\":\"0192a6f0111172228333444455556666\"}", "'id'"},
		{"attach", "{\"id\":\"" ID "/\"}", "'id'"},
		{"attach", "{\"id\":\"../../../../../../../../../../tmp/x\"}", "'id'"},
		{"attach", "{}", "'id'"},
		{"command", "{\"id\":\"" ID "\",\"command\":\"c\",\"args\":{}}", NULL},
		{"command", "{\"id\":\"" ID "\",\"command\":\"c\"}", "'args'"},
		{"command", "{\"id\":\"" ID "\",\"command\":\"c\",\"args\":[]}", "'args'"},
		{"command", "{\"id\":\"" ID "\",\"command\":3,\"args\":{}}", "'command'"},
#define UNIT "{\"id\":\"" ID "\",\"verb\":\"reload\",\"unit\":\"a\","
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\",\"token\":1}}", NULL},
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\",\"token\":9223372036854775807}}", NULL},
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\",\"token\":0}}", "'fence'"},
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\",\"token\":-1}}", "'fence'"},
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\",\"token\":\"1\"}}", "'fence'"},
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\",\"token\":1.0}}", "'fence'"},
		{"unit", UNIT "\"fence\":{\"lock\":\"../x\",\"token\":1}}", "'fence'"},
		{"unit", UNIT "\"fence\":{\"lock\":\"a\\u0000b\",\"token\":1}}", "'fence'"},
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\"}}", "'fence'"},
		{"unit", UNIT "\"fence\":{\"lock\":\"crm\",\"token\":1,\"x\":1}}", "'fence'"},
		{"unit", UNIT "\"fence\":null}", "'fence'"},
		{"unit", UNIT "\"seen\":\"\"}", NULL},
		{"unit", UNIT "\"seen\":\"0123456789abcdef0123456789abcdef\"}", NULL},
		{"unit", UNIT "\"seen\":\"0123456789abcdef\"}", "'seen'"},
		{"unit", UNIT "\"seen\":\"0123456789ABCDEF0123456789abcdef\"}", "'seen'"},
		{"unit", UNIT "\"seen\":1}", "'seen'"},
		{"unit", UNIT "\"min_up_msec\":2000}", NULL},
		{"unit", UNIT "\"min_up_msec\":-1}", "'min_up_msec'"},
		{"unit", UNIT "\"min_up_msec\":604800001}", "'min_up_msec'"},
		{"unit", UNIT "\"min_up_msec\":\"1\"}", "'min_up_msec'"},
		{"unit", UNIT "\"hold\":{}}", NULL},
		{"unit", UNIT "\"hold\":{\"dpkg\":true,\"login\":[\"eve\",\"@ops\"]}}", NULL},
		{"unit", UNIT "\"hold\":{\"dpkg\":1}}", "'hold'"},
		{"unit", UNIT "\"hold\":{\"login\":\"eve\"}}", "'hold'"},
		{"unit", UNIT "\"hold\":{\"login\":[1]}}", "'hold'"},
		{"unit", UNIT "\"hold\":{\"login\":[\"\"]}}", "'hold'"},
		{"unit", UNIT "\"hold\":{\"login\":[\"a\\u0000b\"]}}", "'hold'"},
		{"unit", UNIT "\"hold\":{\"dpkg\":true,\"x\":1}}", "'hold'"},
		{"unit", UNIT "\"hold\":true}", "'hold'"},
		{"command", "{\"id\":\"" ID "\",\"command\":\"c\",\"args\":{},\"hold\":{}}", NULL},
#define RUN "{\"id\":\"" ID "\",\"command\":\"c\",\"args\":{},"
		{"command", RUN "\"risk\":\"observe\"}", NULL},
		{"command", RUN "\"risk\":\"destroy\"}", NULL},
		{"command", RUN "\"risk\":\"none\"}", "'risk'"},
		{"command", RUN "\"risk\":2}", "'risk'"},
		{"unit", UNIT "\"risk\":\"change\"}", "'risk'"},
		{"attach", "{\"id\":\"" ID "\",\"hold\":{}}", "'hold'"},
		{"attach", "{\"id\":\"" ID "\",\"fence\":{\"lock\":\"a\",\"token\":1}}", "'fence'"},
#define SQL "{\"id\":\"" ID "\",\"sql\":\"s\","
		{"sql", SQL "\"component\":\"a/b\",\"args\":{}}", NULL},
		{"sql", SQL "\"component\":\"a/b\",\"args\":{},\"risk\":\"change\"}", NULL},
		{"sql", SQL "\"args\":{}}", "'component'"},
		{"sql", SQL "\"component\":\"a/b\"}", "'args'"},
		{"sql", SQL "\"component\":\"a/b\",\"args\":{},\"seen\":\"\"}", "'seen'"},
		{"inspect", "{\"unit\":\"a.service\"}", NULL},
		{"inspect", "{\"unit\":\"a.service\",\"id\":\"" ID "\"}", "'id'"},
		{"inspect", "{}", "'unit'"},
		{"shell", "{}", "not a call"},
		{"", "{}", "not a call"},
		{"Hello", "{}", "not a call"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *args =
			json_loads(rows[i].args, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		struct tend_error err = {0};
		struct request request;
		int r = request_parse(rows[i].call, args, &request, &err);

		assert_non_null(args);
		if (r != (rows[i].says ? -EINVAL : 0) ||
			(rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("%s %s: %d: %s", rows[i].call, rows[i].args, r, err.text);
	}
}

static void test_bounds(void **state)
{
	char name[MANIFEST_MAX_NAME_BYTES + 2], why[5000];
	struct request request;

	memset(name, 'n', sizeof(name));
	memset(why, '\n', sizeof(why));
	for (size_t len = MANIFEST_MAX_NAME_BYTES; len <= MANIFEST_MAX_NAME_BYTES + 1; len++) {
		auto_json json_t *args = json_pack("{s:s, s:s, s:s%, s:s%}", "id", ID, "verb",
			"start", "unit", name, len, "why", why, sizeof(why));

		assert_int_equal(request_parse("unit", args, &request, NULL),
			len > MANIFEST_MAX_NAME_BYTES ? -EINVAL : 0);
	}
	/* What goes into the log and the ledger is one bounded line. */
	assert_int_equal(strlen(request.why), REQUEST_MAX_WHY_BYTES);
	assert_null(strchr(request.why, '\n'));
}

static void test_id_time(void **state)
{
	char id[UUID_TEXT_BYTES];
	usec_t before = clock_wall() / 1000 * 1000;
	usec_t time = request_id_time(uuid7(id));

	assert_in_range(time, before, clock_wall());
	assert_int_equal(request_id_time("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
		UINT64_C(1645557742000) * 1000); /* RFC 9562, A.6 */
	assert_int_equal(request_id_time("919108f7-52d1-4320-9bac-f847db4148a8"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_id_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
