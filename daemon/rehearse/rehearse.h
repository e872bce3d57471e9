/* SPDX-License-Identifier: MIT */
/*
 * rehearse/rehearse.h: the commands of tend-rehearse; each returns an exit code and may block. What
 * they share: where things are, and how results are shown.
 */
#ifndef REHEARSE_REHEARSE_H
#define REHEARSE_REHEARSE_H

#include "rehearse/play.h"

enum rehearse_exit { REHEARSE_OK = 0, REHEARSE_FAILED = 1, REHEARSE_USAGE = 64 };

struct rehearse_options {
	struct play_options play;
	bool json, colour;
	const char *junit;  /* file to write; NULL */
	char *const *files; /* of replay: the policy's name */
	int n_files;
};

int rehearse_test(const struct rehearse_options *options);
int rehearse_check(const struct rehearse_options *options);
int rehearse_replay(const struct rehearse_options *options);

/* Plays it in a process of its own, which is killed when it hangs. */
json_t *rehearse_apart(const struct play_options *options, const struct scenario_file *file,
	const struct scenario *scenario);
/* Prints to stderr; REHEARSE_USAGE. */
int rehearse_tell_errors(const struct conf_errors *errors);

#endif
