/* SPDX-License-Identifier: MIT */
/*
 * ctl/ctl.h: tendctl, the command line: a client of the API on the unix socket, nothing more. One
 * file a command, which ends in its entry struct; this header has what they share: arguments, the
 * client, the writers. A command fetches JSON and hands it to the writer; it may block, it is a
 * program of a person's. Every run function returns an exit code.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <tend/error.h>
#include <tend/option.h>
#include "base/cleanup.h"

enum ctl_exit { /* 0..3 as Nagios has them: ok, warning, critical, unknown */
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_NAGIOS_UNKNOWN = 3,
	CTL_USAGE = 64,	      /* EX_USAGE */
	CTL_UNAVAILABLE = 69, /* EX_UNAVAILABLE: tendd cannot be reached */
	CTL_NOPERM = 77,      /* EX_NOPERM: your role does not allow it */
};

/* X(ID, short, "long", "VALUE" or NULL, "help") */
#define CTL_OPTIONS(X)                                                                             \
	X(OUTPUT, 'o', "output", "FORMAT", "text (default), json, or names (first column only)")   \
	X(SOCKET, 's', "socket", "PATH", "the daemon's socket (default /run/tend/tend.sock)")      \
	X(NO_COLOR, 0, "no-color", NULL, "no colours (also: environment NO_COLOR)")                \
	X(HELP, 'h', "help", NULL, "say what a command does")                                      \
	X(VERSION, 'V', "version", NULL, "say which tendctl this is")                              \
	X(WATCH, 'w', "watch", NULL, "show again every two seconds, until interrupted")            \
	X(COMMENT, 'm', "comment", "TEXT", "why, for those who look later")                        \
	X(INCIDENT, 0, "incident", "ID", "only of this incident")                                  \
	X(RECEIVER, 0, "receiver", "NAME", "only to this receiver")                                \
	X(COMPONENT, 0, "component", "NAME", "only of this component")                             \
	X(POLICY, 0, "policy", "NAME", "only of this policy; with * and ?")                        \
	X(TARGET, 0, "target", "NAME", "only on this component; with * and ?")                     \
	X(STATE, 0, "state", "STATE",                                                              \
		"only in this state: queued, live, done, refused, failed, unknown, cancelled")     \
	X(DRY_RUN, 0, "dry-run", NULL, "change nothing: say what would be done")                   \
	X(OPEN, 0, "open", NULL, "only those that are open")                                       \
	X(LIMIT, 'n', "limit", "N", "at most N rows (default 100)")                                \
	X(NEXT, 0, "next", "N", "the next N openings (default 10)")                                \
	X(JUNIT, 0, "junit", "FILE", "write the results as JUnit XML, too")                        \
	X(VERBOSE, 'v', "verbose", NULL, "show the whole timeline")                                \
	X(CONFIG, 'c', "config", "FILE", "this configuration (replay: /etc/tend/tend.conf)")       \
	X(SINCE, 0, "since", "SPAN", "the history of this span: 12h, 30d (default)")               \
	X(FILE, 'f', "file", "FILE", "this Lua file instead of the policy's own")                  \
	X(FOR, 0, "for", "SPAN", "for so long: 30m, 2h, 1d12h")                                    \
	X(UNTIL, 0, "until", "TIME", "until then: 18:00, 2026-12-01T02:00, or with Z")             \
	X(FROM, 0, "from", "TIME", "not before then")                                              \
	X(AT, 0, "at", "TIME", "as if it were then: 03:00, 2026-12-01T02:00, or with Z")           \
	X(STICKY, 0, "sticky", NULL, "also if it gets worse")                                      \
	X(UNTIL_RESOLVED, 0, "until-resolved", NULL,                                               \
		"ends with the last incident that it matches, if that is earlier")                 \
	X(LANGUAGE, 0, "language", "en|zh", "of the texts")                                        \
	X(SAMPLE, 0, "sample", "NAME",                                                             \
		"the made-up notice: raised (default), cleared, group, ...")                       \
	X(SEND, 0, "send", NULL, "post it, once, to the receiver")                                 \
	X(ALL, 0, "all", NULL, "also those that have ended")                                       \
	X(TTL, 0, "ttl", "SPAN", "believed for so long: 90s, 26h (at most the check's own ttl)")   \
	X(REASON, 0, "reason", "REASON", "the reason, by its name: see tend-probes(7)")            \
	X(NAGIOS, 0, "nagios", NULL,                                                               \
		"one line with figures and exit as a Nagios plugin does, whatever happens")
