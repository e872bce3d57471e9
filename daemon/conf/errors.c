/* SPDX-License-Identifier: MIT */
#include "conf/errors.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

/* Room for the items and for the one that says how many more there are. */
static bool errors_reserve(struct conf_errors *errors)
{
	size_t cap = errors->cap ? errors->cap * 2 : 4;
	struct tend_error *items;

	if (errors->len < errors->cap)
		return true;
	items = realloc(errors->items, cap * sizeof(*items));
	if (!items)
		return false;
	errors->items = items;
	errors->cap = cap;
	return true;
}

int conf_errors_add(struct conf_errors *errors, const char *file, unsigned line, int code,
	const char *format, ...)
{
	char raw[TEND_ERROR_TEXT_BYTES];
	struct tend_error *e;
	va_list ap;

	if (!errors)
		return code;
	errors->n_total++;
	if (errors->len > CONF_MAX_ERRORS || !errors_reserve(errors))
		return code;
	e = &errors->items[errors->len++];
	*e = (struct tend_error){.code = code, .line = line};
	if (errors->len > CONF_MAX_ERRORS) /* its text is made when all are known */
		return code;
	(void)snprintf(e->file, sizeof(e->file), "%s", file ? file : "");
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(e->text, sizeof(e->text), raw, strlen(raw));
	return code;
}

static int compare_errors(const void *pa, const void *pb)
{
	const struct tend_error *a = pa, *b = pb;
	int r = strcmp(a->file, b->file);

	if (r)
		return r;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return strcmp(a->text, b->text);
}

/* The same fault may be found twice, as in a value that two parts share. */
static void drop_doubles(struct conf_errors *errors, size_t n)
{
	size_t kept = n ? 1 : 0;

	for (size_t i = 1; i < n; i++)
		if (compare_errors(&errors->items[kept - 1], &errors->items[i]) != 0)
			errors->items[kept++] = errors->items[i];
	errors->n_total -= n - kept;
	errors->len = kept;
}

void conf_errors_sort(struct conf_errors *errors)
{
	size_t n = MIN(errors->len, (size_t)CONF_MAX_ERRORS);

	if (n > 1)
		qsort(errors->items, n, sizeof(errors->items[0]), compare_errors);
	if (errors->len == n)
		drop_doubles(errors, n);
	if (errors->len > n) {
		struct tend_error *last = &errors->items[n];

		last->line = 0;
		last->file[0] = '\0';
		(void)tend_error_set(last, -E2BIG, "and %zu more errors", errors->n_total - n);
	}
}

void conf_errors_print(const struct conf_errors *errors, FILE *f)
{
	for (size_t i = 0; i < errors->len; i++) {
		const struct tend_error *e = &errors->items[i];

		if (e->file[0] && e->line)
			fprintf(f, "%s:%u: %s\n", e->file, e->line, e->text);
		else if (e->file[0])
			fprintf(f, "%s: %s\n", e->file, e->text);
		else
			fprintf(f, "%s\n", e->text);
	}
}

void conf_errors_clear(struct conf_errors *errors)
{
	free(errors->items);
	*errors = (struct conf_errors){0};
}
