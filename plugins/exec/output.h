/* SPDX-License-Identifier: MIT */
/*
 * plugins/exec/output.h: what a Nagios plugin wrote, as text and metrics
 * (https://nagios-plugins.org/doc/guidelines.html, "Plugin Output" and "Performance data"). Pure,
 * never fails: what cannot be read is left out and counted. Bytes are foreign.
 */
#ifndef PLUGIN_EXEC_OUTPUT_H
#define PLUGIN_EXEC_OUTPUT_H

#include <stddef.h>

enum {
	OUTPUT_TEXT_BYTES = 513,
	OUTPUT_NAME_BYTES = 32,
	OUTPUT_UNIT_BYTES = 8,
	OUTPUT_MAX_METRICS = 255, /* and the one that is ours */
};

struct output_metric {
	char name[OUTPUT_NAME_BYTES]; /* [a-z0-9_]+, each once */
	char unit[OUTPUT_UNIT_BYTES]; /* of time s, of size B; others as they stand, or "" */
	double value;		      /* finite */
};

struct output {
	char text[OUTPUT_TEXT_BYTES]; /* the first line, then the long text, joined by "; " */
	struct output_metric metrics[OUTPUT_MAX_METRICS];
	size_t n_metrics;
	size_t n_unread; /* of performance data: not in the form, or too many */
};

void output_parse(const char *data, size_t len, struct output *ret_output);

#endif
