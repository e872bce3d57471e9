/* SPDX-License-Identifier: MIT */
#include "ctl/become.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"

void ctl_call_add(struct ctl_call *call, char *arg)
{
	if (arg && call->n + 1 < CTL_MAX_ARGV)
		call->argv[call->n++] = arg;
	else
		free(arg);
}

void ctl_call_option(struct ctl_call *call, const char *name, const char *value)
{
	if (value)
		ctl_call_add(call,
			*value ? str_printf("--%s=%s", name, value) : str_printf("--%s", name));
}

int ctl_become(struct ctl *ctl, struct ctl_call *call)
{
	const char *dir = getenv("TEND_LIBEXECDIR"), *name = call->n ? call->argv[0] : "";
	auto_free char *path = str_printf("%s/%s", dir && *dir ? dir : TEND_LIBEXECDIR, name);

	(void)fflush(NULL);
	if (path)
		(void)execv(path, call->argv);
	ctl_complain(ctl, "cannot start %s: %s", path ? path : name, strerror(errno));
	/* A monitoring system that runs us as a plugin knows 0 to 3 alone. */
	if (ctl->values[CTL_OPT_NAGIOS])
		(void)fprintf(ctl->out, "UNKNOWN: cannot start %s\n", name);
	for (size_t i = 0; i < call->n; i++)
		free(call->argv[i]);
	return ctl->values[CTL_OPT_NAGIOS] ? CTL_NAGIOS_UNKNOWN : CTL_UNAVAILABLE;
}
