/* SPDX-License-Identifier: MIT */
#include "ctl/rehearse.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/str.h"
#include "ctl/become.h"
#include "ctl/writer.h"

#define CONFIG_PATH "/etc/tend/tend.conf"

static void begin(struct ctl *ctl, struct ctl_call *call, const char *command, const char *config)
{
	ctl_call_add(call, strdup("tend-rehearse"));
	ctl_call_add(call, strdup(command));
	if (ctl->writer == ctl_writer_find("json"))
		ctl_call_option(call, "json", "");
	if (ctl->colour)
		ctl_call_option(call, "colour", "");
	ctl_call_option(call, "config", config);
	ctl_call_option(call, "verbose", ctl->values[CTL_OPT_VERBOSE]);
	ctl_call_option(call, "junit", ctl->values[CTL_OPT_JUNIT]);
	ctl_call_option(call, "file", ctl->values[CTL_OPT_FILE]);
	ctl_call_add(call, strdup("--"));
}

int policy_check(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	begin(ctl, &call, "check", ctl->values[CTL_OPT_CONFIG]);
	for (int i = 0; i < n_args; i++)
		ctl_call_add(&call, strdup(args[i]));
	return ctl_become(ctl, &call);
}

int policy_test(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	begin(ctl, &call, "test", ctl->values[CTL_OPT_CONFIG]);
	for (int i = 0; i < n_args; i++)
		ctl_call_add(&call, strdup(args[i]));
	return ctl_become(ctl, &call);
}

/* ---- replay
 * --------------------------------------------------------------------------------------------------------
 */

int rehearse_since(const char *text, usec_t now, long long *ret_sec)
{
	static const struct {
		char unit;
		long long sec;
	} units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	char *end;
	long long n;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || n <= 0 || n > 100000 || !*end || end[1])
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (units[i].unit == *end && n * units[i].sec < (long long)(now / USEC_PER_SEC)) {
			*ret_sec = (long long)(now / USEC_PER_SEC) - n * units[i].sec;
			return 0;
		}
	return -EINVAL;
}

/* On the standard input of what comes next. */
static int give_history(struct ctl *ctl, const json_t *history)
{
	int fd = memfd_create("tend-history", 0);

	if (fd < 0 || json_dumpfd(history, fd, JSON_COMPACT) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		dup2(fd, STDIN_FILENO) < 0) {
		ctl_complain(ctl, "cannot hand over the history: %s", strerror(errno));
		safe_close(fd);
		return CTL_FAILED;
	}
	if (fd != STDIN_FILENO)
		safe_close(fd);
	return CTL_OK;
}

int policy_replay(struct ctl *ctl, char *const *args, int n_args)
{
	const char *since = ctl->values[CTL_OPT_SINCE], *config = ctl->values[CTL_OPT_CONFIG];
	auto_json json_t *history = NULL;
	auto_free char *path = NULL;
	struct ctl_call call = {0};
	long long sec = 0;
	int r;

	if (rehearse_since(since ? since : "30d", ctl->now, &sec) < 0) {
		ctl_complain(
			ctl, "--since=%s is no span of time before now: write 30d, 12h", since);
		return CTL_USAGE;
	}
	path = str_printf("/v1/history?since=%lld", sec);
	r = path ? client_get(ctl, path, &history) : CTL_FAILED;
	if (r == CTL_OK)
		r = give_history(ctl, history);
	if (r != CTL_OK)
		return r;
	begin(ctl, &call, "replay", config ? config : CONFIG_PATH);
	ctl_call_add(&call, strdup(args[0]));
	return ctl_become(ctl, &call);
}
