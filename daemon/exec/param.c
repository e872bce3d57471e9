/* SPDX-License-Identifier: MIT */
#include "exec/param.h"
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/str.h"

const char *const param_type_names[PARAM_TYPE_MAX + 1] = {
	[PARAM_ENUM] = "enum",
	[PARAM_INT] = "int",
	[PARAM_PATTERN] = "pattern",
	[PARAM_PATH] = "path",
};

enum { PARAM_MAX_CHOICES = 64 };

bool param_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > PARAM_MAX_NAME_BYTES || !islower((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
			return false;
	return true;
}

void param_clear(struct param *param)
{
	free(param->name);
	strv_free(param->choices);
	pattern_free(param->pattern);
	free(param->root);
	*param = (struct param){0};
}

/* Nothing a shell, a terminal or an option parser could take for something else. */
static int text_check(
	const char *name, const char *text, size_t len, size_t max, struct tend_error *err)
{
	if (len == 0)
		return tend_error_set(err, -EINVAL, "%s is empty", name);
	if (len > max)
		return tend_error_set(err, -EINVAL, "%s is longer than %zu bytes", name, max);
	if (text[0] == '-')
		return tend_error_set(
			err, -EINVAL, "%s begins with '-', it could be taken for an option", name);
	if (!str_utf8_valid(text, len))
		return tend_error_set(err, -EINVAL, "%s is not UTF-8", name);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i], next = (unsigned char)text[i + 1];

		/* C0, and C1: U+0080 to U+009F */
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0))
			return tend_error_set(
				err, -EINVAL, "%s has a control character in it", name);
	}
	return 0;
}

static char *trim(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int parse_enum(struct param *param, const char *text, struct tend_error *err)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *word;
	size_t n = 0;
	int r;

	param->choices = calloc(PARAM_MAX_CHOICES + 1, sizeof(char *));
	if (!copy || !param->choices)
		return -ENOMEM;
	while ((word = strsep(&rest, ",\n"))) {
		word = trim(word);
		r = text_check("a choice", word, strlen(word), PARAM_MAX_VALUE_BYTES, err);
		if (r < 0)
			return r;
		if (n == PARAM_MAX_CHOICES)
			return tend_error_set(
				err, -EINVAL, "more than %d choices", PARAM_MAX_CHOICES);
		param->choices[n] = strdup(word);
		if (!param->choices[n++])
			return -ENOMEM;
	}
	return 0;
}

static int parse_integer(const char *text, const char **ret_end, int64_t *ret_value)
{
	char *end;

	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end == text)
		return -EINVAL;
	*ret_end = end;
	*ret_value = v;
	return 0;
}

static int parse_int(struct param *param, const char *text, struct tend_error *err)
{
	const char *end;

	if (parse_integer(text, &end, &param->min) < 0 || !str_startswith(end, "..") ||
		parse_integer(end + 2, &end, &param->max) < 0 || *end)
		return tend_error_set(err, -EINVAL, "'%s' is not a range like 1..100", text);
	if (param->min > param->max)
		return tend_error_set(err, -EINVAL, "the range %s is empty", text);
	/* The executor refuses texts that begin with '-', and so must it here. */
	if (param->min < 0)
		return tend_error_set(err, -EINVAL,
			"the range %s has negative numbers, they could be taken for options", text);
	return 0;
}

static bool has_dots(const char *path)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return true;
		p += n + (p[n] == '/');
	}
	return false;
}

static int parse_path(struct param *param, const char *text, struct tend_error *err)
{
	size_t n = strlen(text);

	if (text[0] != '/' || n < 2 || n > PARAM_MAX_PATH_BYTES || text[n - 1] == '/' ||
		strstr(text, "//") || has_dots(text))
		return tend_error_set(err, -EINVAL,
			"'%s' is not an absolute folder (without '.', '..', '//' or a final '/')",
			text);
	param->root = strdup(text);
	return param->root ? 0 : -ENOMEM;
}

int param_parse(const char *name, const char *spec, struct param *ret_param, struct tend_error *err)
{
	struct param param = {.type = PARAM_TYPE_MAX};
	size_t n = strcspn(spec, " \t\n");
	auto_free char *word = strndup(spec, n), *rest = strdup(spec + n);
	int r;

	if (!word || !rest)
		return -ENOMEM;
	if (!param_name_valid(name))
		return tend_error_set(err, -EINVAL,
			"'%s' is not a name of a parameter (a-z, 0-9, _; at most %d)", name,
			PARAM_MAX_NAME_BYTES);
	for (int i = 0; i < PARAM_TYPE_MAX; i++)
		if (strcmp(word, param_type_names[i]) == 0)
			param.type = (enum param_type)i;
	if (param.type == PARAM_TYPE_MAX) {
		const char *nearest = str_nearest(word, param_type_names, PARAM_TYPE_MAX);

		return tend_error_set(err, -EINVAL,
			"'%s' is not a type of a parameter (enum, int, pattern, path)%s%s%s", word,
			nearest ? ", did you mean '" : "", nearest ? nearest : "",
			nearest ? "'?" : "");
	}
	char *text = trim(rest);
	if (!*text)
		return tend_error_set(err, -EINVAL, "'%s' says nothing about its values", spec);
	param.name = strdup(name);
	r = param.name ? 0 : -ENOMEM;
	if (r == 0 && param.type == PARAM_ENUM)
		r = parse_enum(&param, text, err);
	else if (r == 0 && param.type == PARAM_INT)
		r = parse_int(&param, text, err);
	else if (r == 0 && param.type == PARAM_PATTERN)
		r = pattern_new(text, &param.pattern, err);
	else if (r == 0)
		r = parse_path(&param, text, err);
	if (r < 0) {
		param_clear(&param);
		return r;
	}
	*ret_param = param;
	return 0;
}

