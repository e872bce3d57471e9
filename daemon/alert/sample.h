/* SPDX-License-Identifier: MIT */
/*
 * alert/sample.h: made-up notices to try a format with, the same every time. Pure; the view is the
 * caller's. -ENOENT: no sample of this name.
 */
#ifndef ALERT_SAMPLE_H
#define ALERT_SAMPLE_H

#include "alert/alert.h"

/* NULL-terminated: raised, changed, cleared, ... */
extern const char *const sample_names[];
const char *sample_doc(size_t i);

struct sample_options {
	const char *name;     /* of the sample */
	const char *receiver; /* NULL: "sample" */
	enum conf_language language;
	usec_t wall; /* when it happens; 0: a fixed day */
};
int sample_view(const struct sample_options *options, json_t **ret_view);

#endif
