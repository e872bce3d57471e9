/* SPDX-License-Identifier: MIT */
#include "alert/inhibit.h"
#include <errno.h>
#include <string.h>
#include "base/str.h"

struct source { /* an open incident, as the source of one [inhibit] */
	char *incident;
	bool also_target; /* it fits both matches */
	char *key;	  /* of its list */
};

struct inhibitor {
	const struct conf *conf;
	struct map lists;     /* key -> struct vec * of struct source *, oldest first */
	struct map incidents; /* id -> struct vec * of struct source * */
};

/* "NAME\x1fVALUE\x1f..." of the labels that must be equal. */
static char *key_of(const struct conf_inhibit *inhibit, const json_t *labels)
{
	auto_str struct str key = STR_INIT(1 << 16);
	int r = str_appendf(&key, "%s", inhibit->name);

	for (char **name = inhibit->equal; name && *name && r == 0; name++) {
		const char *value = json_string_value(json_object_get(labels, *name));

		r = str_appendf(&key, "\x1f%s", value ? value : "");
	}
	return r == 0 ? str_take(&key) : NULL;
}

static struct vec *need(struct map *map, const char *key)
{
	struct vec *list = map_get(map, key);

	if (list)
		return list;
	list = calloc(1, sizeof(*list));
	if (list && map_put(map, key, list) < 0) {
		free(list);
		return NULL;
	}
	return list;
}

static void drop_from(struct map *map, const char *key, const struct source *source)
{
	struct vec *list = map_get(map, key);

	for (size_t i = 0; list && i < list->len; i++)
		if (list->items[i] == source) {
			vec_remove(list, i);
			break;
		}
	if (list && list->len == 0) {
		(void)map_remove(map, key);
		vec_clear(list);
		free(list);
	}
}

static void source_free(struct source *source)
{
	if (source) {
		free(source->incident);
		free(source->key);
	}
	free(source);
}
DEFINE_AUTO(struct source *, source_free)

static int add_source(struct inhibitor *inhibitor, const struct conf_inhibit *inhibit,
	const char *incident, const json_t *labels)
{
	auto(source_free) struct source *source = calloc(1, sizeof(*source));
	struct vec *list, *own;
	int r;

	if (!source)
		return -ENOMEM;
	source->incident = strdup(incident);
	source->key = key_of(inhibit, labels);
	source->also_target = matchers_fit(inhibit->target, labels, NULL);
	if (!source->incident || !source->key)
		return -ENOMEM;
	list = need(&inhibitor->lists, source->key);
	own = list ? need(&inhibitor->incidents, incident) : NULL;
	if (!own)
		return -ENOMEM;
	r = vec_push(list, source);
	if (r < 0)
		return r;
	r = vec_push(own, source);
	if (r < 0) {
		drop_from(&inhibitor->lists, source->key, source);
		return r;
	}
	TAKE(source);
	return 0;
}

int inhibitor_put(struct inhibitor *inhibitor, const char *incident, const json_t *labels)
{
	int r = 0;

	inhibitor_remove(inhibitor, incident);
	MAP_FOREACH (&inhibitor->conf->inhibits, const struct conf_inhibit *, inhibit)
		if (r == 0 && matchers_fit(inhibit->source, labels, NULL))
			r = add_source(inhibitor, inhibit, incident, labels);
	return r;
}

void inhibitor_remove(struct inhibitor *inhibitor, const char *incident)
{
	struct vec *own = map_remove(&inhibitor->incidents, incident);

	if (!own)
		return;
	VEC_FOREACH (own, struct source *, source) {
		drop_from(&inhibitor->lists, source->key, source);
		source_free(source);
	}
	vec_clear(own);
	free(own);
}

const struct conf_inhibit *inhibitor_find(const struct inhibitor *inhibitor, const char *incident,
	const json_t *labels, const char **ret_source)
{
	MAP_FOREACH (&inhibitor->conf->inhibits, const struct conf_inhibit *, inhibit) {
		auto_free char *key = NULL;
		const struct vec *list;
		bool both;

		if (!matchers_fit(inhibit->target, labels, NULL))
			continue;
		key = key_of(inhibit, labels);
		list = key ? map_get(&inhibitor->lists, key) : NULL;
		if (!list)
			continue;
		/* Two that fit both would keep each other back for ever. */
		both = matchers_fit(inhibit->source, labels, NULL);
		VEC_FOREACH (list, const struct source *, source) {
			if ((both && source->also_target) ||
				(incident && strcmp(source->incident, incident) == 0))
				continue;
			*ret_source = source->incident;
			return inhibit;
		}
	}
	return NULL;
}

bool inhibitor_is_empty(const struct inhibitor *inhibitor)
{
	return inhibitor->conf->inhibits.len == 0;
}

int inhibitor_new(const struct conf *conf, struct inhibitor **ret_inhibitor)
{
	struct inhibitor *inhibitor = calloc(1, sizeof(*inhibitor));

	if (!inhibitor)
		return -ENOMEM;
	inhibitor->conf = conf;
	*ret_inhibitor = inhibitor;
	return 0;
}

struct inhibitor *inhibitor_free(struct inhibitor *inhibitor)
{
	if (!inhibitor)
		return NULL;
	while (inhibitor->incidents.len > 0) {
		auto_free char *id = strdup(inhibitor->incidents.slots[0].key);

		if (!id)
			break;
		inhibitor_remove(inhibitor, id);
	}
	map_clear(&inhibitor->incidents);
	map_clear(&inhibitor->lists);
	free(inhibitor);
	return NULL;
}
