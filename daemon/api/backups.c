/* SPDX-License-Identifier: MIT */
/* /v1/backups: the backup sets on record, as the policy `backup` keeps them (lua/tend/sets.lua). */
#include "api/private.h"

enum { BACKUPS_MAX = 1000, BACKUPS_DEFAULT = 100 };

/* What a set is worth. A set that is not whole is worth nothing, whatever it was once. */
static const char *worth_of(const json_t *set)
{
	if (json_object_get(set, "why"))
		return "bad";
	if (!json_object_get(set, "verified_at"))
		return "unverified";
	return json_object_get(set, "proven_at") ? "proven" : "good";
}

/* Seconds since 1970, as policies have it. */
static json_t *time_of(const json_t *set, const char *key)
{
	double sec = json_number_value(json_object_get(set, key));

	return sec > 0 && sec < 1e11 ? api_time((usec_t)(sec * 1e6)) : json_null();
}

static json_t *age_of(const json_t *set)
{
	double at = json_number_value(json_object_get(set, "at")) * 1e6;
	usec_t now = clock_wall();

	return at > 0 ? json_real(at < (double)now ? ((double)now - at) / 1e6 : 0) : json_null();
}

static json_t *backup_to_json(json_t *row)
{
	json_t *set = json_object_get(json_object_get(row, "doc_json"), "value");
	json_t *out;

	if (!json_is_object(set))
		return NULL;
	out = json_pack("{s:O?, s:O?, s:s, s:o, s:o, s:o, s:o}", "component",
		json_object_get(row, "scope"), "label", json_object_get(row, "key"), "state",
		worth_of(set), "at", time_of(set, "at"), "age", age_of(set), "verified_at",
		time_of(set, "verified_at"), "proven_at", time_of(set, "proven_at"));
	for (const char *const *key = (const char *const[]){"kind", "chain", "members", "size",
		     "rto", "rpo", "tables", "rows", "why", NULL};
		out && *key; key++)
		if (json_object_get(set, *key))
			(void)json_object_set(out, *key, json_object_get(set, *key));
	return out;
}

static void answer_backups(int r, json_t *rows, void *data)
{
	json_t *list = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		(void)json_array_append_new(list, backup_to_json(row));
	api_answer_rows(r, list, data);
	json_decref(list);
}

void api_get_backups(struct request *request)
{
	struct manager *m = request->api->manager;
	const char *component = request_query(request, "component");
	int limit, r;

	if (request_query_int(request, "limit", 1, BACKUPS_MAX, BACKUPS_DEFAULT, &limit) < 0)
		return;
	if (component && !map_get(&m->conf->components, component)) {
		request_fail(request, API_ERROR_NOT_FOUND, "there is no component '%s'", component);
		return;
	}
	r = store_read(m->store, STORE_QUERY_RECORDS, answer_backups, request_ref(request), "ssi",
		"backup", component, (int64_t)limit);
	if (r < 0)
		api_answer_rows(r, NULL, request);
}
