/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "run/flow.h"
#include "run/format.h"
#include "run/parent.h"
#include "run/sanitizer.h"

enum { DAEMON_FD = 3, EXIT_USAGE = 64 };

int main(int argc, char **argv)
{
	bool is_format = argc == 2 && strcmp(argv[1], "--format") == 0;
	bool is_flow = argc == 2 && strcmp(argv[1], "--flow") == 0;
	struct stat st;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("tend-run %s\n", TEND_VERSION) < 0;
	if (argc > 2 || (argc == 2 && !is_format && !is_flow) || fstat(DAEMON_FD, &st) < 0 ||
		!S_ISSOCK(st.st_mode)) {
		(void)fputs(
			"tend-run runs policies, formats and flows for tendd, which starts it; see "
			"tend-run(8)\n",
			stderr);
		return EXIT_USAGE;
	}
	log_open("tend-run", LOG_INFO);
	if (is_flow)
		return flow_run(DAEMON_FD) < 0;
	if (is_format)
		return format_run(DAEMON_FD) < 0;
	return parent_run(DAEMON_FD, NULL) < 0;
}
