/* SPDX-License-Identifier: MIT */
/* A store in a folder of its own, and ways to wait for what it reports. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/uuid.h"
#include "store/store.h"

struct fixture {
	char dir[64];
	struct loop *loop;
	struct store *store;
	bool fresh;
	struct tend_error err;
};

static inline int fixture_open(struct fixture *f)
{
	return store_open(f->loop, f->dir, &f->err, &f->fresh, &f->store);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/tend-store-XXXXXX");
	if (!mkdtemp(f->dir) || loop_new(&f->loop) < 0)
		return -1;
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	auto_free char *command = str_printf("rm -rf '%s'", f->dir);

	store_free(f->store);
	loop_free(f->loop);
	free(f);
	return system(command) == 0 ? 0 : -1;
}

#define WAIT_FOR(loop, condition)                                                                  \
	do {                                                                                       \
		usec_t until_ = clock_now() + 60 * USEC_PER_SEC;                                   \
		while (!(condition)) {                                                             \
			if (clock_now() > until_)                                                  \
				fail_msg("waited in vain for %s", #condition);                     \
			assert_true(loop_turn(loop, 100 * USEC_PER_MSEC) >= 0);                    \
		}                                                                                  \
	} while (0)

struct outcome {
	int n, first, last;
};

static inline void on_done(int r, void *data)
{
	struct outcome *o = data;

	if (o->n++ == 0)
		o->first = r;
	o->last = r;
}

static inline struct store_batch *batch_of_check(const char *name, int64_t at)
{
	auto_json json_t *doc = json_pack("{s:s, s:I}", "now", "ok", "n", (json_int_t)at);
	struct store_batch *batch;

	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(store_batch_add(batch, STORE_CHECK_STATE_PUT, "sji", name, doc, at), 0);
	return batch;
}

static inline json_t *rows_now(struct fixture *f, enum store_query query)
{
	json_t *rows = NULL;

	assert_int_equal(store_read_now(f->store, query, &rows, ""), 0);
	return rows;
}

#endif
