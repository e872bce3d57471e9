/* SPDX-License-Identifier: MIT */
/* What lies free between what lives goes back to the kernel, and what lives stays as it was. */
#include "unit.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "trim.h"

#if defined(__SANITIZE_ADDRESS__)
#define OWN_MALLOC true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_MALLOC true
#endif
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC false
#endif

enum { N = 4096, BYTES = 16 << 10, LIVES = 64, MARK = 0x5a };
#define WALL (1772000000 * USEC_PER_SEC)

static size_t resident_kib(void)
{
	char line[128];
	size_t kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		(void)sscanf(line, "RssAnon: %zu", &kib);
	fclose(file);
	return kib;
}

/* As many attempts at once; one in 64 leaves something that stays. */
static void burst(char *blocks[N])
{
	for (size_t i = 0; i < N; i++) {
		blocks[i] = malloc(BYTES);
		assert_non_null(blocks[i]);
		memset(blocks[i], MARK, BYTES);
	}
	for (size_t i = 0; i < N; i++)
		if (i % LIVES != LIVES - 1) {
			free(blocks[i]);
			blocks[i] = NULL;
		}
}

static void test_a_burst_goes_back(void **state)
{
	static char *blocks[N];
	const size_t burst_kib = (size_t)N * BYTES / 1024;
	struct loop *loop = NULL;
	struct trim *trim = NULL;
	size_t before, after;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(loop_simulate(loop, WALL), 0);
	assert_int_equal(trim_new(loop, &trim), 0);
	before = resident_kib();
	burst(blocks);
	if (!OWN_MALLOC)
		assert_true(resident_kib() > before + burst_kib * 3 / 4);
	const struct loop_simulation minute = {
		.until = clock_now() + 60 * USEC_PER_SEC, .real_until = USEC_INFINITY};
	assert_int_equal(loop_simulate_until(loop, &minute), 0);
	after = resident_kib();
	if (!OWN_MALLOC)
		assert_true(after < before + burst_kib / 8);
	for (size_t i = LIVES - 1; i < N; i += LIVES) {
		assert_int_equal(blocks[i][0], MARK);
		assert_int_equal(blocks[i][BYTES - 1], MARK);
		free(blocks[i]);
	}
	assert_null(trim_free(trim));
	assert_null(trim_free(NULL));
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
