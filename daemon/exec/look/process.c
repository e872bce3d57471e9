/* SPDX-License-Identifier: MIT */
/* Processes that fit, with what they hold: counters, so that shares of cpu are the asker's. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <pcre2.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-login.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/str.h"
#include "exec/look/look.h"
#include "exec/look/proc.h"

enum { MAX_TOLD = 200, CMDLINE_BYTES = 8192 };

struct wanted {
	const char *name, *exe, *unit;
	pcre2_code *cmdline;
	bool by_user;
	uid_t uid;
};

struct totals {
	uint64_t count, zombies, stopped, blocked, rss_bytes, threads, fds;
	bool fds_known;
	double oldest, youngest;
	json_t *list;
	double now, hz;
	uint64_t page_bytes;
};

struct process {
	pid_t pid;
	struct proc_stat stat;
	uid_t uid;
	char cmdline[CMDLINE_BYTES]; /* words with spaces between them */
	char program[256];	     /* its first word */
};

static char *read_of(pid_t pid, const char *name, size_t *ret_len)
{
	char path[64];
	char *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fs_read_file(path, 1 << 20, &text, ret_len) < 0 ? NULL : text;
}

static void read_cmdline(struct process *p)
{
	size_t len = 0;
	auto_free char *text = read_of(p->pid, "cmdline", &len);

	p->cmdline[0] = p->program[0] = '\0';
	if (!text)
		return;
	(void)snprintf(p->program, sizeof(p->program), "%s", text);
	len = MIN(len, sizeof(p->cmdline) - 1);
	for (size_t i = 0; i < len; i++)
		p->cmdline[i] = text[i] ? text[i] : ' ';
	while (len > 0 && p->cmdline[len - 1] == ' ')
		len--;
	p->cmdline[len] = '\0';
}

static bool read_process(pid_t pid, struct process *p)
{
	auto_free char *text = read_of(pid, "stat", NULL);
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (!text || proc_stat_parse(text, &p->stat) < 0 || stat(path, &st) < 0)
		return false;
	p->pid = pid;
	p->uid = st.st_uid;
	read_cmdline(p);
	return true;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The link can be read of one's own processes only; what it was called by of all. */
static bool exe_fits(const struct process *p, const char *exe)
{
	char path[64], target[4096];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)p->pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		if (fnmatch(exe, target, 0) == 0)
			return true;
	}
	return fnmatch(exe, p->program, 0) == 0;
}

static bool unit_fits(pid_t pid, const char *unit)
{
	auto_free char *its = NULL;

	return sd_pid_get_unit(pid, &its) >= 0 && fnmatch(unit, its, 0) == 0;
}

static bool cmdline_fits(const struct process *p, const pcre2_code *code)
{
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
	int r = data ? pcre2_match(
			       code, (PCRE2_SPTR)p->cmdline, strlen(p->cmdline), 0, 0, data, NULL)
		     : -1;

	pcre2_match_data_free(data);
	return r >= 0;
}

static bool fits(const struct process *p, const struct wanted *w)
{
	if (w->by_user && p->uid != w->uid)
		return false;
	if (w->name && fnmatch(w->name, p->stat.name, 0) != 0 &&
		fnmatch(w->name, base_name(p->program), 0) != 0)
		return false;
	if (w->exe && !exe_fits(p, w->exe))
		return false;
	if (w->cmdline && !cmdline_fits(p, w->cmdline))
		return false;
	return !w->unit || unit_fits(p->pid, w->unit);
}

/* Kernels from 6.2 on tell how many there are by the folder's size, to everybody. */
static int64_t count_fds(pid_t pid)
{
	char path[40];
	struct stat st;
	DIR *dir;
	int64_t n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if (stat(path, &st) == 0 && st.st_size > 0)
		return st.st_size;
	dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 2;
}

static void tell(const struct process *p, double age, struct totals *t)
{
	auto_free char *unit = NULL;
	uint64_t rss = p->stat.rss_pages * t->page_bytes;

	if (json_array_size(t->list) >= MAX_TOLD)
		return;
	(void)sd_pid_get_unit(p->pid, &unit);
	(void)json_array_append_new(t->list,
		json_pack("{s:i, s:I, s:I, s:f, s:I, s:o, s:o, s:o*}", "pid", (int)p->pid, "start",
			(json_int_t)p->stat.start_ticks, "ticks", (json_int_t)p->stat.ticks, "age",
			age, "rss", (json_int_t)rss, "name", look_string(p->stat.name), "state",
			json_sprintf("%c", p->stat.state), "unit",
			unit ? look_string(unit) : NULL));
}

