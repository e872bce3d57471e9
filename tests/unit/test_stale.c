/* SPDX-License-Identifier: MIT */
/* When the backups of a component are too old: what is good, what is proven, from when it counts.
 */
#include "unit.h"
#include <jansson.h>
#include "stale.h"

#define HOUR (3600 * USEC_PER_SEC)

static void test_judge(void **state)
{
	static const struct {
		const char *sets;
		enum stale_why why;
		int age_hours;
	} rows[] = {
		/* it is the 1,000th hour; good for 26 h, proven for 216 h */
		{"[]", STALE_NOT, 0},
		{"[{'at': 990, 'verified_at': 990, 'proven_at': 991}]", STALE_NOT, 0},
		{"[{'at': 974, 'verified_at': 974, 'proven_at': 974}]", STALE_NOT, 0},
		{"[{'at': 973, 'verified_at': 999, 'proven_at': 999}]", STALE_GOOD, 27},
		/* the newest is not whole, or was not read */
		{"[{'at': 990, 'verified_at': 990, 'why': 'damaged', 'proven_at': 991},"
		 " {'at': 970, 'verified_at': 970, 'proven_at': 971}]",
			STALE_GOOD, 30},
		{"[{'at': 999}, {'at': 960, 'verified_at': 960}]", STALE_GOOD, 40},
		/* never good, never proven: from the first set on */
		{"[{'at': 980}]", STALE_NOT, 0},
		{"[{'at': 999}, {'at': 970}]", STALE_GOOD, 30},
		{"[{'at': 999, 'verified_at': 999}]", STALE_NOT, 0},
		{"[{'at': 999, 'verified_at': 999}, {'at': 780, 'verified_at': 780}]", STALE_PROVEN,
			220},
		{"[{'at': 999, 'verified_at': 999}, {'at': 700, 'verified_at': 700,"
		 " 'proven_at': 783}]",
			STALE_PROVEN, 217},
		/* of what was damaged since, the proof is worth nothing */
		{"[{'at': 999, 'verified_at': 999}, {'at': 700, 'why': 'x', 'verified_at': 700,"
		 " 'proven_at': 990}]",
			STALE_PROVEN, 300},
		/* clocks: from the future, or nonsense */
		{"[{'at': 2000, 'verified_at': 2000, 'proven_at': 2000}]", STALE_NOT, 0},
		{"[{'at': 'x', 'verified_at': true}, 7]", STALE_NOT, 0},
	};
	const struct stale_limits limits = {26 * HOUR, 216 * HOUR}, none = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512];
		json_t *sets, *set, *value;
		const char *key;
		size_t k;

		snprintf(text, sizeof(text), "%s", rows[i].sets);
		for (char *p = text; *p; p++)
			if (*p == '\'')
				*p = '"';
		sets = json_loads(text, 0, NULL);
		assert_non_null(sets);
		json_array_foreach (sets, k, set)
			json_object_foreach (set, key, value)
				if (json_is_integer(value))
					json_integer_set(value, json_integer_value(value) * 3600);
		struct stale_judgement j = stale_judge(sets, &limits, 1000 * HOUR);
		if (j.why != rows[i].why || (int)(j.age / HOUR) != rows[i].age_hours)
			fail_msg("%s: %d, %d h", rows[i].sets, j.why, (int)(j.age / HOUR));
		assert_int_equal(stale_judge(sets, &none, 1000 * HOUR).why, STALE_NOT);
		json_decref(sets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
