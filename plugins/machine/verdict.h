/* SPDX-License-Identifier: MIT */
/*
 * machine/verdict.h: what the probes of a machine share: a question to tend-look, and the judgement
 * of its answer as plain data, so that judging is pure: (options, document, memory) -> verdict.
 * Compiled into each of these plugins. The document is foreign: whoever reads it takes what is
 * missing or of the wrong type as not told.
 */
#ifndef MACHINE_VERDICT_H
#define MACHINE_VERDICT_H

#include <jansson.h>
#include <tend/plugin.h>

struct verdict_metric {
	char name[32], instance[64];
	double value;
	const char *unit;
};

struct verdict {
	enum tend_reason reason;
	char text[512];
	size_t n_faults;
	struct verdict_metric metrics[TEND_SAMPLES_MAX];
	size_t n_metrics;
	json_t *memory; /* to be remembered; NULL: nothing */
};

/* One more fault. The worst gives the reason, the earlier of two that are equally bad; all are in
 * the text. */
__attribute__((format(printf, 3, 4))) void verdict_fault(
	struct verdict *v, enum tend_reason reason, const char *format, ...);
/* What is said when there was no fault. */
__attribute__((format(printf, 2, 3))) void verdict_well(struct verdict *v, const char *format, ...);
/* `instance` NULL or "": none. */
void verdict_metric(
	struct verdict *v, const char *name, const char *instance, double value, const char *unit);
const struct verdict_metric *verdict_find(
	const struct verdict *v, const char *name, const char *instance);
void verdict_clear(struct verdict *v); /* frees the memory */

typedef void (*verdict_fn)(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);
struct machine_probe {
	const char *kind;	  /* of tend-look */
	const char *what;	  /* for texts: "the machine" */
	enum tend_reason missing; /* of what is not there */
	verdict_fn judge;
};
/* Asks, judges, finishes the attempt. Steals `args`. */
int machine_start(
	struct tend_attempt *a, const void *conf, const struct machine_probe *probe, json_t *args);

/* For metrics(): the names of the table. */
size_t machine_metric_names(
	const struct tend_metric_doc *docs, const char *ret_names[TEND_METRICS_MAX]);

/* Rows of reason_docs that all of them have. */
#define MACHINE_REASONS                                                                            \
	{TEND_REASON_NO_EVIDENCE, "tend-spawn or the other host cannot be asked"},                 \
		{TEND_REASON_PROGRAM_FAILED, "there is no tend-look, or of another version"},      \
	{                                                                                          \
		TEND_REASON_SPAWN_LOST, "tend-spawn ended meanwhile"                               \
	}

/* ---- of a document ---- */
const char *doc_text(const json_t *doc, const char *key);		 /* "" */
double doc_number(const json_t *doc, const char *key, double otherwise); /* also of integers */
bool doc_flag(const json_t *doc, const char *key);
/* Texts of a list of options; a new array, empty for NULL. */
json_t *doc_list(char *const *list);
bool list_matches(char *const *globs, const char *text); /* fnmatch(3); NULL: none */
/* "3d 4h", "12 min", "8 s": for texts. */
const char *span_text(double seconds, char buf[32]);
/* "1.5 GiB" */
const char *size_text(double bytes, char buf[32]);

#endif
