/* SPDX-License-Identifier: MIT */
/*
 * snmp/plan.h: the configuration of a check, and what is to be asked by it: options that name OIDs
 * and values, read once by check(). Texts of a plan are borrowed from the configuration. Pure.
 */
#ifndef SNMP_PLAN_H
#define SNMP_PLAN_H

#include <tend/option.h>
#include <tend/error.h>
#include "oid.h"

enum {
	PLAN_MAX_GETS = 64,
	PLAN_MAX_WALKS = 16,
	PLAN_MAX_WHERE = 4,
	PLAN_MAX_SHARES = 8,
	PLAN_MAX_OID_PARTS = 64,
	PLAN_NAME_BYTES = 32,
};

struct plan_item {
	char name[PLAN_NAME_BYTES];
	struct oid oid;
	bool total, optional;
	double scale;
	const char *unit, *expect, *words; /* the last two: NULL if there are none */
};
/* 100 * part / whole, two items of the same kind. */
struct plan_share {
	char name[PLAN_NAME_BYTES];
	size_t part, whole;
};
struct plan_where {
	struct oid oid;
	const char *value;
};
struct plan {
	size_t n_gets, n_walks; /* items: the former first */
	struct plan_item *items;
	bool has_label, has_decimals;
	struct oid label, decimals;
	size_t n_where, n_shares;
	struct plan_where where[PLAN_MAX_WHERE];
	struct plan_share shares[PLAN_MAX_SHARES];
};

struct agent_conf {
	char *host, *community, *user, *auth_password, *priv_password, *context;
	int64_t port, repetitions, min_rows, max_rows;
	int family, version, auth, priv;
	usec_t resend;
	char **get, **walk, **where, **expect, **words, **units, **scales, **shares;
	char **totals, **optional, **ignore;
	char *label, *decimals;
	struct plan *plan; /* made by check() */
};

int plan_new(const struct agent_conf *conf, struct tend_error *err, struct plan **ret_plan);
struct plan *plan_free(struct plan *plan);
/* "2|3" or "online|2": the value, or the word for it, is one of them. */
bool plan_expects(const struct plan_item *item, const char *value);
/* What words = "1=unknown, 2=normal" call it; NULL: nothing. Not terminated. */
const char *plan_word(const struct plan_item *item, const char *value, size_t *ret_len);

#endif
