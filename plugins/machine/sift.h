/* SPDX-License-Identifier: MIT */
/*
 * machine/sift.h: what the probes journal and logfile share: options of expressions, what is
 * remembered of what they matched, and the judgement of it. Pure. Compiled into both.
 */
#ifndef MACHINE_SIFT_H
#define MACHINE_SIFT_H

#include "verdict.h"

struct sift_conf {
	char **patterns, **allowed, **ignore;
	bool new;
	usec_t window, learn;
};

#define SIFT_OPTIONS(structure, member)                                                            \
	TEND_OPT(MAP, structure, member.patterns, "pattern", NULL,                                 \
		"Expression (PCRE) that is looked for, by a name: pattern.NAME = REGEX."),         \
		TEND_OPT(MAP, structure, member.allowed, "allow", NULL,                            \
			"So many matches of pattern.NAME may come within `window': allow.NAME = "  \
			"5. Else none."),                                                          \
		TEND_OPT(MAP, structure, member.ignore, "ignore", NULL,                            \
			"Lines that contain this expression do not count at all: ignore.NAME = "   \
			"REGEX."),                                                                 \
		TEND_OPT(BOOL, structure, member.new, "new", "no",                                 \
			"Messages of a kind that was never seen before are told."),                \
		TEND_OPT(USEC, structure, member.window, "window", "10m",                          \
			"So long a match counts.", .min = 1e6, .max = 8.64e10, .unit = "s"),       \
		TEND_OPT(USEC, structure, member.learn, "learn", "1d",                             \
			"So long after the first look no kind is told as new.", .max = 3.2e13,     \
			.unit = "s")

int sift_check(const struct sift_conf *conf, struct tend_error *err);
/* What tend-look is asked, added to its arguments. */
void sift_ask(const struct sift_conf *conf, const json_t *memory, json_t *args);
/* Judges, and remembers; the caller adds where to go on. `first`: what was read is what was there
 * before the check was: nothing but its kinds are learned from it. */
void sift_judge(const struct sift_conf *conf, const json_t *doc, const json_t *memory, bool first,
	struct verdict *v);

#endif
