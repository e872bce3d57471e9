/* SPDX-License-Identifier: MIT */
/* tend-init: looks at this machine and writes a configuration of what it found; what `tendctl init`
 * starts. Each check is tried first; the text must pass what `tendd -t` asks for. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/conf.h"
#include "init/look.h"
#include "init/plan.h"
#include "init/tool.h"

enum { EXIT_USAGE = 64, EXIT_CANTCREATE = 73 };
#define TRY_USEC   (20 * USEC_PER_SEC)
#define PROBE_USER "tend-probe"

static const char *place(const char *variable, const char *fallback)
{
	const char *value = getenv(variable);

	return value && *value ? value : fallback;
}

/* ---- trying --------------------------------------------------------------------------------- */

/* As who will look in earnest, so that what only root may see is no surprise later. */
static size_t put_user(const char *argv[])
{
	static const char *const words[] = {
		"setpriv", "--reuid=" PROBE_USER, "--regid=" PROBE_USER, "--init-groups"};

	if (geteuid() != 0 || !getpwnam(PROBE_USER) || !getgrnam(PROBE_USER))
		return 0;
	memcpy(argv, words, sizeof(words));
	return ARRAY_SIZE(words);
}

/* What is off of a check is not tried. */
static size_t put_options(const json_t *options, const char *argv[], char **words)
{
	size_t i, n = 0;
	json_t *option;

	json_array_foreach (options, i, option) {
		if (json_array_size(option) > 2)
			continue;
		words[n] = str_printf("%s=%s", json_string_value(json_array_get(option, 0)),
			json_string_value(json_array_get(option, 1)));
		argv[n] = words[n];
		n++;
	}
	return n;
}

static int run_check(const json_t *check, json_t **ret_result)
{
	auto_free char *program =
		str_printf("%s/tend-try", place("TEND_LIBEXECDIR", TEND_LIBEXECDIR));
	const json_t *options = json_object_get(check, "options");
	size_t room = json_array_size(options) + 1, n;
	auto(strv_free) char **words = calloc(room, sizeof(char *));
	auto_free const char **argv = calloc(room + 16, sizeof(char *));
	auto_free char *out = NULL;
	int status, r;

	if (!program || !words || !argv)
		return -ENOMEM;
	n = put_user(argv);
	argv[n++] = program;
	argv[n++] = "check";
	argv[n++] = "--json";
	argv[n++] = "--";
	argv[n++] = plan_get(check, "probe");
	(void)put_options(options, argv + n, words);
	r = tool_run(argv, TRY_USEC, &out, &status);
	if (r == 0 && (status < 0 || status > 3))
		r = -EIO;
	if (r == 0)
		*ret_result = json_loads(out, 0, NULL);
	return r;
}

static bool is_well(const json_t *check, json_t **ret_result)
{
	json_decref(TAKE(*ret_result));
	return run_check(check, ret_result) == 0 && *ret_result &&
	       strcmp(plan_get(*ret_result, "now"), "ok") == 0;
}

/* A check that is not well now would only cry; it is written as a comment that says why. If only
 * its thresholds are passed, they are. */
static void try_one(json_t *component, json_t *check)
{
	auto_json json_t *result = NULL;
	auto_free char *why = NULL;

	if (*plan_get(check, "off") || is_well(check, &result))
		return;
	if (result && strcmp(plan_get(result, "reason"), "threshold") == 0 &&
		plan_drop_thresholds(check)) {
		plan_note(component, "Thresholds of %s are comments: %s", plan_get(check, "name"),
			plan_get(result, "text"));
		if (is_well(check, &result))
			return;
	}
	if (result)
		why = str_printf("when it was tried it was %s, %s: %s", plan_get(result, "now"),
			plan_get(result, "reason"), plan_get(result, "text"));
	else
		why = str_printf("it could not be tried (tendctl check try %s says why)",
			plan_get(check, "probe"));
	plan_off(check, why ? why : "it could not be tried");
}

static void try_all(json_t *plan)
{
	size_t i, k;
	json_t *component, *check;

	json_array_foreach (json_object_get(plan, "components"), i, component)
		json_array_foreach (json_object_get(component, "checks"), k, check)
			try_one(component, check);
}

/* ---- writing -------------------------------------------------------------------------------- */

static int passes(const char *text)
{
	auto_close int fd = memfd_create("tend-init", MFD_CLOEXEC);
	struct conf_errors errors = {0};
	struct conf *conf = NULL;
	char path[64];
	int r;

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -EIO;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = conf_load(path, place("TEND_PLUGINDIR", TEND_PLUGINDIR), &errors, &conf);
	conf_errors_print(&errors, stderr);
	conf_errors_clear(&errors);
	conf_unref(conf);
	return r;
}

/* Never over what is there. */
static int write_new(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t len = strlen(text), done = 0;

	if (fd < 0)
		return -errno;
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n < 0 ? -errno : -EIO;

			(void)unlink(path);
			return r;
		}
		done += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int put(const char *path, const char *text)
{
	int r;

	if (!path) {
		(void)fputs(text, stdout);
		return fflush(stdout) == 0 ? 0 : EXIT_CANTCREATE;
	}
	r = write_new(path, text);
	if (r < 0) {
		(void)fprintf(stderr, "tend-init: %s: %s%s\n", path, strerror(-r),
			r == -EEXIST ? "; it is left as it is" : "");
		return EXIT_CANTCREATE;
	}
	(void)fprintf(stderr, "written: %s\n", path);
	return 0;
}

static void tell(const json_t *facts)
{
	size_t i;
	json_t *text;

	json_array_foreach (json_object_get(facts, "unseen"), i, text)
		(void)fprintf(stderr, "not seen: %s\n", json_string_value(text));
}

static int init(const char *output)
{
	auto_json json_t *facts = look_facts(), *plan = facts ? plan_make(facts) : NULL;
	auto_free char *text = NULL;
	time_t now = time(NULL);
	struct tm tm;
	char when[64] = "";

	if (!plan)
		return 1;
	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	tell(facts);
	try_all(plan);
	text = plan_text(facts, plan, when);
	if (!text || passes(text) < 0) {
		(void)fputs("tend-init: what was found makes no configuration that tendd takes; "
			    "nothing is written\n",
			stderr);
		return 1;
	}
	return put(output, text);
}

static int dump_facts(void)
{
	auto_json json_t *facts = look_facts();

	(void)json_dumpf(facts, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	(void)putchar('\n');
	return facts ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"facts", no_argument, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	const char *output = NULL;
	bool facts = false;
	int c;

	log_open("tend-init", LOG_CRIT);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c == 'o')
			output = optarg;
		else if (c == 'f')
			facts = true;
		else
			return EXIT_USAGE;
	if (optind < argc) {
		(void)fputs("tend-init [--output=FILE] [--facts]\n", stderr);
		return EXIT_USAGE;
	}
	if (facts)
		return dump_facts();
	/* Before the long look, not after it. */
	if (output && access(output, F_OK) == 0) {
		(void)fprintf(
			stderr, "tend-init: %s is there already; it is left as it is\n", output);
		return EXIT_CANTCREATE;
	}
	return init(output);
}
