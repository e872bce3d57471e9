/* SPDX-License-Identifier: MIT */
#include "conf/section.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/fs.h"
#include "base/str.h"
#include "conf/options.h"
#include "conf/section_internal.h"

/* ---- the container -------------------------------------------------------------------------- */

struct conf_section *conf_section_free(struct conf_section *section)
{
	if (!section)
		return NULL;
	for (size_t i = 0; i < section->n_keys; i++) {
		free(section->keys[i].name);
		free(section->keys[i].value);
	}
	free(section->keys);
	free(section->kind);
	free(section->name);
	free(section);
	return NULL;
}
DEFINE_AUTO(struct conf_section *, conf_section_free)

void conf_sections_clear(struct conf_sections *sections)
{
	VEC_FOREACH (&sections->list, struct conf_section *, section)
		conf_section_free(section);
	vec_clear(&sections->list);
	map_clear(&sections->index);
	VEC_FOREACH (&sections->files, char *, file)
		free(file);
	vec_clear(&sections->files);
}

const char *conf_sections_add_file(struct conf_sections *sections, const char *path)
{
	auto_free char *copy = strdup(path);

	if (!copy || vec_push(&sections->files, copy) < 0)
		return NULL;
	return TAKE(copy);
}

static const char *make_title(const char *kind, const char *name, char buf[CONF_TITLE_BYTES])
{
	(void)snprintf(buf, CONF_TITLE_BYTES, "[%s%s%s]", kind, name ? " " : "", name ? name : "");
	return buf;
}

const char *conf_section_title(const struct conf_section *section, char buf[CONF_TITLE_BYTES])
{
	return make_title(section->kind, section->name, buf);
}

const struct conf_section *conf_sections_find(
	const struct conf_sections *sections, const char *kind, const char *name)
{
	char title[CONF_TITLE_BYTES];

	return map_get(&sections->index, make_title(kind, name, title));
}

/* "[kind NAME]" -> kind, NAME or NULL. */
static int split_header(
	const char *text, size_t len, char **ret_kind, char **ret_name, struct tend_error *err)
{
	const char *inner = text + 1, *end = text + len - 1;
	size_t n_kind;

	if (len < 2 || *end != ']')
		return tend_error_set(
			err, -EINVAL, "a section is written as [kind NAME], alone on its line");
	while (inner < end && (*inner == ' ' || *inner == '\t'))
		inner++;
	while (end > inner && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	n_kind = strspn(inner, "abcdefghijklmnopqrstuvwxyz_-");
	if (n_kind == 0 || n_kind > 32)
		return tend_error_set(
			err, -EINVAL, "a section begins with its kind, as in [kind NAME]");
	text = inner + n_kind;
	if (text < end && *text != ' ' && *text != '\t')
		return tend_error_set(
			err, -EINVAL, "a blank is missing after the kind, as in [kind NAME]");
	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	if (end - text > CONF_MAX_NAME_BYTES || memchr(text, '[', (size_t)(end - text)) ||
		memchr(text, ']', (size_t)(end - text)))
		return tend_error_set(err, -EINVAL,
			"the section's name has more than %d bytes or a bracket in it",
			CONF_MAX_NAME_BYTES);
	*ret_kind = strndup(inner, n_kind);
	*ret_name = text < end ? strndup(text, (size_t)(end - text)) : NULL;
	return *ret_kind && (text == end || *ret_name) ? 0 : -ENOMEM;
}

int conf_sections_begin(struct conf_sections *sections, const char *file, unsigned line,
	const char *text, size_t len, struct conf_section **ret_section, struct tend_error *err)
{
	auto(conf_section_free) struct conf_section *section = calloc(1, sizeof(*section));
	char title[CONF_TITLE_BYTES];
	const struct conf_section *other;
	int r;

	if (!section)
		return tend_error_set(err, -ENOMEM, "no memory");
	section->file = file;
	section->line = line;
	r = split_header(text, len, &section->kind, &section->name, err);
	if (r < 0)
		return r;
	if (sections->list.len >= CONF_MAX_SECTIONS)
		return tend_error_set(
			err, -E2BIG, "there can be at most %d sections", CONF_MAX_SECTIONS);
	conf_section_title(section, title);
	other = map_get(&sections->index, title);
	if (other)
		return tend_error_set(err, -EEXIST, "%s is there already, at %s:%u", title,
			other->file, other->line);
	if (map_put(&sections->index, title, section) < 0)
		return tend_error_set(err, -ENOMEM, "no memory");
	if (vec_push(&sections->list, section) < 0) {
		map_remove(&sections->index, title);
		return tend_error_set(err, -ENOMEM, "no memory");
	}
	*ret_section = TAKE(section);
	return 0;
}

int conf_section_add_key(
	struct conf_section *section, const char *name, const char *value, unsigned line)
{
	auto_free char *name_copy = strdup(name), *value_copy = strdup(value);

	if (section->n_keys >= CONF_MAX_KEYS)
		return -E2BIG;
	if (section->n_keys == section->cap_keys) {
		size_t cap = section->cap_keys ? section->cap_keys * 2 : 8;
		struct conf_key *keys = realloc(section->keys, cap * sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		section->keys = keys;
		section->cap_keys = cap;
	}
	if (!name_copy || !value_copy)
		return -ENOMEM;
	section->keys[section->n_keys++] =
		(struct conf_key){.name = TAKE(name_copy), .value = TAKE(value_copy), .line = line};
	return 0;
}

const struct conf_key *conf_section_key(const struct conf_section *section, const char *name)
{
	for (size_t i = 0; i < section->n_keys; i++)
		if (strcmp(section->keys[i].name, name) == 0)
			return &section->keys[i];
	return NULL;
}

/* ---- files ---------------------------------------------------------------------------------- */

int conf_file_read(const char *path, struct conf_sections *sections, struct conf_errors *errors)
{
	auto_free char *data = NULL;
	size_t len;
	int r = fs_read_file(path, CONF_MAX_FILE_BYTES, &data, &len);

	if (r == -EFBIG)
		return conf_errors_add(errors, path, 0, r, "the file has more than %d MiB",
			CONF_MAX_FILE_BYTES >> 20);
	if (r < 0)
		return conf_errors_add(errors, path, 0, r, "cannot read it: %s", strerror(-r));
	return conf_text_read(path, data, len, sections, errors);
}

static int is_conf_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".conf");
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* not alphasort(): that follows the locale */
}

