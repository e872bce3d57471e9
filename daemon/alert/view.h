/* SPDX-License-Identifier: MIT */
/*
 * alert/view.h: what a webhook format, a mail or a program gets to see of one or several notices:
 * one JSON object with everything localised, described in lua/formats/README.md. Pure: notices and
 * times in, JSON out, which the caller owns. Bounded: what does not fit is left out and counted in
 * n_more. Fails only for want of memory.
 */
#ifndef ALERT_VIEW_H
#define ALERT_VIEW_H

#include "alert/alert.h"

enum {
	VIEW_TITLE_BYTES = 200,
	VIEW_LINES = 20,	/* notices that the text lists one by one */
	VIEW_BYTES = 512 << 10, /* of the alerts; beyond it details go first, then the alerts */
};

struct view_entry { /* a notice as one receiver gets it; all borrowed */
	const struct notice *notice;
	uint64_t sequence;
	json_t *merged; /* [{"id","sequence","kind","time"}]: what it stands for as well; NULL */
};

struct view_source {
	const char *id; /* of what is sent: the notice's own, or of the group */
	const char *receiver;
	const char *via; /* the receiver this one stands in for; NULL */
	const char *host, *epoch;
	enum conf_language language;
	bool undurable;
	usec_t wall;			  /* now */
	int64_t late_seconds;		  /* of the oldest; 0 under a minute */
	const char *group_key;		  /* "" or NULL: none */
	json_t *group_labels;		  /* NULL: none */
	const struct view_entry *entries; /* in order of sequence, at least one */
	size_t n_entries;
};
int view_compose(const struct view_source *source, json_t **ret_view);

struct shipment;
struct try_context;
/* What is about to be tried; the caller frees the entries. */
int view_source_of(const struct try_context *context, const struct shipment *s,
	struct view_entry **ret_entries, struct view_source *ret_source);
/* Its view. */
int view_of_shipment(
	const struct try_context *context, const struct shipment *s, json_t **ret_view);

enum view_status { VIEW_FIRING, VIEW_RESOLVED, VIEW_EVENT, VIEW_STATUS_MAX };
extern const char *const view_status_names[VIEW_STATUS_MAX];
enum view_status view_status_of(enum notice_kind kind);

#endif
