/* SPDX-License-Identifier: MIT */
#include "work/confine.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/sanitized.h"

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
enum { MAX_FILES = 16 };

/* Nothing of it is Tend's, and nothing a secret. /etc/ssl/private is not among it. */
static const char *const commons[] = {"/usr", "/lib", "/lib64", "/etc/ld.so.cache",
	"/etc/ld.so.preload", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates",
	"/etc/pki/tls/certs", "/etc/pkcs11", "/etc/gnutls", "/etc/crypto-policies", "/etc/ldap",
	"/etc/openldap", "/etc/sasl2", "/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf",
	"/etc/gai.conf", "/etc/resolv.conf", "/etc/services", "/etc/protocols", "/etc/passwd",
	"/etc/localtime", "/etc/locale.alias", "/dev/null", "/dev/zero", "/dev/random",
	"/dev/urandom"};

/* Which file it was; 0, 0: none. */
struct named {
	const char *path; /* of the configuration of this call */
	dev_t device;
	ino_t inode;
};
struct names {
	struct named items[MAX_FILES];
	size_t n;
};

static int collect(const struct tend_option *rows, const void *conf, struct names *ret_names)
{
	ret_names->n = 0;
	for (const struct tend_option *row = rows; row->name; row++) {
		const char *path;
		struct stat st;

		if (row->type != TEND_OPT_STRING || !(row->flags & TEND_OPTION_FILE))
			continue;
		memcpy(&path, (const char *)conf + row->offset, sizeof(path));
		if (!path || path[0] != '/')
			continue;
		if (ret_names->n == MAX_FILES)
			return -E2BIG;
		if (stat(path, &st) < 0)
			st.st_dev = st.st_ino = 0;
		ret_names->items[ret_names->n++] = (struct named){path, st.st_dev, st.st_ino};
	}
	return 0;
}

/* A path that is not there needs no rule. */
static int allow(int ruleset, const char *path)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = {.allowed_access = READING, .parent_fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0u) < 0
		       ? -errno
		       : 0;
}

static int restrict_to(const struct names *names)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs = READING};
	auto_close int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0u);
	int r = 0;

	if (fd < 0)
		return 0; /* the kernel has no Landlock */
	for (size_t i = 0; i < ARRAY_SIZE(commons) && r == 0; i++)
		r = allow(fd, commons[i]);
	for (size_t i = 0; i < names->n && r == 0; i++)
		r = allow(fd, names->items[i].path);
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0u) < 0)
		r = -errno;
	return r;
}

int confine(const struct tend_option *rows, const void *conf)
{
	static struct names known;
	static bool confined;
	struct names names;
	int r = collect(rows, conf, &names);

	if (r < 0)
		return r;
	if (!confined) {
		/* The sanitizers read /proc when they have something to say. */
		r = SANITIZED ? 0 : restrict_to(&names);
		confined = r == 0;
		known = names;
		return r;
	}
	if (names.n != known.n)
		return -ESTALE;
	for (size_t i = 0; i < names.n; i++)
		if (names.items[i].device != known.items[i].device ||
			names.items[i].inode != known.items[i].inode)
			return -ESTALE;
	return 0;
}
