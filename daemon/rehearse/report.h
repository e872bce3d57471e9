/* SPDX-License-Identifier: MIT */
/*
 * rehearse/report.h: results of scenarios for people, machines and JUnit. Pure but for what it
 * writes to; nothing is owned.
 */
#ifndef REHEARSE_REPORT_H
#define REHEARSE_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct results_page {
	FILE *out;
	bool colour, verbose;
	char last_file[512];
};

void report_result(struct results_page *report, const json_t *result);
void report_total(struct results_page *report, const json_t *results);
/* 0 or a negative errno. */
int report_junit(const char *path, const json_t *results);
/* One line for an event: "action unit.restart unit=x on crm/web: done". The caller frees. */
char *report_event(const json_t *event);

#endif
