/* SPDX-License-Identifier: MIT */
/*
 * rehearse/scenario.h: scenario files (tests/scenario/README.md) as structs. A struct scenario_file
 * owns all it read. Blocks on small files. Every fault is an error with file:line; what needs the
 * configuration (names of checks) is looked at when the scenario is played.
 */
#ifndef REHEARSE_SCENARIO_H
#define REHEARSE_SCENARIO_H

#include "conf/section.h"
#include "rehearse/words.h"

enum at_kind {
	AT_FAIL,
	AT_HEAL,
	AT_FLAP,
	AT_SET,
	AT_UNIT,
	AT_RUN,
	AT_APPROVE,
	AT_DENY,
	AT_CANCEL,
	AT_EVENT,
	AT_PAUSE,
	AT_RESUME,
	AT_RESTART,
	AT_KILL_RUNNER,
	AT_CLOCK,
	AT_ACKNOWLEDGE,
	AT_PEOPLE,
	AT_KIND_MAX,
};
extern const char *const at_kind_names[AT_KIND_MAX];

struct at_entry {
	enum at_kind kind;
	usec_t at;	     /* after the start */
	struct words *words; /* WHEN WHAT ... */
};

enum answer_outcome { ANSWER_DONE, ANSWER_FAILED, ANSWER_REFUSED, ANSWER_UNKNOWN, ANSWER_NEVER };
extern const char *const answer_outcome_names[]; /* ended by NULL */

struct answer {
	struct words *words;
	const char *verb; /* borrowed */
	size_t arrow;	  /* the word `->`; arguments stand before it */
	enum answer_outcome outcome;
	usec_t after;
	bool has_after;
	json_t *value;
	unsigned times, n_used; /* times 0: for ever */
};
const char *answer_option(const struct answer *answer, const char *key); /* behind the arrow */

enum seen_kind {
	SEEN_ACTION,
	SEEN_NOTICE,
	SEEN_PAGE,
	SEEN_APPROVAL,
	SEEN_RUN,
	SEEN_REFUSAL,
	SEEN_STATE,
	SEEN_OTHER, /* only told, never expected */
	SEEN_KIND_MAX,
};
extern const char *const seen_kind_names[SEEN_KIND_MAX];

struct expectation {
	enum seen_kind kind;
	bool never;   /* `no KIND ...` */
	size_t first; /* the plain words of the kind begin here */
	unsigned times, n_seen;
	usec_t within, after; /* USEC_INFINITY, 0: not given */
	struct words *words;
};

struct scenario {
	char *name, *doc, *timezone;
	unsigned line;
	usec_t start_wall, duration, real_limit;
	char **policies;     /* NULL: the default */
	struct vec settings; /* struct words *: the texts are parsed when used */
	struct vec at, answers, expected;
};

struct scenario_file {
	char *path;
	struct conf_sections sections; /* the scenarios' own, too */
	struct vec scenarios;
};

int scenario_file_read(
	const char *path, struct conf_errors *errors, struct scenario_file **ret_file);
/* The same for text; `path` is its name. */
int scenario_text_read(const char *path, const char *text, size_t len, struct conf_errors *errors,
	struct scenario_file **ret_file);
struct scenario_file *scenario_file_free(struct scenario_file *file);
DEFINE_AUTO(struct scenario_file *, scenario_file_free)

/* "2026-03-01T02:00[:SS]" in the zone, as UTC. Sets the process's TZ. */
int local_time_parse(const char *text, const char *zone, usec_t *ret_wall);

#endif
