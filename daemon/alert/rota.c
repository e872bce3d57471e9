/* SPDX-License-Identifier: MIT */
#include "alert/rota.h"
#include <errno.h>
#include <string.h>
#include "base/str.h"

enum { ROTA_LINE_BYTES = 4096, ROTA_WORD_BYTES = 128 };

enum rota_kind { ROTA_FROM, ROTA_TURNS, ROTA_BETWEEN };

struct rota_line {
	unsigned number;
	enum rota_kind kind;
	usec_t from, until;	    /* until: of BETWEEN */
	int turn_days;		    /* of TURNS */
	struct calendar_time first; /* of TURNS: `from` by the zone's clock */
	char **names;		    /* of TURNS: one a turn; else all of them */
};

struct rota {
	struct zone *zone;
	struct vec lines; /* struct rota_line *, in the order of the file */
};

static void line_free(struct rota_line *line)
{
	if (!line)
		return;
	strv_free(line->names);
	free(line);
}
DEFINE_AUTO(struct rota_line *, line_free)

struct rota *rota_free(struct rota *rota)
{
	if (!rota)
		return NULL;
	VEC_FOREACH (&rota->lines, struct rota_line *, line)
		line_free(line);
	vec_clear(&rota->lines);
	zone_free(rota->zone);
	free(rota);
	return NULL;
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* The next word of the line, cut out of it; NULL: none. */
static char *next_word(char **p)
{
	char *word = *p + strspn(*p, " \t\r,");
	size_t len = strcspn(word, " \t\r,");

	if (len == 0)
		return NULL;
	*p = word + len;
	if (**p)
		*(*p)++ = '\0';
	return word;
}

static bool is_time(const char *word)
{
	return strlen(word) >= 16 && word[0] >= '0' && word[0] <= '9' && word[4] == '-' &&
	       word[10] == 'T';
}

static int read_names(struct rota_line *line, char *word, char *rest, struct tend_error *err)
{
	size_t n = 0;

	line->names = calloc(ROTA_MAX_NAMES + 1, sizeof(char *));
	if (!line->names)
		return -ENOMEM;
	for (; word; word = next_word(&rest)) {
		if (n == ROTA_MAX_NAMES)
			return tend_error_set(
				err, -EINVAL, "there are more than %d names", ROTA_MAX_NAMES);
		if (strlen(word) >= ROTA_WORD_BYTES)
			return tend_error_set(err, -EINVAL, "'%.40s...' is no name", word);
		line->names[n] = strdup(word);
		if (!line->names[n++])
			return -ENOMEM;
	}
	if (n == 0)
		return tend_error_set(err, -EINVAL, "who is on call then? A name is missing");
	return 0;
}

static int read_line(
	const struct rota *rota, struct rota_line *line, char *text, struct tend_error *err)
{
	char *word = next_word(&text);

	line->turn_days = strcmp(word, "weekly") == 0 ? 7 : strcmp(word, "daily") == 0 ? 1 : 0;
	if (line->turn_days) {
		line->kind = ROTA_TURNS;
		word = next_word(&text);
	}
	if (!word || !is_time(word))
		return tend_error_set(err, -EINVAL, "'%.40s' is no time, as in 2026-11-23T08:00",
			word ? word : "");
	if (zone_parse(rota->zone, word, &line->from, err) < 0)
		return -EINVAL;
	zone_local(rota->zone, line->from, &line->first);
	word = next_word(&text);
	if (word && is_time(word) && line->kind != ROTA_TURNS) {
		line->kind = ROTA_BETWEEN;
		if (zone_parse(rota->zone, word, &line->until, err) < 0)
			return -EINVAL;
		if (line->until <= line->from)
			return tend_error_set(err, -EINVAL, "it ends before it begins");
		word = next_word(&text);
	}
	return read_names(line, word, text, err);
}

static int add_line(struct rota *rota, unsigned number, char *text, struct tend_error *err)
{
	auto(line_free) struct rota_line *line = NULL;
	int r;

	text[strcspn(text, "#")] = '\0';
	if (text[strspn(text, " \t\r,")] == '\0')
		return 0;
	if (rota->lines.len == ROTA_MAX_LINES)
		return tend_error_set(err, -EINVAL, "there are more than %d lines", ROTA_MAX_LINES);
	line = calloc(1, sizeof(*line));
	if (!line)
		return -ENOMEM;
	line->number = number;
	r = read_line(rota, line, text, err);
	if (r == 0)
		r = vec_push(&rota->lines, line);
	if (r == 0)
		TAKE(line);
	return r;
}

static int add_lines(struct rota *rota, const char *text, struct tend_error *err, unsigned *number)
{
	int r = 0;

	for (*number = 1; *text && r == 0; (*number)++) {
		size_t len = strcspn(text, "\n");
		char line[ROTA_LINE_BYTES];

		if (len >= sizeof(line))
			return tend_error_set(
				err, -EINVAL, "the line is longer than %d bytes", ROTA_LINE_BYTES);
		if (!str_utf8_valid(text, len))
			return tend_error_set(err, -EINVAL, "the line is no valid UTF-8");
		memcpy(line, text, len);
		line[len] = '\0';
		r = add_line(rota, *number, line, err);
		if (r < 0)
			break;
		text += len + (text[len] == '\n');
	}
	return r;
}

int rota_parse(const char *text, const struct zone *zone, struct tend_error *err,
	unsigned *ret_line, struct rota **ret_rota)
{
	auto(rota_free) struct rota *rota = calloc(1, sizeof(*rota));
	unsigned number = 0;
	int r;

	if (!rota)
		return -ENOMEM;
	r = zone_get(zone_name(zone), &rota->zone, err);
	if (r == 0)
		r = add_lines(rota, text, err, &number);
	if (r < 0) {
		if (ret_line)
			*ret_line = number;
		return r;
	}
	*ret_rota = TAKE(rota);
	return 0;
}

int rota_each_name(
	const struct rota *rota, int (*fn)(const char *name, unsigned line, void *data), void *data)
{
	int r = 0;

	VEC_FOREACH (&rota->lines, const struct rota_line *, line)
		for (char **name = line->names; *name && r == 0; name++)
			r = fn(*name, line->number, data);
	return r;
}

/* ---- asking --------------------------------------------------------------------------------- */

/* The beginning of the day's turn, `days` after the first one, at its time of day. */
static usec_t turn_begins(const struct rota *rota, const struct rota_line *line, int64_t days)
{
	struct calendar_time local = line->first;
	int64_t first = calendar_days(local.year, local.month, local.day);

	calendar_from_days(first + days, &local);
	local.hour = line->first.hour;
	local.minute = line->first.minute;
	local.second = line->first.second;
	return zone_instant(rota->zone, &local);
}

/* Which turn it is: turns are counted in days of the calendar, never in hours. */
static int64_t turn_at(const struct rota *rota, const struct rota_line *line, usec_t wall)
{
	struct calendar_time now;
	int64_t days, turn;

	zone_local(rota->zone, wall, &now);
	days = calendar_days(now.year, now.month, now.day) -
	       calendar_days(line->first.year, line->first.month, line->first.day);
	turn = days / line->turn_days;
	/* The day has come, the time of day perhaps not; where the clock was set it may have
	 * jumped over it. */
	while (turn > 0 && turn_begins(rota, line, turn * line->turn_days) > wall)
		turn--;
	while (turn_begins(rota, line, (turn + 1) * line->turn_days) <= wall)
		turn++;
	return turn;
}

static const struct rota_line *line_at(const struct rota *rota, usec_t wall)
{
	const struct rota_line *best = NULL, *exchange = NULL;

	VEC_FOREACH (&rota->lines, const struct rota_line *, line) {
		if (line->from > wall)
			continue;
		if (line->kind == ROTA_BETWEEN && wall < line->until)
			exchange = line;
		else if (line->kind != ROTA_BETWEEN && (!best || line->from >= best->from))
			best = line;
	}
	return exchange ? exchange : best;
}

/* Of all lines, when anything begins or ends next. */
static usec_t next_edge(const struct rota *rota, usec_t wall)
{
	usec_t next = USEC_INFINITY;

	VEC_FOREACH (&rota->lines, const struct rota_line *, line) {
		if (line->from > wall)
			next = line->from < next ? line->from : next;
		else if (line->kind == ROTA_BETWEEN && line->until > wall)
			next = line->until < next ? line->until : next;
	}
	return next;
}

size_t rota_at(const struct rota *rota, usec_t wall, char *const **ret_names, usec_t *ret_until)
{
	const struct rota_line *line = line_at(rota, wall);
	usec_t until = next_edge(rota, wall);
	int64_t turn;

	if (ret_until)
		*ret_until = until;
	if (!line)
		return 0;
	*ret_names = line->names;
	if (line->kind != ROTA_TURNS)
		return strv_len(line->names);
	turn = turn_at(rota, line, wall);
	if (ret_until) {
		usec_t ends = turn_begins(rota, line, (turn + 1) * line->turn_days);

		*ret_until = ends < until ? ends : until;
	}
	*ret_names = line->names + turn % (int64_t)strv_len(line->names);
	return 1;
}
