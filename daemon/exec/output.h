/* SPDX-License-Identifier: MIT */
/*
 * exec/output.h: the two files a command writes its output to, OUTPUT/ID.out and .err. Follows them
 * while it runs (lines for people), keeps them from filling the disk (old output is cut out of the
 * file, the tail stays), reads the tails at the end. Frees: output_free(); the files go by
 * output_remove(). Reads of local files only.
 */
#ifndef EXEC_OUTPUT_H
#define EXEC_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/cleanup.h"

enum {
	OUTPUT_TAIL_BYTES = 16384,
	OUTPUT_LINE_BYTES = 1000,
	OUTPUT_MAX_LINES = 20, /* told at one look; what is between is left out */
};

struct output;

/* `fresh`: the files are made and must not exist; else those of a command that runs are followed
 * from their present end. */
int output_open(
	int dir, const char *id, bool fresh, uint64_t max_bytes, struct output **ret_output);
struct output *output_free(struct output *output);
DEFINE_AUTO(struct output *, output_free)
void output_remove(int dir, const char *id);

typedef void (*output_line_fn)(const char *line, void *data);
/* New whole lines, escaped; and the look at their size. */
void output_poll(struct output *output, output_line_fn fn, void *data);
/* The last bytes of stdout (0) or stderr (1), escaped but for newlines and tabs; the caller frees.
 */
char *output_tail(struct output *output, int which);

/* Foreign text made harmless: valid UTF-8, no controls but \n and \t; cut at the front to fit. */
char *output_clean(const char *data, size_t len, size_t max);

#endif
