/* SPDX-License-Identifier: MIT */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "exec/look/sieve.h"
#include <ctype.h>
#include <errno.h>
#include <pcre2.h>
#include <string.h>
#include "base/hash.h"
#include "base/str.h"

enum { MATCH_LIMIT = 100000, DEPTH_LIMIT = 5000, SAMPLE_BYTES = 240, TABLE_SLOTS = 16384 };

struct pattern {
	const char *name; /* of the argument; NULL: ignore */
	pcre2_code *code;
	uint64_t n, n_undecided; /* lines */
	char sample[SAMPLE_BYTES];
};

struct fresh {
	uint32_t hash;
	uint64_t n;
	char template[SIEVE_TEMPLATE_BYTES], source[64];
};

struct sieve {
	json_t *names; /* keeps the names of the patterns */
	struct pattern patterns[SIEVE_MAX_PATTERNS];
	size_t n_patterns;
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint32_t *table; /* open addressing; 0 = free; NULL: kinds are of no interest */
	size_t n_known;
	struct fresh *fresh;
	size_t n_fresh;
	uint64_t n_lines;
	bool cut;
};

/* ---- kinds ---- */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* A run of letters and digits: varies when it has a digit, or is long and hexadecimal. */
static size_t word_length(const char *p, size_t left, bool *ret_varies)
{
	size_t n = 0, digits = 0, hex = 0;

	while (n < left && is_word(p[n])) {
		digits += isdigit((unsigned char)p[n]) != 0;
		hex += isxdigit((unsigned char)p[n]) != 0;
		n++;
	}
	*ret_varies = digits > 0 || (hex == n && n >= 8);
	return n;
}

static size_t quoted_length(const char *p, size_t left)
{
	const char *end;

	if (left < 2 || (p[0] != '"' && p[0] != '\'' && p[0] != '`'))
		return 0;
	end = memchr(p + 1, p[0] == '`' ? '\'' : p[0], left - 1);
	return end ? (size_t)(end - p) + 1 : 0;
}

struct out {
	char *text;
	size_t n;
	bool hash; /* its end stands for something that varies */
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < SIEVE_TEMPLATE_BYTES)
		o->text[o->n++] = c;
	o->hash = false;
}

/* "#.#:#" is one thing that varies, as "#" is. */
static void put_hash(struct out *o)
{
	if (!o->hash && o->n >= 2 && o->text[o->n - 2] == '#' &&
		strchr(".:-/,+", o->text[o->n - 1]))
		o->n--;
	else if (!o->hash)
		put(o, '#');
	o->hash = true;
}

void sieve_template(const char *line, size_t len, char ret_text[SIEVE_TEMPLATE_BYTES])
{
	struct out o = {.text = ret_text};

	for (size_t at = 0; at < len;) {
		bool varies = false;
		size_t n = 0;
		/* A quotation mark within a word (don't) begins no quotation. */
		bool may_quote = at == 0 || !is_word(line[at - 1]);

		if (may_quote && (n = quoted_length(line + at, len - at)) > 0) {
			put_hash(&o);
		} else if ((n = word_length(line + at, len - at, &varies)) > 0) {
			for (size_t i = 0; i < n && !varies; i++)
				put(&o, line[at + i]);
			if (varies)
				put_hash(&o);
		} else if (isspace((unsigned char)line[at])) {
			n = 1;
			if (o.n > 0 && o.text[o.n - 1] != ' ')
				put(&o, ' ');
		} else {
			n = 1;
			put(&o, line[at]);
		}
		at += n;
	}
	o.n = str_cut_utf8(ret_text, o.n, SIEVE_TEMPLATE_BYTES - 1);
	ret_text[o.n] = '\0';
}

static uint32_t hash_add(uint32_t hash, const char *text)
{
	return hash32_bytes(hash32_bytes(hash, text, strlen(text)), "\xff", 1);
}

/* False: it is there already. */
static bool table_add(struct sieve *s, uint32_t hash)
{
	size_t at = hash % TABLE_SLOTS;

	for (; s->table[at]; at = (at + 1) % TABLE_SLOTS)
		if (s->table[at] == hash)
			return false;
	if (s->n_known >= TABLE_SLOTS / 2)
		return false;
	s->table[at] = hash;
	s->n_known++;
	return true;
}

static void sift_kind(struct sieve *s, const char *source, const char *line, size_t len)
{
	char template[SIEVE_TEMPLATE_BYTES];
	struct fresh *fresh;
	uint32_t hash;

	sieve_template(line, len, template);
	hash = hash_add(hash_add(HASH32_INIT, source), template);
	hash = hash ? hash : 1;
	for (size_t i = 0; i < s->n_fresh; i++)
		if (s->fresh[i].hash == hash) {
			s->fresh[i].n++;
			return;
		}
	/* What there is no more room for is new again at the next look. */
	if (s->n_fresh == SIEVE_MAX_NEW) {
		s->cut = true;
		return;
	}
	if (!table_add(s, hash))
		return;
	fresh = &s->fresh[s->n_fresh++];
	*fresh = (struct fresh){.hash = hash, .n = 1};
	str_sanitize(fresh->template, sizeof(fresh->template), template, strlen(template));
	str_sanitize(fresh->source, sizeof(fresh->source), source, strlen(source));
}

/* ---- expressions ---- */

static int add_pattern(
	struct sieve *s, const char *name, const char *expression, struct tend_error *err)
{
	struct pattern *p = &s->patterns[s->n_patterns];
	PCRE2_SIZE offset = 0;
	int code = 0;

