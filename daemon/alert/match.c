/* SPDX-License-Identifier: MIT */
#include "alert/match.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "base/str.h"
#include "base/vec.h"

/* A hostile pattern costs at most some milliseconds. */
enum { MATCH_LIMIT = 100000, DEPTH_LIMIT = 1000, HEAP_LIMIT_KIB = 1024 };

enum match_op { MATCH_IS, MATCH_IS_NOT, MATCH_LIKE, MATCH_UNLIKE, MATCH_OP_MAX };
static const char *const op_names[MATCH_OP_MAX] = {
	[MATCH_IS] = "=",
	[MATCH_IS_NOT] = "!=",
	[MATCH_LIKE] = "=~",
	[MATCH_UNLIKE] = "!~",
};

struct matcher {
	char *name, *value;
	enum match_op op;
	pcre2_code *code; /* of LIKE and UNLIKE */
	char *text;	  /* as matchers_format() writes it */
};
struct matchers {
	struct vec list; /* struct matcher * */
	pcre2_match_context *limits;
};

static struct matcher *matcher_free(struct matcher *m)
{
	if (!m)
		return NULL;
	pcre2_code_free(m->code);
	free(m->name);
	free(m->value);
	free(m->text);
	free(m);
	return NULL;
}
DEFINE_AUTO(struct matcher *, matcher_free)

struct matchers *matchers_free(struct matchers *matchers)
{
	if (!matchers)
		return NULL;
	VEC_FOREACH (&matchers->list, struct matcher *, m)
		matcher_free(m);
	vec_clear(&matchers->list);
	pcre2_match_context_free(matchers->limits);
	free(matchers);
	return NULL;
}

/* ---- parsing -------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

bool match_name_valid(const char *name, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	if (len == 0 || len >= MATCH_NAME_BYTES || !strchr(letters, name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!name[i] || (!strchr(letters, name[i]) && !(name[i] >= '0' && name[i] <= '9')))
			return false;
	return true;
}

static int parse_name(const char **p, struct matcher *m, struct tend_error *err)
{
	size_t len = strcspn(*p, "=!, \t\r\n");

	if (!match_name_valid(*p, len))
		return tend_error_set(err, -EINVAL,
			"'%.*s' is no name of a label: letters, digits and '_', at most %d",
			(int)(len > 40 ? 40 : len), *p, MATCH_NAME_BYTES - 1);
	m->name = strndup(*p, len);
	*p += len;
	return m->name ? 0 : -ENOMEM;
}

static int parse_op(const char **p, struct matcher *m, struct tend_error *err)
{
	/* The longer ones first: "=~" begins with "=". */
	for (int op = MATCH_OP_MAX - 1; op >= 0; op--)
		if (str_startswith(*p, op_names[op])) {
			m->op = (enum match_op)op;
			*p += strlen(op_names[op]);
			return 0;
		}
	return tend_error_set(
		err, -EINVAL, "after '%s' must come =, !=, =~ or !~ and a value", m->name);
}

/* "..." with \" \\ and \n; in a regular expression other backslashes stay what they are. */
static int parse_quoted(const char **p, struct str *value, struct tend_error *err)
{
	const char *q = *p + 1;
	int r = 0;

	for (; *q && *q != '"' && r == 0; q++) {
		char c = *q;

		if (c == '\\' && (q[1] == '"' || q[1] == '\\' || q[1] == 'n')) {
			q++;
			c = *q;
			c = *q == 'n' ? '\n' : c;
		}
		r = str_append(value, &c, 1);
	}
	if (r == 0 && *q != '"')
		return tend_error_set(err, -EINVAL, "a \" is missing at the end");
	*p = q + 1;
	return r;
}

static int parse_bare(const char **p, struct str *value)
{
	size_t len = strcspn(*p, ","), trimmed = len;

	while (trimmed > 0 && strchr(" \t\r\n", (*p)[trimmed - 1]))
		trimmed--;
	*p += len;
	return str_append(value, *p - len, trimmed);
}

static int parse_value(const char **p, struct matcher *m, struct tend_error *err)
{
	auto_str struct str value = STR_INIT(MATCH_VALUE_BYTES);
	int r;

	*p = skip_blanks(*p);
	r = **p == '"' ? parse_quoted(p, &value, err) : parse_bare(p, &value);
	if (r == -ENOBUFS)
		return tend_error_set(err, -EINVAL, "the value of '%s' is longer than %d bytes",
			m->name, MATCH_VALUE_BYTES);
	if (r < 0)
		return r;
	m->value = strdup(str_get(&value));
	return m->value ? 0 : -ENOMEM;
}

static int compile(struct matcher *m, struct tend_error *err)
{
	PCRE2_UCHAR text[128];
	PCRE2_SIZE at;
	int code;

	if (m->op != MATCH_LIKE && m->op != MATCH_UNLIKE)
		return 0;
	m->code = pcre2_compile((PCRE2_SPTR)m->value, PCRE2_ZERO_TERMINATED,
		PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
			PCRE2_DOTALL,
		&code, &at, NULL);
	if (m->code)
		return 0;
	(void)pcre2_get_error_message(code, text, sizeof(text));
	return tend_error_set(err, -EINVAL, "'%.100s' is no regular expression, at %zu: %s",
		m->value, (size_t)at, (const char *)text);
}

