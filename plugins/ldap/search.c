/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "session.h"

enum { SHOWN_BYTES = 120 };

struct found {
	int64_t n_entries;
	bool more; /* than we read */
	bool matched;
	char first[SHOWN_BYTES]; /* the first value of the attribute; "" */
	bool has_value;
};

static void take_values(struct session *s, LDAPMessage *entry, struct found *found)
{
	const struct dirprobe_conf *c = s->conf;
	struct berval **values = ldap_get_values_len(s->ld, entry, c->attribute);

	for (size_t i = 0; values && values[i]; i++) {
		const struct berval *value = values[i];

		if (!found->has_value)
			(void)snprintf(found->first, sizeof(found->first), "%.*s",
				(int)(value->bv_len < SHOWN_BYTES ? value->bv_len
								  : SHOWN_BYTES - 1),
				value->bv_val);
		found->has_value = true;
		if (c->expect && value->bv_len == strlen(c->expect) &&
			memcmp(value->bv_val, c->expect, value->bv_len) == 0)
			found->matched = true;
	}
	ldap_value_free_len(values);
}

/* The result at the end. False: it failed. */
static bool take_result(struct session *s, LDAPMessage *message, struct found *found)
{
	char *words = NULL;
	int code = LDAP_OTHER;
	int r = ldap_parse_result(s->ld, message, &code, NULL, &words, NULL, NULL, 0);

	if (code == LDAP_SIZELIMIT_EXCEEDED) {
		found->more = true;
		code = LDAP_SUCCESS;
	}
	if (r != LDAP_SUCCESS || code != LDAP_SUCCESS)
		session_fail(s, r != LDAP_SUCCESS ? r : code, words);
	ldap_memfree(words);
	return r == LDAP_SUCCESS && code == LDAP_SUCCESS;
}

static bool read_entries(struct session *s, int id, struct found *found)
{
	for (;;) {
		LDAPMessage *message = NULL;
		int type = session_next(s, id, &message);
		bool well = true;

		if (type < 0)
			return false;
		if (type == LDAP_RES_SEARCH_ENTRY) {
			found->n_entries++;
			if (s->conf->attribute)
				take_values(s, message, found);
		} else if (type == LDAP_RES_SEARCH_RESULT) {
			well = take_result(s, message, found);
		}
		ldap_msgfree(message);
		if (type == LDAP_RES_SEARCH_RESULT)
			return well;
		if (found->n_entries > s->conf->max_entries) { /* a server that knows no limit */
			found->more = true;
			return true;
		}
	}
}

static void judge(struct session *s, const struct found *found)
{
	const struct dirprobe_conf *c = s->conf;
	const char *attribute = c->attribute ? c->attribute : "";

	if (found->n_entries < c->min_entries)
		session_end(s, TEND_REASON_CONTENT_UNEXPECTED,
			"expected at least %lld entries, found %lld", (long long)c->min_entries,
			(long long)found->n_entries);
	else if (found->more)
		session_end(s, TEND_REASON_CONTENT_UNEXPECTED,
			"expected at most %lld entries, there are more", (long long)c->max_entries);
	else if (c->expect && !found->has_value)
		session_end(s, TEND_REASON_CONTENT_UNEXPECTED,
			"expected '%.150s' in %.60s, no entry has that attribute", c->expect,
			attribute);
	else if (c->expect && !found->matched)
		session_end(s, TEND_REASON_CONTENT_UNEXPECTED,
			"expected '%.150s' in %.60s, got '%s'", c->expect, attribute, found->first);
	else
		session_end(s, TEND_REASON_OK, "%lld entries%s%.60s%s%s%s",
			(long long)found->n_entries, found->has_value ? ", " : "",
			found->has_value ? attribute : "", found->has_value ? " is '" : "",
			c->expect ? c->expect : found->first, found->has_value ? "'" : "");
}

void session_search(struct session *s)
{
	static const int scopes[] = {[DIRPROBE_BASE] = LDAP_SCOPE_BASE,
		[DIRPROBE_ONE] = LDAP_SCOPE_ONELEVEL,
		[DIRPROBE_SUB] = LDAP_SCOPE_SUBTREE};
	const struct dirprobe_conf *c = s->conf;
	char no_attributes[] = LDAP_NO_ATTRS;
	char *attributes[] = {c->attribute ? c->attribute : no_attributes, NULL};
	struct found found = {0};
	int id = -1, r;

	s->phase = DIRPROBE_SEARCH;
	tend_attempt_phase(s->attempt, TEND_REASON_TOO_SLOW, "the search was not answered");
	r = ldap_search_ext(s->ld, c->base ? c->base : "",
		c->base ? scopes[c->scope] : LDAP_SCOPE_BASE,
		c->filter ? c->filter : "(objectClass=*)", attributes, 0, NULL, NULL, NULL,
		(int)c->max_entries, &id);
	if (r != LDAP_SUCCESS) {
		session_fail(s, r, r == LDAP_FILTER_ERROR ? c->filter : NULL);
		return;
	}
	if (!read_entries(s, id, &found))
		return;
	session_took(s, "search_seconds");
	(void)tend_attempt_metric(s->attempt, "entries", (double)found.n_entries, "");
	judge(s, &found);
}
