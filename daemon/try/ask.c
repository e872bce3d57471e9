/* SPDX-License-Identifier: MIT */
#include "try/ask.h"
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "conf/rows.h"
#include "conf/section.h"

enum { TEXT_MAX_BYTES = 1 << 20 };

/* What a file would take for something else than a key. */
static int check_key(const char *word, size_t len, struct tend_error *err)
{
	if (len == 0 || !word[len])
		return tend_error_set(err, -EINVAL, "'%.80s' is no KEY=VALUE", word);
	if (len > CONF_MAX_KEY_BYTES)
		return tend_error_set(err, -EINVAL, "the key '%.80s...' is too long", word);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)word[i] <= ' ' || word[i] == 0x7f || word[i] == ':')
			return tend_error_set(err, -EINVAL,
				"the key '%.*s' holds a blank, a colon or a control character",
				(int)len, word);
	if (strchr("[#;", word[0]))
		return tend_error_set(
			err, -EINVAL, "the key '%.*s' begins with '%c'", (int)len, word, word[0]);
	return 0;
}

static bool is_row(const struct tend_option *rows, const char *name, size_t len)
{
	for (; rows->name; rows++)
		if (strlen(rows->name) == len && strncmp(rows->name, name, len) == 0)
			return true;
	return false;
}

static bool is_known(const struct tend_probe *probe, const char *name, size_t len)
{
	return is_row(probe->options, name, len) || is_row(conf_check_rows, name, len);
}

static void undash(char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] == '-')
			name[i] = '_';
}

/* `expect-status' is `expect_status', and `oauth.client-id' `oauth.client_id', unless there is such
 * a name; NAME of a map is as it is. */
static int put_key(const struct tend_probe *probe, const char *key, size_t len, struct str *text)
{
	size_t head = strcspn(key, ".");
	char name[CONF_MAX_KEY_BYTES + 1], plain[CONF_MAX_KEY_BYTES + 1];

	head = head < len ? head : len;
	(void)snprintf(name, sizeof(name), "%.*s", (int)len, key);
	(void)snprintf(plain, sizeof(plain), "%s", name);
	undash(plain, strlen(plain));
	if (!is_known(probe, name, strlen(name)) && is_known(probe, plain, strlen(plain)))
		return str_appendf(text, "%s = ", plain);
	if (!is_known(probe, name, head))
		undash(name, head);
	return str_appendf(text, "%s = ", name);
}

/* Lines behind the first are indented, so that they go on with the value. */
static int put_value(const char *value, const char *word, struct str *text, struct tend_error *err)
{
	if (!str_utf8_valid(value, strlen(value)) || strchr(value, '\r'))
		return tend_error_set(err, -EINVAL, "the value of '%.80s' is no text", word);
	while (*value) {
		size_t n = strcspn(value, "\n");
		int r = str_append(text, value, n);

		value += n;
		if (r == 0 && *value == '\n')
			r = str_append(text, "\n\t", 2);
		value += *value == '\n';
		if (r < 0)
			return r;
		/* In a file it would be a comment, and be lost. */
		if (strchr("#;", value[strspn(value, " \t")]) && value[strspn(value, " \t")])
			return tend_error_set(err, -EINVAL,
				"a line of the value of '%.40s' begins with # or ;", word);
	}
	return str_append(text, "\n", 1);
}

static int put_word(const struct tend_probe *probe, const char *word, size_t skip, struct str *text,
	struct tend_error *err)
{
	const char *key = word + skip;
	size_t len = strcspn(key, "=");
	int r = check_key(key, len, err);

	if (r == 0)
		r = put_key(probe, key, len, text);
	return r == 0 ? put_value(key + len + 1, word, text, err) : r;
}

static const char database_prefix[] = "database.";

static int put_words(const struct tend_probe *probe, char *const *words, size_t n_words,
	bool of_database, struct str *text, struct tend_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_words; i++)
		if (str_startswith(words[i], database_prefix) == of_database)
			r = put_word(probe, words[i], of_database ? strlen(database_prefix) : 0,
				text, err);
	return r;
}

static bool has_key(char *const *words, size_t n_words, const char *start)
{
	for (size_t i = 0; i < n_words; i++)
		if (str_startswith(words[i], start))
			return true;
	return false;
}

int ask_text(const struct tend_probe *probe, const struct ask_places *places, char *const *words,
	size_t n_words, char **ret_text, struct tend_error *err)
{
	auto_str struct str text = STR_INIT(TEXT_MAX_BYTES);
	int r = str_appendf(&text,
		"[daemon]\nlibexec_dir = %s\nplugin_dir = %s\nlua_dir = %s\nrun_dir = %s\n"
		"[system try]\nenvironment = production\n"
		"[component try/it]\nkind = app\n",
		places->libexec_dir, places->plugin_dir, places->lua_dir, places->run_dir);

	if (r == 0 && has_key(words, n_words, database_prefix))
		r = str_appendf(&text, "[database try/it]\n");
	if (r == 0)
		r = put_words(probe, words, n_words, true, &text, err);
	if (r == 0)
		r = str_appendf(&text, "[check " ASK_CHECK "]\nprobe = %s\n", probe->name);
	if (r == 0 && !has_key(words, n_words, "interval="))
		r = str_appendf(&text, "interval = 1h\n");
	if (r == 0)
		r = put_words(probe, words, n_words, false, &text, err);
	if (r == -ENOBUFS)
		return tend_error_set(
			err, -EINVAL, "the options are longer than %d bytes", (int)TEXT_MAX_BYTES);
	if (r == 0)
		*ret_text = str_take(&text);
	return r;
}
