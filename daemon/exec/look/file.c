/* SPDX-License-Identifier: MIT */
/* A file or a folder: what stat says, a checksum, what lies in it. Links are followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/cleanup.h"
#include "exec/look/look.h"

enum { MAX_ENTRIES = 2000000, MAX_DEPTH = 64 };

struct tally {
	const char *pattern;
	bool recurse, cut;
	uint64_t files, folders, bytes, entries, unreadable;
	time_t newest, oldest;
};

static const char *type_name(mode_t mode)
{
	return S_ISREG(mode)	? "file"
	       : S_ISDIR(mode)	? "folder"
	       : S_ISSOCK(mode) ? "socket"
	       : S_ISFIFO(mode) ? "pipe"
				: "device";
}

/* An empty text: it cannot be read. */
static int checksum(int fd, char ret_hex[2 * EVP_MAX_MD_SIZE + 1])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	static char buf[1 << 16];
	ssize_t n = 0;
	bool well = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	while (well && (n = read(fd, buf, sizeof(buf))) > 0)
		well = EVP_DigestUpdate(ctx, buf, (size_t)n);
	well = well && n == 0 && EVP_DigestFinal_ex(ctx, digest, &digest_len);
	EVP_MD_CTX_free(ctx);
	if (!well)
		return n < 0 ? -errno : -EIO;
	for (unsigned i = 0; i < digest_len; i++)
		(void)snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static void count(struct tally *t, const struct stat *st, const char *name)
{
	if (S_ISDIR(st->st_mode)) {
		t->folders++;
		return;
	}
	if (t->pattern && fnmatch(t->pattern, name, 0) != 0)
		return;
	t->files++;
	t->bytes += (uint64_t)st->st_size;
	if (!t->newest || st->st_mtime > t->newest)
		t->newest = st->st_mtime;
	if (!t->oldest || st->st_mtime < t->oldest)
		t->oldest = st->st_mtime;
}

/* Takes fd over. */
static void walk(int fd, struct tally *t, int depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		(void)close(fd);
		t->unreadable++;
		return;
	}
	while ((entry = readdir(dir))) {
		struct stat st;
		int child;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (++t->entries > MAX_ENTRIES) {
			t->cut = true;
			break;
		}
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		count(t, &st, entry->d_name);
		if (!t->recurse || !S_ISDIR(st.st_mode) || depth >= MAX_DEPTH)
			continue;
		child = openat(fd, entry->d_name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (child < 0)
			t->unreadable++;
		else
			walk(child, t, depth + 1);
	}
	(void)closedir(dir);
}

static int look_inside(const char *path, const json_t *args, json_t *doc, struct tend_error *err)
{
	struct tally t = {
		.pattern = look_text(args, "pattern"), .recurse = look_bool(args, "recurse")};
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return look_errno(err, -errno, path);
	walk(fd, &t, 0);
	(void)json_object_set_new(doc, "inside",
		json_pack("{s:I, s:I, s:I, s:I, s:b}", "files", (json_int_t)t.files, "folders",
			(json_int_t)t.folders, "bytes", (json_int_t)t.bytes, "unreadable",
			(json_int_t)t.unreadable, "cut", t.cut));
	if (t.files > 0)
		(void)json_object_update_new(json_object_get(doc, "inside"),
			json_pack("{s:I, s:I}", "newest", (json_int_t)t.newest, "oldest",
				(json_int_t)t.oldest));
	return 0;
}

static int add_checksum(const char *path, json_t *doc, struct tend_error *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	int r = fd < 0 ? -errno : checksum(fd, hex);

	if (r < 0)
		return look_errno(err, r, path);
	(void)json_object_set_new(doc, "sha256", json_string(hex));
	return 0;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	const char *path = look_text(args, "path");
	auto_json json_t *doc = NULL;
	struct stat st;
	int r = 0;

	if (path[0] != '/')
		return tend_error_set(err, -EINVAL, "'path' is no absolute path");
	if (stat(path, &st) < 0 && errno != ENOENT && errno != ENOTDIR)
		return look_errno(err, -errno, path);
	if (stat(path, &st) < 0) {
		*ret_doc = json_pack("{s:b}", "exists", 0);
		return 0;
	}
	doc = json_pack("{s:b, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "exists", 1, "type",
		type_name(st.st_mode), "size", (json_int_t)st.st_size, "mtime",
		(json_int_t)st.st_mtime, "now", (json_int_t)time(NULL), "owner",
		look_user(st.st_uid), "group", look_group(st.st_gid), "mode",
		json_sprintf("%04o", (unsigned)(st.st_mode & 07777)));
	if (S_ISDIR(st.st_mode))
		r = look_inside(path, args, doc, err);
	else if (S_ISREG(st.st_mode) && look_bool(args, "checksum"))
		r = add_checksum(path, doc, err);
	if (r == 0)
		*ret_doc = TAKE(doc);
	return r;
}

static const struct look_arg rows[] = {
	{"path", LOOK_TEXT, true, "absolute path of a file or folder"},
	{"checksum", LOOK_BOOL, false, "SHA-256 of a file's content"},
	{"recurse", LOOK_BOOL, false, "count what lies in folders of the folder, too"},
	{"pattern", LOOK_TEXT, false, "names of files that count, as in *.dump"},
	{.name = NULL},
};

const struct look_kind look_file = {
	"file", "a file or folder: age, size, owner, mode, checksum, what lies in it", rows, look};
