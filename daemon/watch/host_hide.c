/* SPDX-License-Identifier: MIT */
/* Targets say what they were told: debug pages show headers, Redis and LDAP repeat commands. No
 * probe needs to think of that, for here everything comes by that leaves an attempt. A check
 * without secrets pays nothing, one with them a few microseconds a text. */
#include <errno.h>
#include <string.h>
#include "base/needles.h"
#include "watch/host_private.h"

/* A shorter one may be a part of any name: tables called *** would be one. */
enum { NAME_LEAST_BYTES = 8 };

struct hidden {
	struct needles in_texts, in_names;
	bool failed; /* no memory: nothing is shown at all */
};

void hidden_free(struct hidden *h)
{
	if (!h)
		return;
	needles_clear(&h->in_texts);
	needles_clear(&h->in_names);
	free(h);
}

static void add(struct hidden *h, const char *secret)
{
	if (needles_add(&h->in_texts, secret) < 0 ||
		(strlen(secret) >= NAME_LEAST_BYTES && needles_add(&h->in_names, secret) < 0))
		h->failed = true;
}

static void add_option(struct hidden *h, const struct tend_option *row, const void *member)
{
	if (row->type == TEND_OPT_SECRET && *(char *const *)member)
		add(h, *(char *const *)member);
	if (row->type != TEND_OPT_SECRET_MAP)
		return;
	for (char *const *pair = *(char **const *)member; pair && *pair; pair++)
		if (strchr(*pair, '='))
			add(h, strchr(*pair, '=') + 1);
}

static bool is_set(const struct tend_option *row, const char *conf)
{
	return (row->type == TEND_OPT_SECRET || row->type == TEND_OPT_SECRET_MAP) &&
	       *(const void *const *)(conf + row->offset);
}

static const struct hidden *hidden_of(struct tend_attempt *a)
{
	static const struct hidden nothing_goes = {.failed = true};
	const char *conf = a->spec.probe_conf;

	if (a->hidden || !conf || !a->spec.probe->options)
		return a->hidden;
	for (const struct tend_option *row = a->spec.probe->options; row->name; row++) {
		if (!is_set(row, conf))
			continue;
		if (!a->hidden)
			a->hidden = calloc(1, sizeof(*a->hidden));
		if (!a->hidden)
			return &nothing_goes;
		add_option(a->hidden, row, conf + row->offset);
	}
	return a->hidden;
}

static void hide(const struct hidden *h, const struct needles *needles, char *text)
{
	size_t len = strlen(text);

	if (h->failed)
		text[0] = '\0';
	else
		needles_redact(needles, text, &len, false);
}

void host_hide_in_text(struct tend_attempt *a, char *text)
{
	const struct hidden *h = hidden_of(a);

	if (h)
		hide(h, &h->in_texts, text);
}

void host_hide_in_name(struct tend_attempt *a, char *name)
{
	const struct hidden *h = hidden_of(a);

	if (h)
		hide(h, &h->in_names, name);
}

/* ---- documents ------------------------------------------------------------------------------ */

static void hide_in_json(const struct hidden *h, json_t *doc);

/* True: it holds one. *ret_copy NULL: no memory. */
static bool holds_secret(const struct hidden *h, const char *text, char **ret_copy)
{
	char *copy = strdup(text);

	if (copy)
		hide(h, &h->in_names, copy);
	if (copy && strcmp(copy, text) == 0) {
		free(copy);
		return false;
	}
	*ret_copy = copy;
	return true;
}

static void hide_in_object(const struct hidden *h, json_t *doc)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(doc, next, key, value)
	{
		char *copy;

		hide_in_json(h, value);
		if (!holds_secret(h, key, &copy))
			continue;
		if (copy)
			(void)json_object_set(doc, copy, value);
		(void)json_object_del(doc, key);
		free(copy);
	}
}

static void hide_in_json(const struct hidden *h, json_t *doc)
{
	char *copy;
	size_t i;
	json_t *item;

	if (json_is_object(doc))
		hide_in_object(h, doc);
	json_array_foreach (doc, i, item)
		hide_in_json(h, item);
	if (!json_is_string(doc) || !holds_secret(h, json_string_value(doc), &copy))
		return;
	(void)json_string_set(doc, copy ? copy : "");
	free(copy);
}

void host_hide_in_json(struct tend_attempt *a, json_t *doc)
{
	const struct hidden *h = hidden_of(a);

	if (h)
		hide_in_json(h, doc);
}