static char *format_one(const struct matcher *m)
{
	auto_str struct str out = STR_INIT(3 * MATCH_VALUE_BYTES);
	int r = str_appendf(&out, "%s%s\"", m->name, op_names[m->op]);

	for (const char *c = m->value; *c && r == 0; c++) {
		if (*c == '\n')
			r = str_append(&out, "\\n", 2);
		else if (*c == '"' || *c == '\\')
			r = str_appendf(&out, "\\%c", *c);
		else
			r = str_append(&out, c, 1);
	}
	if (r == 0)
		r = str_append(&out, "\"", 1);
	return r == 0 ? str_take(&out) : NULL;
}

static int parse_one(const char **p, struct matchers *matchers, struct tend_error *err)
{
	auto(matcher_free) struct matcher *m = calloc(1, sizeof(*m));
	int r = m ? parse_name(p, m, err) : -ENOMEM;

	if (r < 0)
		return r;
	*p = skip_blanks(*p);
	r = parse_op(p, m, err);
	if (r == 0)
		r = parse_value(p, m, err);
	if (r == 0)
		r = compile(m, err);
	if (r < 0)
		return r;
	assert(m->name && m->value);
	m->text = format_one(m);
	r = m->text ? vec_push(&matchers->list, m) : -ENOMEM;
	if (r == 0)
		TAKE(m);
	return r;
}

static int parse_all(const char *p, struct matchers *matchers, struct tend_error *err)
{
	int r;

	for (p = skip_blanks(p); *p; p = skip_blanks(p)) {
		if (matchers->list.len == MATCH_MAX)
			return tend_error_set(
				err, -EINVAL, "there are more than %d matchers", MATCH_MAX);
		r = parse_one(&p, matchers, err);
		if (r < 0)
			return r;
		p = skip_blanks(p);
		if (!*p)
			break;
		if (*p != ',')
			return tend_error_set(err, -EINVAL, "a comma is missing before '%.40s'", p);
		p = skip_blanks(p + 1);
		if (!*p)
			return tend_error_set(err, -EINVAL, "nothing follows the last comma");
	}
	return 0;
}

int matchers_parse(const char *text, struct tend_error *err, struct matchers **ret_matchers)
{
	auto(matchers_free) struct matchers *matchers = NULL;
	size_t len = strnlen(text, MATCH_TEXT_BYTES + 1);
	int r;

	if (len > MATCH_TEXT_BYTES)
		return tend_error_set(
			err, -EINVAL, "matchers are longer than %d bytes", MATCH_TEXT_BYTES);
	if (!str_utf8_valid(text, len))
		return tend_error_set(err, -EINVAL, "matchers are no valid UTF-8");
	matchers = calloc(1, sizeof(*matchers));
	if (!matchers)
		return -ENOMEM;
	matchers->limits = pcre2_match_context_create(NULL);
	if (!matchers->limits)
		return -ENOMEM;
	(void)pcre2_set_match_limit(matchers->limits, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(matchers->limits, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(matchers->limits, HEAP_LIMIT_KIB);
	r = parse_all(text, matchers, err);
	if (r < 0)
		return r;
	*ret_matchers = TAKE(matchers);
	return 0;
}

/* ---- matching ------------------------------------------------------------------------------- */

/* 1 fits, 0 does not, < 0: it cannot be told. */
static int like(const struct matchers *matchers, const struct matcher *m, const char *value)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int n = data ? pcre2_match(m->code, (PCRE2_SPTR)value, strlen(value), 0, 0, data,
			       matchers->limits)
		     : PCRE2_ERROR_NOMEMORY;

	pcre2_match_data_free(data);
	return n == PCRE2_ERROR_NOMATCH ? 0 : n < 0 ? -EINVAL : 1;
}

static bool fits(const struct matchers *matchers, const struct matcher *m, const json_t *labels)
{
	const char *value = json_string_value(json_object_get(labels, m->name));

	if (!value)
		value = "";
	switch (m->op) {
	case MATCH_IS:
		return strcmp(value, m->value) == 0;
	case MATCH_IS_NOT:
		return strcmp(value, m->value) != 0;
	case MATCH_LIKE:
		return like(matchers, m, value) == 1;
	case MATCH_UNLIKE:
		return like(matchers, m, value) == 0;
	default:
		return false;
	}
}

bool matchers_fit(const struct matchers *matchers, const json_t *labels, const char **ret_no)
{
	if (!matchers)
		return true;
	VEC_FOREACH (&matchers->list, const struct matcher *, m) {
		if (fits(matchers, m, labels))
			continue;
		if (ret_no)
			*ret_no = m->text;
		return false;
	}
	return true;
}

size_t matchers_len(const struct matchers *matchers)
{
	return matchers ? matchers->list.len : 0;
}

char *matchers_format(const struct matchers *matchers)
{
	auto_str struct str out = STR_INIT(4 * MATCH_TEXT_BYTES);
	int r = str_append(&out, "", 0);

	VEC_FOREACH (&matchers->list, const struct matcher *, m)
		if (r == 0)
			r = str_appendf(&out, "%s%s", out.len ? ", " : "", m->text);
	return r == 0 ? out.len ? str_take(&out) : strdup("") : NULL;
}
