/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include "file.h"

/* Clocks of file servers are not quite ours. */
enum { MAX_AHEAD_SEC = 300 };

static const char *const type_names[] = {"", "file", "folder", "socket"};

bool file_wants_checksum(const struct file_conf *conf)
{
	return conf->checksum != NULL;
}

static void judge_stat(const struct file_conf *c, const json_t *doc, struct verdict *v)
{
	const char *type = doc_text(doc, "type"), *mode = doc_text(doc, "mode");

	if (c->type != FILE_ANY && strcmp(type, type_names[c->type]) != 0)
		verdict_fault(v, TEND_REASON_FILE_CHANGED, "%s is a %s, not a %s", c->path, type,
			type_names[c->type]);
	if (c->owner && strcmp(c->owner, doc_text(doc, "owner")) != 0)
		verdict_fault(v, TEND_REASON_FILE_CHANGED, "%s belongs to %s, not to %s", c->path,
			doc_text(doc, "owner"), c->owner);
	if (c->group && strcmp(c->group, doc_text(doc, "group")) != 0)
		verdict_fault(v, TEND_REASON_FILE_CHANGED, "%s is of the group %s, not of %s",
			c->path, doc_text(doc, "group"), c->group);
	if (c->mode && strtol(mode, NULL, 8) != strtol(c->mode, NULL, 8))
		verdict_fault(v, TEND_REASON_FILE_CHANGED, "%s has mode %s, not %s", c->path, mode,
			c->mode);
	if (c->mode_max && (strtol(mode, NULL, 8) & ~strtol(c->mode_max, NULL, 8)))
		verdict_fault(v, TEND_REASON_FILE_CHANGED,
			"%s has mode %s, which allows more than %s", c->path, mode, c->mode_max);
}

static void judge_age(const char *what, double mtime, double now, usec_t max, struct verdict *v)
{
	char age[32], limit[32];

	if (max > 0 && mtime - now > MAX_AHEAD_SEC)
		verdict_fault(v, TEND_REASON_STALE, "%s is dated %s ahead, its age is unknown",
			what, span_text(mtime - now, age));
	if (max > 0 && now - mtime > (double)max / 1e6)
		verdict_fault(v, TEND_REASON_STALE, "%s was written %s ago, more than %s", what,
			span_text(now - mtime, age), span_text((double)max / 1e6, limit));
}

static void judge_checksum(
	const struct file_conf *c, const json_t *doc, const json_t *memory, struct verdict *v)
{
	const char *sum = doc_text(doc, "sha256"), *known = doc_text(memory, "sha256");

	if (!c->checksum)
		return;
	if (!sum[0]) {
		verdict_fault(v, TEND_REASON_FILE_CHANGED, "%s is a %s, which has no checksum",
			c->path, doc_text(doc, "type"));
		return;
	}
	if (strcmp(c->checksum, "remember") != 0)
		known = c->checksum;
	if (known[0] && strcasecmp(sum, known) != 0)
		verdict_fault(v, TEND_REASON_FILE_CHANGED,
			"the content of %s has changed: SHA-256 is %.16s..., not %.16s...", c->path,
			sum, known);
	/* What was first seen stays what is right, until the options of the check change. */
	(void)json_object_set_new(v->memory, "sha256", json_string(known[0] ? known : sum));
}

static void judge_inside(const struct file_conf *c, const json_t *doc, const json_t *inside,
	const json_t *memory, struct verdict *v)
{
	double files = doc_number(inside, "files", 0), most = doc_number(memory, "most", files);
	double now = doc_number(doc, "now", 0);

	verdict_metric(v, "files", NULL, files, "");
	verdict_metric(v, "folders", NULL, doc_number(inside, "folders", 0), "");
	verdict_metric(v, "bytes", NULL, doc_number(inside, "bytes", 0), "B");
	if (files > 0) {
		double newest = doc_number(inside, "newest", now);

		verdict_metric(v, "newest_age", NULL, now - newest, "s");
		verdict_metric(v, "oldest_age", NULL, now - doc_number(inside, "oldest", now), "s");
		judge_age("the newest file in it", newest, now, c->max_age_inside, v);
	} else if (c->max_age_inside > 0) {
		verdict_fault(v, TEND_REASON_STALE, "%s has no file", c->path);
	}
	if (doc_number(inside, "unreadable", 0) > 0)
		verdict_fault(v, TEND_REASON_ACCESS_DENIED, "%.0f folders in %s cannot be read",
			doc_number(inside, "unreadable", 0), c->path);
	if (doc_flag(inside, "cut"))
		verdict_fault(
			v, TEND_REASON_NO_EVIDENCE, "%s holds more than was counted", c->path);
	if (files < (double)c->min_files)
		verdict_fault(v, TEND_REASON_FILE_MISSING, "%s has %.0f files, %lld are needed",
			c->path, files, (long long)c->min_files);
	else if (c->drop_pct > 0 && files < most * (1 - (double)c->drop_pct / 100))
		verdict_fault(v, TEND_REASON_FILE_MISSING, "%s has %.0f files, it had %.0f",
			c->path, files, most);
	(void)json_object_set_new(v->memory, "most", json_real(files > most ? files : most));
}

static void judge_there(
	const struct file_conf *c, const json_t *doc, const json_t *memory, struct verdict *v)
{
	double now = doc_number(doc, "now", 0), mtime = doc_number(doc, "mtime", now);
	const json_t *inside = json_object_get(doc, "inside");
	char size[32], age[32];

	verdict_metric(v, "age", NULL, now - mtime, "s");
	verdict_metric(v, "size", NULL, doc_number(doc, "size", 0), "B");
	judge_stat(c, doc, v);
	judge_age(c->path, mtime, now, c->max_age, v);
	judge_checksum(c, doc, memory, v);
	if (inside)
		judge_inside(c, doc, inside, memory, v);
	else if (c->min_files > 0 || c->drop_pct > 0 || c->max_age_inside > 0)
		verdict_fault(v, TEND_REASON_FILE_CHANGED, "%s is a %s, no folder", c->path,
			doc_text(doc, "type"));
	(void)span_text(now - mtime, age);
	if (inside)
		verdict_well(v, "%s has %.0f files, %s", c->path, doc_number(inside, "files", 0),
			size_text(doc_number(inside, "bytes", 0), size));
	else
		verdict_well(v, "%s: %s, written %s ago", c->path,
			size_text(doc_number(doc, "size", 0), size), age);
}

void file_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct file_conf *c = conf;
	bool exists = doc_flag(doc, "exists");

	ret_verdict->memory = memory ? json_copy((json_t *)(uintptr_t)memory) : json_object();
	if (c->absent && exists)
		verdict_fault(ret_verdict, TEND_REASON_UNDECLARED, "%s is there, and must not be",
			c->path);
	else if (c->absent)
		verdict_well(ret_verdict, "%s is not there, as it should be", c->path);
	else if (!exists)
		verdict_fault(ret_verdict, TEND_REASON_FILE_MISSING, "%s does not exist", c->path);
	else
		judge_there(c, doc, memory, ret_verdict);
}
