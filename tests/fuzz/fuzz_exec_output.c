/* SPDX-License-Identifier: MIT */
/*
 * Bytes as the output of a Nagios plugin, and as the option `command` of an exec check. Invariants:
 * names of metrics fit the core's rule and are there once, values are finite, units known, the text
 * is within its bound; an argument vector is within its number and begins with an absolute path.
 * Parser: plugins/exec/output.c, plugins/exec/command.c.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tend/plugin.h>
#include "../../plugins/exec/command.h"
#include "../../plugins/exec/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_metrics(const struct output *out)
{
	assert(out->n_metrics <= OUTPUT_MAX_METRICS);
	for (size_t i = 0; i < out->n_metrics; i++) {
		const struct output_metric *m = &out->metrics[i];

		assert(m->name[0] && strlen(m->name) < OUTPUT_NAME_BYTES);
		assert(strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(m->name));
		assert(isfinite(m->value));
		assert(memchr(m->unit, '\0', OUTPUT_UNIT_BYTES));
		for (const char *p = m->unit; *p; p++)
			assert(strchr("%/_-*", *p) || (*p >= 'a' && *p <= 'z') ||
				(*p >= 'A' && *p <= 'Z'));
		for (size_t k = 0; k < i; k++)
			assert(strcmp(out->metrics[k].name, m->name) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct output out;
	char **argv = NULL;
	char *text = malloc(size + 1);

	output_parse((const char *)data, size, &out);
	assert(memchr(out.text, '\0', sizeof(out.text)));
	check_metrics(&out);
	memcpy(text, data, size);
	text[size] = '\0';
	if (command_parse(text, &argv, NULL) == 0) {
		size_t n = 0;

		while (argv[n])
			n++;
		assert(n >= 1 && n <= TEND_SPAWN_MAX_ARGS && argv[0][0] == '/');
		command_free(argv);
	}
	free(text);
	return 0;
}