	if (s->n_patterns == SIEVE_MAX_PATTERNS)
		return tend_error_set(err, -EINVAL, "more than %d expressions", SIEVE_MAX_PATTERNS);
	p->code = expression ? pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, 0,
				       &code, &offset, NULL)
			     : NULL;
	if (!p->code)
		return tend_error_set(err, -EINVAL, "'%.100s' is no expression from character %zu",
			expression ? expression : "", offset + 1);
	p->name = name;
	s->n_patterns++;
	return 0;
}

static bool fits(const struct sieve *s, struct pattern *p, const char *line, size_t len)
{
	int r = pcre2_match(p->code, (PCRE2_SPTR)line, len, 0, 0, s->data, s->context);

	/* Over a limit, mostly: it may fit or not. */
	p->n_undecided += r < 0 && r != PCRE2_ERROR_NOMATCH;
	return r >= 0;
}

static void add_known(struct sieve *s, const char *seen)
{
	for (; strlen(seen) >= SIEVE_HASH_CHARS; seen += SIEVE_HASH_CHARS) {
		char text[SIEVE_HASH_CHARS + 1];
		uint32_t hash;

		(void)snprintf(text, sizeof(text), "%.*s", SIEVE_HASH_CHARS, seen);
		hash = (uint32_t)strtoul(text, NULL, 16);
		if (hash)
			(void)table_add(s, hash);
	}
}

static int prepare(struct sieve *s, const json_t *patterns, const json_t *ignore, const char *seen,
	struct tend_error *err)
{
	const char *name;
	json_t *value;
	size_t i;
	int r = 0;

	s->names = json_copy((json_t *)(uintptr_t)patterns);
	s->context = pcre2_match_context_create(NULL);
	s->data = pcre2_match_data_create(1, NULL);
	s->fresh = calloc(SIEVE_MAX_NEW, sizeof(*s->fresh));
	s->table = seen ? calloc(TABLE_SLOTS, sizeof(*s->table)) : NULL;
	if (!s->context || !s->data || !s->fresh || (seen && !s->table))
		return -ENOMEM;
	(void)pcre2_set_match_limit(s->context, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(s->context, DEPTH_LIMIT);
	if (seen)
		add_known(s, seen);
	json_array_foreach (ignore, i, value)
		if (r == 0)
			r = add_pattern(s, NULL, json_string_value(value), err);
	json_object_foreach (s->names, name, value)
		if (r == 0)
			r = add_pattern(s, name, json_string_value(value), err);
	return r;
}

int sieve_new(const json_t *patterns, const json_t *ignore, const char *seen,
	struct sieve **ret_sieve, struct tend_error *err)
{
	auto(sieve_free) struct sieve *s = calloc(1, sizeof(*s));
	int r = s ? prepare(s, patterns, ignore, seen, err) : -ENOMEM;

	if (r == 0)
		*ret_sieve = TAKE(s);
	return r;
}

struct sieve *sieve_free(struct sieve *sieve)
{
	if (!sieve)
		return NULL;
	for (size_t i = 0; i < sieve->n_patterns; i++)
		pcre2_code_free(sieve->patterns[i].code);
	pcre2_match_data_free(sieve->data);
	pcre2_match_context_free(sieve->context);
	json_decref(sieve->names);
	free(sieve->table);
	free(sieve->fresh);
	free(sieve);
	return NULL;
}

void sieve_line(struct sieve *sieve, const char *source, const char *line, size_t len)
{
	len = MIN(len, (size_t)SIEVE_LINE_BYTES);
	for (size_t i = 0; i < sieve->n_patterns; i++)
		if (!sieve->patterns[i].name && fits(sieve, &sieve->patterns[i], line, len))
			return;
	sieve->n_lines++;
	for (size_t i = 0; i < sieve->n_patterns; i++) {
		struct pattern *p = &sieve->patterns[i];

		if (!p->name || !fits(sieve, p, line, len))
			continue;
		p->n++;
		str_sanitize(p->sample, sizeof(p->sample), line, len);
	}
	if (sieve->table)
		sift_kind(sieve, source, line, len);
}

json_t *sieve_result(const struct sieve *sieve)
{
	json_t *matches = json_object(), *undecided = json_object(), *fresh = json_array();

	for (size_t i = 0; i < sieve->n_patterns; i++) {
		const struct pattern *p = &sieve->patterns[i];

		if (p->name && p->n > 0)
			(void)json_object_set_new(matches, p->name,
				json_pack(
					"{s:I, s:s}", "n", (json_int_t)p->n, "sample", p->sample));
		if (p->name && p->n_undecided > 0)
			(void)json_object_set_new(
				undecided, p->name, json_integer((json_int_t)p->n_undecided));
	}
	for (size_t i = 0; i < sieve->n_fresh; i++)
		(void)json_array_append_new(
			fresh, json_pack("{s:o, s:s, s:s, s:I}", "hash",
				       json_sprintf("%08x", sieve->fresh[i].hash), "template",
				       sieve->fresh[i].template, "source", sieve->fresh[i].source,
				       "n", (json_int_t)sieve->fresh[i].n));
	return json_pack("{s:I, s:o, s:o, s:o, s:b}", "lines", (json_int_t)sieve->n_lines,
		"matches", matches, "undecided", undecided, "new", fresh, "cut", sieve->cut);
}