int conf_folder_read(const char *folder, struct conf_sections *sections, struct conf_errors *errors)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_conf_file, compare_names), result = 0;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return conf_errors_add(
			errors, folder, 0, -errno, "cannot read the folder: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		auto_free char *path = str_printf("%s/%s", folder, entries[i]->d_name);
		int r = !path ? -ENOMEM
			: i < CONF_MAX_FILES
				? conf_file_read(path, sections, errors)
				: conf_errors_add(errors, path, 0, -E2BIG,
					  "the folder has more than %d files", CONF_MAX_FILES);

		if (r < 0)
			result = r;
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* ---- sections by rows ----------------------------------------------------------------------- */

int conf_section_error(const struct conf_section *section, const char *key,
	struct conf_errors *errors, const char *format, ...)
{
	const struct conf_key *at = key ? conf_section_key(section, key) : NULL;
	char text[TEND_ERROR_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return conf_errors_add(
		errors, section->file, at ? at->line : section->line, -EINVAL, "%s", text);
}

/* The row of a key; a map's row answers to NAME.KEY, and *ret_sub is the KEY. */
static const struct tend_option *find_row(
	const struct tend_option *rows, const char *key, const char **ret_sub)
{
	for (const struct tend_option *row = rows; row->name; row++) {
		if (strcmp(row->name, key) == 0) {
			*ret_sub = NULL;
			return row;
		}
	}
	for (const struct tend_option *row = rows; row->name; row++) {
		size_t n = strlen(row->name);

		if (conf_option_is_map(row) && strncmp(row->name, key, n) == 0 && key[n] == '.' &&
			key[n + 1]) {
			*ret_sub = key + n + 1;
			return row;
		}
	}
	return NULL;
}

enum { MAX_CANDIDATES = 512 };

static void unknown_key(const struct conf_section *section, const struct conf_table *tables,
	size_t n_tables, const char *key, struct conf_errors *errors)
{
	const char *names[MAX_CANDIDATES], *nearest;
	char title[CONF_TITLE_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < n_tables; i++)
		for (const struct tend_option *row = tables[i].rows; row && row->name; row++)
			if (n < MAX_CANDIDATES)
				names[n++] = row->name;
	nearest = str_nearest(key, names, n);
	conf_section_title(section, title);
	if (nearest)
		conf_section_error(section, key, errors,
			"unknown key '%s' in %s; the nearest is '%s'", key, title, nearest);
	else
		conf_section_error(section, key, errors, "unknown key '%s' in %s", key, title);
}

/* Who indents all keys but the first has written one long value, which is not what was meant. */
static int check_indented_key(const struct conf_section *section, const struct conf_key *key,
	const struct tend_option *rows, struct conf_errors *errors)
{
	for (const char *line = strchr(key->value, '\n'); line; line = strchr(line, '\n')) {
		line++;
		for (const struct tend_option *row = rows; row->name; row++) {
			size_t n = strlen(row->name);

			if (strncmp(line, row->name, n) == 0 &&
				line[n + strspn(line + n, " \t")] == '=')
				return conf_section_error(section, key->name, errors,
					"the value of '%s' has an indented line '%s = ...': keys "
					"begin in the first column",
					key->name, row->name);
		}
	}
	return 0;
}

static int parse_key(const struct conf_section *section, const struct conf_key *key,
	const struct conf_table *tables, size_t n_tables, struct conf_errors *errors)
{
	bool any = false;

	for (size_t i = 0; i < n_tables; i++) {
		const char *sub;
		const struct tend_option *row;
		struct tend_error why;
		int r;

		any = any || !tables[i].rows;
		row = tables[i].rows ? find_row(tables[i].rows, key->name, &sub) : NULL;
		if (!row)
			continue;
		if (check_indented_key(section, key, tables[0].rows, errors) < 0)
			return -EINVAL;
		if (sub)
			r = conf_option_map_add(row, tables[i].into, sub, key->value, &why);
		else
			r = conf_option_set(row, tables[i].into, key->value, &why);
		if (r < 0)
			conf_section_error(
				section, key->name, errors, "%s: %s", key->name, why.text);
		return r;
	}
	if (any)
		return 0;
	unknown_key(section, tables, n_tables, key->name, errors);
	return -EINVAL;
}

static int check_required(const struct conf_section *section, const struct tend_option *rows,
	struct conf_errors *errors)
{
	char title[CONF_TITLE_BYTES];
	int result = 0;

	for (const struct tend_option *row = rows; row->name; row++) {
		const struct conf_key *key;

		if (!(row->flags & TEND_OPTION_REQUIRED))
			continue;
		key = conf_section_key(section, row->name);
		if (key && *key->value)
			continue;
		result = conf_section_error(section, row->name, errors, "%s needs '%s' (%.*s)",
			conf_section_title(section, title), row->name, (int)strcspn(row->help, "."),
			row->help);
	}
	return result;
}

int conf_section_parse_tables(const struct conf_section *section, const struct conf_table *tables,
	size_t n_tables, struct conf_errors *errors)
{
	int result = 0;

	for (size_t i = 0; i < n_tables; i++) {
		struct tend_error why;

		if (tables[i].rows && conf_options_init(tables[i].rows, tables[i].into, &why) < 0)
			result = conf_section_error(section, NULL, errors, "%s", why.text);
	}
	for (size_t i = 0; i < section->n_keys; i++)
		if (parse_key(section, &section->keys[i], tables, n_tables, errors) < 0)
			result = -EINVAL;
	for (size_t i = 0; i < n_tables; i++)
		if (tables[i].rows && check_required(section, tables[i].rows, errors) < 0)
			result = -EINVAL;
	return result;
}

int conf_section_parse(const struct conf_section *section, const struct tend_option *rows,
	void *into, struct conf_errors *errors)
{
	return conf_section_parse_tables(
		section, &(struct conf_table){.rows = rows, .into = into}, 1, errors);
}

int conf_section_overlay(const struct conf_section *section, const char *prefix, bool over,
	struct conf_section **ret_section, bool *ret_any)
{
	auto(conf_section_free) struct conf_section *copy = calloc(1, sizeof(*copy));
	size_t n = strlen(prefix);
	bool any = false;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	copy->kind = strdup(section->kind);
	copy->name = section->name ? strdup(section->name) : NULL;
	copy->file = section->file;
	copy->line = section->line;
	if (!copy->kind || (section->name && !copy->name))
		return -ENOMEM;
	for (size_t i = 0; i < section->n_keys && r == 0; i++) {
		const struct conf_key *key = &section->keys[i];
		/* The prefix alone is no key of the other: it stays, and is refused as unknown. */
		bool prefixed = str_startswith(key->name, prefix) && key->name[n];

		any = any || prefixed;
		if (prefixed != over) {
			char other[CONF_MAX_KEY_BYTES * 2];

			(void)snprintf(other, sizeof(other), "%s%s", prefix, key->name);
			if (prefixed || (over && conf_section_key(section, other)))
				continue;
		}
		r = conf_section_add_key(
			copy, key->name + (prefixed ? n : 0), key->value, key->line);
	}
	if (r < 0)
		return r;
	*ret_section = TAKE(copy);
	*ret_any = any;
	return 0;
}
