/* SPDX-License-Identifier: MIT */
/*
 * The packet filter's rules: from the kernel by nft, when this runs as root; else as root has left
 * them in a file (tend-firewall.timer). Also whether ufw is switched on.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "base/fs.h"
#include "base/str.h"
#include "exec/look/look.h"
#include "exec/look/ruleset.h"

#define DEFAULT_SNAPSHOT "/run/tend-firewall/ruleset"
enum { MAX_RULESET_BYTES = 32 << 20 };

static int read_to_end(int fd, struct str *text)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (str_append(text, buf, (size_t)n) < 0)
			return -EMSGSIZE;
	return n < 0 ? -errno : 0;
}

/* Not by a shell, and of root's only program of that name. */
static int run_nft(struct str *text)
{
	static const char *const argv[] = {"/usr/sbin/nft", "-j", "list", "ruleset", NULL};
	int fds[2], status = -1, r;
	pid_t pid;

	if (access(argv[0], X_OK) < 0)
		return -errno;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(fds[1]);
	r = pid < 0 ? -errno : read_to_end(fds[0], text);
	(void)close(fds[0]);
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		r = -EACCES;
	return r;
}

static int read_snapshot(const char *path, struct str *text, time_t *ret_mtime)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret_mtime = st.st_mtime;
	return read_to_end(fd, text);
}

static void add_ufw(json_t *doc)
{
	auto_free char *text = NULL;

	if (fs_read_file("/etc/ufw/ufw.conf", 1 << 16, &text, NULL) < 0)
		return;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "ENABLED=", 8) == 0)
			(void)json_object_set_new(
				doc, "ufw", json_boolean(strncasecmp(line + 8, "yes", 3) == 0));
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	const char *snapshot = look_text(args, "snapshot");
	auto_str struct str text = STR_INIT(MAX_RULESET_BYTES);
	json_t *doc = NULL;
	time_t mtime = 0;
	int r = -EACCES;

	if (geteuid() == 0 && !snapshot)
		r = run_nft(&text);
	if (r < 0) {
		str_clear(&text);
		snapshot = snapshot ? snapshot : DEFAULT_SNAPSHOT;
		r = read_snapshot(snapshot, &text, &mtime);
	}
	if (r < 0)
		return tend_error_set(err, r,
			"the rules cannot be read: %s: %s (only root sees them: enable "
			"tend-firewall.timer)",
			snapshot ? snapshot : "nft", strerror(-r));
	r = ruleset_read(str_get(&text), text.len, &doc, err);
	if (r < 0)
		return r;
	(void)json_object_set_new(
		doc, "age", json_integer(mtime ? (json_int_t)(time(NULL) - mtime) : 0));
	add_ufw(doc);
	*ret_doc = doc;
	return 0;
}

static const struct look_arg rows[] = {
	{"snapshot", LOOK_TEXT, false,
		"file with the output of `nft -j list ruleset' or "
		"iptables-save"},
	{.name = NULL},
};

const struct look_kind look_firewall = {"firewall",
	"the packet filter: tables, policies, how many rules, a fingerprint", rows, look};
