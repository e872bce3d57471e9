/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <tend/reason.h>

static const struct {
	const char *name;
	const char *text;
	enum tend_state verdict;
} reasons[TEND_REASON_MAX] = {
#define X(code, value, n, v, t)                                                                    \
	[TEND_REASON_##code] = {.name = (n), .text = (t), .verdict = TEND_STATE_##v},
	TEND_REASONS(X)
#undef X
};

static const char *const states[TEND_STATE_MAX] = {
	[TEND_STATE_OK] = "ok",
	[TEND_STATE_WARNING] = "warning",
	[TEND_STATE_CRITICAL] = "critical",
	[TEND_STATE_UNKNOWN] = "unknown",
	[TEND_STATE_PENDING] = "pending",
	[TEND_STATE_UNREACHABLE] = "unreachable",
};

const char *tend_reason_name(enum tend_reason reason)
{
	return reason < TEND_REASON_MAX ? reasons[reason].name : "invalid";
}

const char *tend_reason_text(enum tend_reason reason)
{
	return reason < TEND_REASON_MAX ? reasons[reason].text : "invalid";
}

/* By the first that fits; the last fits all that is left. */
static const struct {
	const char *prefix, *name;
} categories[] = {
	{"dns-", "network"},
	{"no-reply", "network"},
	{"connect-", "network"},
	{"tls-", "tls"},
	{"auth-", "auth"},
	{"access-", "auth"},
	{"protocol", "answer"},
	{"status-", "answer"},
	{"content-", "answer"},
	{"query-", "answer"},
	{"step-", "answer"},
	{"threshold", "threshold"},
	{"off-baseline", "threshold"},
	{"forecast", "threshold"},
	{"too-slow", "slow"},
	{"overrun", "slow"},
	{"unit-", "unit"},
	{"report", "report"},
	{"read-only", "server"},
	{"locked", "server"},
	{"connections-", "server"},
	{"replication-", "server"},
	{"starting", "server"},
	{"quota", "server"},
	{"object-", "data"},
	{"database-", "data"},
	{"schema-", "data"},
	{"rows-", "data"},
	{"data-", "data"},
	{"out-of-sync", "data"},
	{"version-", "data"},
	{"stale", "job"},
	{"not-run", "job"},
	{"process-", "machine"},
	{"file-", "machine"},
	{"pattern-", "machine"},
	{"undeclared", "machine"},
	{"program-", "program"},
	{"", "internal"},
};

const char *tend_reason_category(enum tend_reason reason)
{
	const char *name = tend_reason_name(reason);
	size_t i = 0;

	while (strncmp(name, categories[i].prefix, strlen(categories[i].prefix)) != 0)
		i++;
	return categories[i].name;
}

size_t tend_reason_categories(const char *ret_names[TEND_REASON_MAX_CATEGORIES])
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++)
		if (n == 0 || strcmp(ret_names[n - 1], categories[i].name) != 0)
			ret_names[n++] = categories[i].name;
	return n;
}

enum tend_state tend_reason_verdict(enum tend_reason reason)
{
	return reason < TEND_REASON_MAX ? reasons[reason].verdict : TEND_STATE_UNKNOWN;
}

int tend_reason_from_name(const char *name)
{
	for (int i = 0; i < TEND_REASON_MAX; i++)
		if (strcmp(reasons[i].name, name) == 0)
			return i;
	return -ENOENT;
}

const char *tend_state_name(enum tend_state state)
{
	return state < TEND_STATE_MAX ? states[state] : "invalid";
}

int tend_state_from_name(const char *name)
{
	for (int i = 0; i < TEND_STATE_MAX; i++)
		if (strcmp(states[i], name) == 0)
			return i;
	return -ENOENT;
}