static void add(const struct process *p, struct totals *t)
{
	double age = t->now - (double)p->stat.start_ticks / t->hz;
	int64_t fds = count_fds(p->pid);

	if (p->stat.state == 'Z' || p->stat.state == 'X') {
		t->zombies++;
		return;
	}
	if (p->stat.state == 'T' || p->stat.state == 't')
		t->stopped++;
	if (p->stat.state == 'D')
		t->blocked++;
	if (t->count == 0 || age > t->oldest)
		t->oldest = age;
	if (t->count == 0 || age < t->youngest)
		t->youngest = age;
	t->count++;
	t->rss_bytes += p->stat.rss_pages * t->page_bytes;
	t->threads += p->stat.threads;
	if (fds < 0)
		t->fds_known = false;
	else
		t->fds += (uint64_t)fds;
	tell(p, age, t);
}

static int prepare(const json_t *args, struct wanted *w, struct tend_error *err)
{
	const char *user = look_text(args, "user"), *cmdline = look_text(args, "cmdline");
	const struct passwd *pw;
	PCRE2_SIZE offset;
	int code;

	w->name = look_text(args, "name");
	w->exe = look_text(args, "exe");
	w->unit = look_text(args, "unit");
	if (user) {
		pw = getpwnam(user);
		if (!pw)
			return tend_error_set(err, -ENOENT, "there is no user '%.64s'", user);
		w->by_user = true;
		w->uid = pw->pw_uid;
	}
	if (cmdline) {
		w->cmdline = pcre2_compile(
			(PCRE2_SPTR)cmdline, PCRE2_ZERO_TERMINATED, 0, &code, &offset, NULL);
		if (!w->cmdline)
			return tend_error_set(err, -EINVAL, "'cmdline' is no expression");
	}
	return 0;
}

static int walk(const struct wanted *w, struct totals *t)
{
	DIR *dir = opendir("/proc");
	auto_free struct process *p = calloc(1, sizeof(*p));
	const struct dirent *entry;

	if (!dir || !p) {
		if (dir)
			(void)closedir(dir);
		return -EIO;
	}
	while ((entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (isdigit((unsigned char)entry->d_name[0]) && pid != getpid() &&
			pid != getppid() && read_process(pid, p) && fits(p, w))
			add(p, t);
	}
	(void)closedir(dir);
	return 0;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	struct wanted w = {0};
	struct timespec now = {0};
	struct totals t = {
		.list = json_array(),
		.hz = (double)sysconf(_SC_CLK_TCK),
		.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
		.fds_known = true,
	};
	int r = prepare(args, &w, err);

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	t.now = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	if (r == 0 && walk(&w, &t) < 0)
		r = look_errno(err, -EIO, "/proc");
	pcre2_code_free(w.cmdline);
	if (r < 0) {
		json_decref(t.list);
		return r;
	}
	*ret_doc = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:o}", "count",
		(json_int_t)t.count, "zombies", (json_int_t)t.zombies, "stopped",
		(json_int_t)t.stopped, "blocked", (json_int_t)t.blocked, "rss",
		(json_int_t)t.rss_bytes, "threads", (json_int_t)t.threads, "oldest", t.oldest,
		"youngest", t.youngest, "now", t.now, "hz", t.hz, "processes", t.list);
	if (t.fds_known)
		(void)json_object_set_new(*ret_doc, "fds", json_integer((json_int_t)t.fds));
	return 0;
}

static const struct look_arg rows[] = {
	{"name", LOOK_TEXT, false, "pattern of the name, as in postgres"},
	{"exe", LOOK_TEXT, false, "pattern of the program's path, as it was called"},
	{"cmdline", LOOK_TEXT, false, "expression (PCRE) that the command line contains"},
	{"user", LOOK_TEXT, false, "who runs it"},
	{"unit", LOOK_TEXT, false, "pattern of its systemd unit"},
	{.name = NULL},
};

const struct look_kind look_process = {
	"process", "processes: how many, how old, what they hold", rows, look};
