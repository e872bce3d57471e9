/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "base/log.h"
#include "base/str.h"
#include "rehearse/rehearse.h"
#include "rehearse/report.h"

/* What it may take to end by itself after its own limit. */
#define GRACE_USEC (5 * USEC_PER_SEC)
enum { ANSWER_MAX_BYTES = 256 << 20 };

int rehearse_tell_errors(const struct conf_errors *errors)
{
	conf_errors_print(errors, stderr);
	return REHEARSE_USAGE;
}

/* ---- a process of its own
 * ---------------------------------------------------------------------------------------- */

static usec_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

/* Ctrl-C: what was begun is ended and removed, then so are we. */
static volatile sig_atomic_t stopped_by;

static void on_stop(int signo)
{
	stopped_by = signo;
}

static void watch_stops(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction action = {.sa_handler = on_stop};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &action, NULL);
}

static void stop_if_told(void)
{
	if (!stopped_by)
		return;
	(void)signal((int)stopped_by, SIG_DFL);
	(void)raise((int)stopped_by);
}

_Noreturn static void play_and_exit(const struct play_options *options,
	const struct scenario_file *file, const struct scenario *scenario, int fd)
{
	auto_json json_t *answer = NULL;

	/* Its children go with it: they are in its group. */
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	answer = play_scenario(options, file, scenario);
	_exit(answer && json_dumpfd(answer, fd, JSON_COMPACT) == 0 ? 0 : 1);
}

/* Until end of file or the limit. */
static int read_answer(int fd, usec_t until, struct str *out)
{
	char buf[65536];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		usec_t now = real_now();
		ssize_t n;

		if (now >= until || stopped_by)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((until - now) / USEC_PER_MSEC) + 1) <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && str_append(out, buf, (size_t)n) < 0)
			return -ENOBUFS;
	}
}

static json_t *broken(
	const struct scenario_file *file, const struct scenario *scenario, const char *why)
{
	return json_pack("{s:s, s:s, s:i, s:b, s:[], s:[s], s:[], s:[], s:i, s:i}", "file",
		file->path, "name", scenario->name, "line", (int)scenario->line, "passed", 0,
		"errors", "faults", why, "failures", "timeline", "virtual_sec", 0, "real_msec",
		(int)(scenario->real_limit / USEC_PER_MSEC));
}

static json_t *play_in(const struct play_options *options, const struct scenario_file *file,
	const struct scenario *scenario)
{
	auto_str struct str text = STR_INIT(ANSWER_MAX_BYTES);
	json_t *answer = NULL;
	int pair[2], status = 0, r;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return broken(file, scenario, strerror(errno));
	auto_close int ours = pair[0];
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		play_and_exit(options, file, scenario, pair[1]);
	safe_close(pair[1]);
	if (pid < 0)
		return broken(file, scenario, "no process can be made for it");
	(void)setpgid(pid, pid);
	r = read_answer(ours, real_now() + scenario->real_limit + GRACE_USEC, &text);
	if (r < 0)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* What is left of its runners. */
	(void)kill(-pid, SIGKILL);
	if (r == 0)
		answer = json_loadb(str_get(&text), text.len, 0, NULL);
	if (answer)
		return answer;
	return broken(file, scenario,
		r == -ETIMEDOUT ? "it did not end within its real_limit, and was killed"
				: "the rehearsal itself has broken");
}

json_t *rehearse_apart(const struct play_options *options, const struct scenario_file *file,
	const struct scenario *scenario)
{
	struct play_options own = *options;
	char dir[PLAY_DIR_BYTES];
	json_t *answer;
	int r;

	/* Before there is anything that a stop must not leave behind. */
	watch_stops();
	r = prepare_temporary(dir);
	if (r < 0)
		return broken(file, scenario, strerror(-r));
	own.dir = dir;
	answer = stopped_by ? broken(file, scenario, "stopped") : play_in(&own, file, scenario);
	prepare_remove(dir);
	stop_if_told();
	return answer;
}

/* ---- files
 * --------------------------------------------------------------------------------------------------------
 */

static int is_scenario(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".scenario");
}

static int add_folder(const char *folder, struct vec *paths, struct conf_errors *errors)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, is_scenario, alphasort);

	if (n <= 0)
		(void)conf_errors_add(errors, folder, 0, -ENOENT, "%s",
			n < 0 ? strerror(errno) : "no *.scenario is in it");
	for (int i = 0; i < n; i++) {
		char *path = str_printf("%s/%s", folder, entries[i]->d_name);

		if (path && vec_push(paths, path) < 0)
			free(path);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static void find_files(
	const struct rehearse_options *o, struct vec *paths, struct conf_errors *errors)
{
	struct stat st;

	for (int i = 0; i < o->n_files; i++) {
		if (stat(o->files[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			(void)add_folder(o->files[i], paths, errors);
			continue;
		}
		if (str_endswith(o->files[i], ".lua")) {
			(void)conf_errors_add(errors, o->files[i], 0, -EINVAL,
				"this is a policy; scenarios end in .scenario");
			continue;
		}
		char *path = strdup(o->files[i]);
		if (path && vec_push(paths, path) < 0)
			free(path);
	}
}

static void play_file(const struct rehearse_options *o, const struct scenario_file *file,
	struct results_page *report, json_t *results)
{
	VEC_FOREACH (&file->scenarios, const struct scenario *, scenario) {
		json_t *result = rehearse_apart(&o->play, file, scenario);

		if (!o->json)
			report_result(report, result);
		(void)json_array_append_new(results, result);
	}
}

static int exit_code(const json_t *results)
{
	size_t i;
	json_t *result;
	int code = REHEARSE_OK;

	json_array_foreach ((json_t *)(uintptr_t)results, i, result) {
		if (json_array_size(json_object_get(result, "errors")) > 0)
			return REHEARSE_USAGE;
		if (!json_is_true(json_object_get(result, "passed")))
			code = REHEARSE_FAILED;
	}
	return code;
}

static int show_results(
	const struct rehearse_options *o, struct results_page *report, const json_t *results)
{
	int r = 0;

	if (o->json) {
		(void)json_dumpf(results, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else {
		report_total(report, results);
	}
	if (o->junit)
		r = report_junit(o->junit, results);
	if (r < 0)
		(void)fprintf(stderr, "tend-rehearse: %s: %s\n", o->junit, strerror(-r));
	return r < 0 ? REHEARSE_FAILED : exit_code(results);
}

int rehearse_test(const struct rehearse_options *o)
{
	struct results_page report = {
		.out = stdout, .colour = o->colour, .verbose = o->play.verbose};
	auto_json json_t *results = json_array();
	struct conf_errors errors = {0};
	struct vec paths = {0}, files = {0};
	int code;

	find_files(o, &paths, &errors);
	VEC_FOREACH (&paths, char *, path) {
		struct scenario_file *file = NULL;

		if (scenario_file_read(path, &errors, &file) == 0 && vec_push(&files, file) < 0)
			scenario_file_free(file);
	}
	if (errors.n_total > 0) {
		code = rehearse_tell_errors(&errors);
	} else {
		VEC_FOREACH (&files, struct scenario_file *, file)
			play_file(o, file, &report, results);
		code = show_results(o, &report, results);
	}
	VEC_FOREACH (&files, struct scenario_file *, file)
		scenario_file_free(file);
	VEC_FOREACH (&paths, char *, path)
		free(path);
	vec_clear(&files);
	vec_clear(&paths);
	conf_errors_clear(&errors);
	return code;
}
