/* SPDX-License-Identifier: MIT */
/*
 * A body for /v1/checks/NAME/report. Whatever it is: what is taken is a verdict that others may
 * say, with clean text and figures within their bounds, no older than it may be; it is the same
 * when it comes back from the store. What is refused says why. Parser: daemon/watch/report_read.c.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "watch/report_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DAY_USEC ((usec_t)86400 * USEC_PER_SEC)
/* 2026-03-02 00:00 UTC */
#define WALL ((usec_t)1772409600 * USEC_PER_SEC)

static void look(const struct report *report, usec_t ttl)
{
	assert(report->state <= TEND_STATE_UNKNOWN);
	assert(tend_reason_verdict(report->reason) == report->state);
	assert(report->text[0] && strlen(report->text) < sizeof(report->text));
	assert(str_utf8_valid(report->text, strlen(report->text)));
	for (const char *p = report->text; *p; p++)
		assert((unsigned char)*p >= ' ' && *p != 0x7f);
	assert(report->ttl == 0 || (report->ttl >= REPORT_TTL_MIN_USEC && report->ttl <= ttl));
	assert(report->at_wall > 0 && report->at_wall + report->aged == WALL);
	assert(!ttl || report->aged <= (report->ttl ? report->ttl : ttl));
	assert(report->n_metrics <= REPORT_MAX_METRICS);
	for (size_t i = 0; i < report->n_metrics; i++) {
		const struct report_metric *m = &report->metrics[i];

		assert(m->name[0] && memchr(m->name, '\0', sizeof(m->name)));
		assert(strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(m->name));
		assert(isfinite(m->value) && memchr(m->unit, '\0', sizeof(m->unit)));
		for (size_t k = 0; k < i; k++)
			assert(strcmp(report->metrics[k].name, m->name) != 0);
	}
}

static void keep(const struct report *report)
{
	auto_json json_t *doc = report_to_json(report);
	struct report again;

	assert(doc);
	report_from_json(doc, WALL, report->at, &again);
	assert(again.state == report->state && again.reason == report->reason);
	assert(strcmp(again.text, report->text) == 0);
	assert(again.ttl == report->ttl && again.at_wall == report->at_wall);
	assert(report_age(&again, report->at) == report_age(report, report->at));
	assert(again.n_metrics == report->n_metrics);
	for (size_t i = 0; i < report->n_metrics; i++) {
		assert(strcmp(again.metrics[i].name, report->metrics[i].name) == 0);
		assert(strcmp(again.metrics[i].unit, report->metrics[i].unit) == 0);
		assert(again.metrics[i].value == report->metrics[i].value);
	}
}

/* What the store holds may be of another version, or broken. */
static void read_kept(const char *text, size_t len)
{
	auto_json json_t *doc = json_loadb(text, len, 0, NULL);
	struct report report;

	report_from_json(doc, WALL, DAY_USEC, &report);
	assert(report.n_metrics <= REPORT_MAX_METRICS);
	assert(report.state == TEND_STATE_PENDING ||
		memchr(report.text, '\0', sizeof(report.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const usec_t ttls[] = {26 * DAY_USEC / 24, 0};
	const char *body = (const char *)data;

	for (size_t i = 0; i < ARRAY_SIZE(ttls); i++) {
		const struct report_frame frame = {.ttl = ttls[i], .wall = WALL, .now = DAY_USEC};
		struct tend_error err = {0};
		struct report report;
		bool observed;

		if (report_read(body, size, &frame, &err, &report, &observed) < 0) {
			assert(err.text[0]);
			continue;
		}
		look(&report, ttls[i]);
		keep(&report);
	}
	read_kept(body, size);
	return 0;
}
