/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "certfile.h"

static void judge_unread(const char *path, const json_t *file, struct verdict *v)
{
	const char *kind = doc_text(file, "errno");
	enum tend_reason reason = strcmp(kind, "missing") == 0	? TEND_REASON_FILE_MISSING
				  : strcmp(kind, "denied") == 0 ? TEND_REASON_ACCESS_DENIED
				  : kind[0]			? TEND_REASON_NO_EVIDENCE
								: TEND_REASON_PROTOCOL;

	verdict_fault(v, reason, "%s: %s", path, doc_text(file, "error"));
}

static void judge_time(const struct certfile_conf *c, const char *path, const json_t *file,
	double now, struct verdict *v)
{
	double left = doc_number(file, "not_after", 0) - now,
	       begins = doc_number(file, "not_before", 0) - now;
	const char *which = doc_text(file, "ends_first");
	char text[32];

	verdict_metric(v, "days_left", path, left / 86400, "");
	if (left <= 0)
		verdict_fault(v, TEND_REASON_TLS_EXPIRED, "%s: %s has expired %s ago", path, which,
			span_text(-left, text));
	else if (left < (double)c->expires_within / 1e6)
		verdict_fault(v, TEND_REASON_TLS_EXPIRES, "%s: %s expires in %s", path, which,
			span_text(left, text));
	if (begins > 0)
		verdict_fault(v, TEND_REASON_TLS_UNTRUSTED, "%s is valid in %s only", path,
			span_text(begins, text));
}

static void judge_names(const char *path, const json_t *file, struct verdict *v)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(file, "names_missing"), i, name)
		verdict_fault(v, TEND_REASON_TLS_NAME, "%s is not for %s", path,
			json_is_string(name) ? json_string_value(name) : "?");
}

static void judge_key(
	const struct certfile_conf *c, const char *path, const json_t *file, struct verdict *v)
{
	const json_t *matches = json_object_get(file, "key_matches");
	double bits = doc_number(file, "bits", 0);

	if (json_is_false(matches))
		verdict_fault(v, TEND_REASON_CONTENT_UNEXPECTED,
			"%s does not belong to the private key %s", path, c->key);
	else if (doc_text(file, "key_error")[0])
		verdict_fault(v, TEND_REASON_ACCESS_DENIED, "the private key %s: %s", c->key,
			doc_text(file, "key_error"));
	if (strcmp(doc_text(file, "key"), "RSA") == 0 && bits < (double)c->min_bits)
		verdict_fault(v, TEND_REASON_TLS_WEAK, "%s has a key of %.0f bits", path, bits);
	if (!doc_flag(file, "self_signed") && (strstr(doc_text(file, "signature"), "SHA1") ||
						      strstr(doc_text(file, "signature"), "MD5")))
		verdict_fault(v, TEND_REASON_TLS_WEAK, "%s is signed by %s", path,
			doc_text(file, "signature"));
	if (doc_flag(file, "broken"))
		verdict_fault(v, TEND_REASON_PROTOCOL,
			"%s: what follows on certificate %.0f cannot be read", path,
			doc_number(file, "chain", 0));
	if (!c->bundle && json_is_false(json_object_get(file, "joined")))
		verdict_fault(v, TEND_REASON_TLS_UNTRUSTED,
			"%s: the certificates of its chain do not follow on each other", path);
}

void certfile_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct certfile_conf *c = conf;
	double now = doc_number(doc, "now", 0), least = 0;
	const json_t *files = json_object_get(doc, "files"), *file;
	size_t i;

	json_array_foreach (files, i, file) {
		const char *path = doc_text(file, "path");
		double left = (doc_number(file, "not_after", 0) - now) / 86400;

		if (doc_text(file, "error")[0]) {
			judge_unread(path, file, ret_verdict);
			continue;
		}
		judge_time(c, path, file, now, ret_verdict);
		judge_names(path, file, ret_verdict);
		judge_key(c, path, file, ret_verdict);
		if (i == 0 || left < least)
			least = left;
	}
	if (json_array_size(files) == 0)
		verdict_fault(ret_verdict, TEND_REASON_NO_EVIDENCE, "no file was told of");
	verdict_well(ret_verdict, "%zu files, the first expires in %.0f days",
		json_array_size(files), least);
}