static int render_int(
	const struct param *param, const json_t *value, char **ret_text, struct tend_error *err)
{
	const char *text = json_string_value(value), *end = "";
	int64_t v = json_integer_value(value);

	if (!json_is_integer(value) && (!text || !isdigit((unsigned char)text[0]) ||
					       strlen(text) != json_string_length(value) ||
					       parse_integer(text, &end, &v) < 0 || *end))
		return tend_error_set(err, -EINVAL, "'%s' must be a whole number", param->name);
	if (v < param->min || v > param->max)
		return tend_error_set(err, -EINVAL,
			"'%s' is %" PRId64 ", not within %" PRId64 "..%" PRId64, param->name, v,
			param->min, param->max);
	*ret_text = str_printf("%" PRId64, v);
	return *ret_text ? 0 : -ENOMEM;
}

static int open_beneath(int dir, const char *path)
{
	struct open_how how = {
		/* No O_NOFOLLOW: with it a link at the end would itself be opened. */
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int check_folder(int fd, uid_t uid, const char *where, struct tend_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return tend_error_set(err, -errno, "'%s': %s", where, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return tend_error_set(err, -EINVAL, "'%s' is not a folder", where);
	if ((st.st_uid != 0 && st.st_uid != uid) || (st.st_mode & 022))
		return tend_error_set(err, -EPERM,
			"on the way to '%s' others than root and the command's user can change "
			"things",
			where);
	return 0;
}

/* Opens one name after the other; each folder on the way is checked, and the last too if it must be
 * a folder. Gives the descriptor of the last. */
static int walk_beneath(
	int from, const char *path, uid_t uid, bool last_is_folder, struct tend_error *err)
{
	auto_free char *copy = strdup(path);
	char *rest = copy, *name;
	auto_close int fd = -EBADF;
	int r;

	if (!copy)
		return -ENOMEM;
	while ((name = strsep(&rest, "/"))) {
		int next = open_beneath(fd >= 0 ? fd : from, name);

		if (next < 0)
			return tend_error_set(err, next,
				"cannot open '%s' without following links: %s", path,
				strerror(-next));
		safe_close(fd);
		fd = next;
		r = rest || last_is_folder ? check_folder(fd, uid, path, err) : 0;
		if (r < 0)
			return r;
	}
	return TAKE_FD(fd);
}

static int open_root(const char *root, uid_t uid, struct tend_error *err)
{
	auto_close int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return tend_error_set(err, -errno, "'/': %s", strerror(errno));
	return walk_beneath(top, root + 1, uid, true, err);
}

static int render_path(const struct param *param, const char *text, uid_t uid, char **ret_text,
	struct tend_error *err)
{
	size_t n = strlen(text);

	if (text[0] == '/' || text[n - 1] == '/' || strstr(text, "//") || has_dots(text))
		return tend_error_set(err, -EINVAL,
			"'%s' must be a plain path relative to %s, without '.' and '..'",
			param->name, param->root);
	auto_close int root = open_root(param->root, uid, err);
	if (root < 0)
		return root;
	auto_close int last = walk_beneath(root, text, uid, false, err);
	if (last < 0)
		return last;
	*ret_text = str_printf("%s/%s", param->root, text);
	return *ret_text ? 0 : -ENOMEM;
}

static int render_text(const struct param *param, const json_t *value, uid_t uid, char **ret_text,
	struct tend_error *err)
{
	const char *text = json_string_value(value);
	char label[PARAM_MAX_NAME_BYTES + 3];
	int r;

	if (!text || strlen(text) != json_string_length(value))
		return tend_error_set(err, -EINVAL, "'%s' must be a string", param->name);
	(void)snprintf(label, sizeof(label), "'%s'", param->name);
	r = text_check(label, text, strlen(text),
		param->type == PARAM_PATH ? PARAM_MAX_PATH_BYTES : PARAM_MAX_VALUE_BYTES, err);
	if (r < 0)
		return r;
	if (param->type == PARAM_PATH)
		return render_path(param, text, uid, ret_text, err);
	if (param->type == PARAM_ENUM && !strv_contains(param->choices, text))
		return tend_error_set(
			err, -EINVAL, "'%s' is none of the values it may have", param->name);
	if (param->type == PARAM_PATTERN && !pattern_matches(param->pattern, text))
		return tend_error_set(err, -EINVAL, "'%s' does not match its pattern", param->name);
	*ret_text = strdup(text);
	return *ret_text ? 0 : -ENOMEM;
}

int param_render(const struct param *param, const json_t *value, uid_t uid, char **ret_text,
	struct tend_error *err)
{
	if (param->type == PARAM_INT)
		return render_int(param, value, ret_text, err);
	return render_text(param, value, uid, ret_text, err);
}
