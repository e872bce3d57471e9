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
