/* SPDX-License-Identifier: MIT */
/*
 * dpkg locks /var/lib/dpkg/lock-frontend by fcntl. The file is 0640 root, so it cannot be asked
 * with F_GETLK by uid tend; but stat() gives its inode to everybody, and /proc/locks lists the
 * locks by inode for everybody. No helper with rights has to be asked, and none can be fooled.
 */
#include "exec/people.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-login.h>
#include "base/fs.h"
#include "base/str.h"

enum { LOCKS_MAX_BYTES = 4 << 20, CGROUP_MAX_BYTES = 64 << 10 };

static const char *const lock_files[] = {
	"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock"};

/* ---- packages -------------------------------------------------------------------------------- */

/* A command that Tend has begun runs in a unit of its name; it holds nobody up. */
static bool is_ours(int pid)
{
	auto_free char *path = str_printf("/proc/%d/cgroup", pid), *text = NULL;
	size_t len;

	return path && fs_read_file(path, CGROUP_MAX_BYTES, &text, &len) == 0 &&
	       strstr(text, "/tend-job-");
}

/* "1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a waiter has "->" after the number. Devices
 * are not compared: those of overlay and btrfs differ from what stat() says. */
bool people_lock_held(const char *locks, unsigned long inode, bool (*ours)(int pid))
{
	for (const char *line = locks; line && *line; line = strchr(line, '\n')) {
		unsigned long locked = 0;
		char kind[16];
		int pid = 0;

		line += *line == '\n';
		if (sscanf(line, "%*d: POSIX %*15s %15s %d %*x:%*x:%lu", kind, &pid, &locked) ==
				3 &&
			locked == inode && strcmp(kind, "WRITE") == 0 && !ours(pid))
			return true;
	}
	return false;
}

static bool packages_allow(char why[256])
{
	auto_free char *locks = NULL;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(lock_files); i++) {
		struct stat st;

		if (stat(lock_files[i], &st) < 0)
			continue; /* not a Debian, or apt was never used */
		if (!locks && fs_read_file("/proc/locks", LOCKS_MAX_BYTES, &locks, &len) < 0) {
			(void)snprintf(why, 256,
				"whether packages are being installed cannot be "
				"read from /proc/locks");
			return false;
		}
		if (people_lock_held(locks, (unsigned long)st.st_ino, is_ours)) {
			(void)snprintf(why, 256, "packages are being installed: %s is locked",
				lock_files[i]);
			return false;
		}
	}
	return true;
}

/* ---- logins ---------------------------------------------------------------------------------- */

static bool in_group(const char *user, gid_t primary, const char *group)
{
	const struct group *g = getgrnam(group);

	if (!g)
		return false;
	if (g->gr_gid == primary)
		return true;
	for (char **member = g->gr_mem; *member; member++)
		if (strcmp(*member, user) == 0)
			return true;
	return false;
}

bool people_named(char *const *names, const char *user, gid_t primary)
{
	for (; names && *names; names++)
		if (**names == '@' ? in_group(user, primary, *names + 1)
				   : strcmp(*names, user) == 0)
			return true;
	return false;
}

/* A session of a person who is there; "closing" is what a nohup leaves behind. */
static bool session_counts(const char *session)
{
	auto_free char *class = NULL, *state = NULL;

	return sd_session_get_class(session, &class) >= 0 && strcmp(class, "user") == 0 &&
	       sd_session_get_state(session, &state) >= 0 && strcmp(state, "closing") != 0;
}

static bool session_allows(char *const *names, const char *session, char why[256])
{
	const struct passwd *p;
	uid_t uid;

	if (!session_counts(session) || sd_session_get_uid(session, &uid) < 0)
		return true;
	p = getpwuid(uid);
	if (!p || !people_named(names, p->pw_name, p->pw_gid))
		return true;
	(void)snprintf(why, 256, "%.64s is logged in (hold_on_login)", p->pw_name);
	return false;
}

static bool logins_allow(char *const *names, char why[256])
{
	char **sessions = NULL;
	bool allowed = true;
	int n = sd_get_sessions(&sessions);

	/* No logind, no sessions of it. */
	for (int i = 0; i < n && allowed; i++)
		allowed = session_allows(names, sessions[i], why);
	strv_free(sessions);
	return allowed;
}

bool people_away(bool dpkg, char *const *logins, char why[256])
{
	if (dpkg && !packages_allow(why))
		return false;
	return !logins || logins_allow(logins, why);
}
