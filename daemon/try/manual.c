/* SPDX-License-Identifier: MIT */
/*
 * try_manual FRAME PLUGIN_DIR: tend-probes(7) to standard output. FRAME is the page as written by
 * hand; its line `.\" @PROBES@` gives way to the probes, `.\" @REASONS@` to the reasons that any of
 * them may give. Run by the build, so that the page cannot say anything else than the tables.
 */
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "try/catalog.h"

static void put_reasons(void)
{
	for (int i = 0; i < TEND_REASON_MAX; i++) {
		enum tend_reason reason = (enum tend_reason)i;

		(void)printf(".TP\n\\fB");
		for (const char *p = tend_reason_name(reason); *p; p++)
			(void)printf(*p == '-' ? "\\-" : "%c", *p);
		(void)printf("\\fR (%s)\n%s\n", tend_state_name(tend_reason_verdict(reason)),
			tend_reason_text(reason));
	}
}

int main(int argc, char **argv)
{
	auto_free char *frame = NULL;
	auto_json json_t *list = NULL;
	char *line, *rest;
	json_t *probe;
	size_t i;
	int r;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: try_manual FRAME PLUGIN_DIR\n");
		return 2;
	}
	r = fs_read_file(argv[1], 1 << 20, &frame, NULL);
	if (r == 0)
		r = catalog_read(argv[2], stderr, &list);
	if (r < 0) {
		(void)fprintf(stderr, "%s, %s: %s\n", argv[1], argv[2], strerror(-r));
		return 1;
	}
	rest = frame;
	while ((line = strsep(&rest, "\n"))) {
		if (strcmp(line, ".\\\" @REASONS@") == 0) {
			put_reasons();
		} else if (strcmp(line, ".\\\" @PROBES@") == 0) {
			json_array_foreach (list, i, probe)
				page_roff(stdout, probe);
		} else if (rest || *line) {
			(void)puts(line);
		}
	}
	return 0;
}
