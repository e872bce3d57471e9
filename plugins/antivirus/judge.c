/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "antivirus.h"

static void judge_daemon(const struct antivirus_conf *c, const json_t *doc, struct verdict *v)
{
	const json_t *daemon = json_object_get(doc, "daemon");
	const char *error = doc_text(daemon, "error"), *version = doc_text(daemon, "version"),
		   *test = doc_text(daemon, "test");
	size_t n = strlen(test);

	if (strcmp(error, "refused") == 0)
		verdict_fault(v, TEND_REASON_CONNECT_REFUSED, "clamd does not run: %s",
			doc_text(daemon, "message"));
	else if (strcmp(error, "timeout") == 0)
		verdict_fault(v, TEND_REASON_TOO_SLOW, "clamd does not answer");
	else if (strcmp(error, "denied") == 0)
		verdict_fault(v, TEND_REASON_ACCESS_DENIED, "clamd's socket may not be opened");
	else if (error[0])
		verdict_fault(v, TEND_REASON_CONNECT_FAILED, "clamd cannot be asked: %s",
			doc_text(daemon, "message"));
	else if (strncmp(version, "ClamAV ", 7) != 0)
		verdict_fault(v, TEND_REASON_PROTOCOL, "this is not clamd: '%.60s'", version);
	else if (c->test && (n < 6 || strcmp(test + n - 6, " FOUND") != 0))
		verdict_fault(v, TEND_REASON_CONTENT_UNEXPECTED,
			"clamd does not find the test file: '%.60s'", test);
}

static void judge_signatures(const struct antivirus_conf *c, const json_t *doc, struct verdict *v)
{
	const json_t *files = json_object_get(doc, "files"), *file;
	double now = doc_number(doc, "now", 0), newest = 0, n = 0;
	const char *name = "";
	char age[32], limit[32];
	size_t i;

	json_array_foreach (files, i, file) {
		double built = doc_number(file, "built", 0);

		n += doc_number(file, "signatures", 0);
		if (built > newest) {
			newest = built;
			name = doc_text(file, "name");
		}
	}
	if (json_array_size(files) == 0) {
		verdict_fault(
			v, TEND_REASON_FILE_MISSING, "there are no signatures in %s", c->folder);
		return;
	}
	verdict_metric(v, "signatures_age", NULL, now - newest, "s");
	verdict_metric(v, "signatures", NULL, n, "");
	if (now - newest > (double)c->max_age / 1e6)
		verdict_fault(v, TEND_REASON_STALE,
			"the newest signatures (%s) are of %s ago, more than %s", name,
			span_text(now - newest, age), span_text((double)c->max_age / 1e6, limit));
	verdict_well(v, "%.60s%ssignatures of %s ago",
		doc_text(json_object_get(doc, "daemon"), "version"), c->daemon ? ", " : "",
		span_text(now - newest, age));
}

void antivirus_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct antivirus_conf *c = conf;

	if (c->daemon)
		judge_daemon(c, doc, ret_verdict);
	judge_signatures(c, doc, ret_verdict);
}