enum ctl_option_id {
#define X(id, letter, name, value, help) CTL_OPT_##id,
	CTL_OPTIONS(X)
#undef X
		CTL_OPT_MAX
};
#define CTL_BIT(id) (UINT64_C(1) << CTL_OPT_##id)

struct ctl_option {
	char letter;
	const char *name, *value, *help;
};
extern const struct ctl_option ctl_options[CTL_OPT_MAX];

struct ctl;
struct ctl_verb {
	const char *name; /* NULL: the command has no verbs */
	const char *args; /* for people: "NAME [TARGET]" */
	int min_args, max_args;
	uint64_t options; /* CTL_BIT()s beside the global ones */
	int (*run)(struct ctl *ctl, char *const *args, int n_args);
	const char *help;
};

struct ctl_command {
	const char *name, *help;
	const struct ctl_verb *verbs; /* ended by a row without run; the first one is the default */
};
extern const struct ctl_command *const ctl_commands[]; /* NULL-terminated */

enum { CTL_MAX_ARGS = 64 };
struct ctl_args {
	const struct ctl_command *command; /* NULL: none was named */
	const struct ctl_verb *verb;
	const char *values[CTL_OPT_MAX]; /* "" for those without a value; NULL = not given */
	char *args[CTL_MAX_ARGS + 1];
	int n_args;
};
/* -EINVAL with what is wrong and what would mend it. Pure. */
int ctl_parse(int argc, char *const *argv, struct tend_error *err, struct ctl_args *ret_args);
void ctl_print_help(FILE *out, const struct ctl_command *command); /* NULL: of everything */

struct ctl_writer;
struct ctl {
	const char *socket;
	const struct ctl_writer *writer;
	const char *const *values; /* of options, by ctl_option_id */
	FILE *out, *err;
	bool colour;
	unsigned width; /* of the terminal; 0 = unlimited */
	usec_t now;	/* wall clock, for "3m ago" */
};
__attribute__((format(printf, 2, 3))) void ctl_complain(struct ctl *ctl, const char *format, ...);

/* ctl/client.c: one request. 0 with *ret_json (or *ret_text when the answer is no JSON), else an
 * exit code, and the reason was written to ctl->err. `body` borrowed, NULL = none; wait: it may
 * take long. */
struct ctl_answer {
	long status;
	json_t *json;
	char *text;
};
int client_get(struct ctl *ctl, const char *path, json_t **ret_json);
/* The row of that name in the list at `path`; what: "system", for the complaint. */
int client_get_named(
	struct ctl *ctl, const char *path, const char *what, const char *name, json_t **ret_row);
int client_post(
	struct ctl *ctl, const char *path, const json_t *body, bool wait, json_t **ret_json);
int client_get_text(struct ctl *ctl, const char *path, char **ret_text);
/* "/v1/checks/" + name, percent-encoded, + tail; also for query values (slashes: true keeps them).
 */
char *client_path(const char *head, const char *subject, const char *tail);
char *client_escape(const char *text, bool slashes);
int client_exit_of(long status); /* of an HTTP status */

/* ctl/times.c: what people write. Seconds; -EINVAL. */
int ctl_span_of(const char *text, int64_t *ret_seconds); /* "30m", "1d12h" */
/* "18:00" (the next), "2026-12-01T02:00[:00]" by the clock here, or with Z; as RFC 3339. */
enum { CTL_TIME_BYTES = 32 };
int ctl_time_text(const char *text, usec_t now, char ret_text[CTL_TIME_BYTES]);
/* --for and --until (and --from) into the body of a request; an exit code. */
int ctl_put_times(struct ctl *ctl, json_t *body);

int ctl_main(int argc, char **argv);

#endif
