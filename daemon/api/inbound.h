/* SPDX-License-Identifier: MIT */
/*
 * api/inbound.h: what other systems post to /v1/events, as events of ours: webhooks of an
 * Alertmanager (version 4) and CloudEvents 1.0 (structured, one or a batch). Pure: bytes and
 * configuration in, a bounded list out, with the component each is about. inbound_clear() frees.
 */
#ifndef API_INBOUND_H
#define API_INBOUND_H

#include "conf/conf.h"
#include "watch/event.h"

enum { INBOUND_MAX = 1000, INBOUND_MAX_LABELS = 64, INBOUND_LABEL_BYTES = 1024 };

struct inbound_event {
	char fingerprint[EVENT_FINGERPRINT_BYTES];
	enum tend_state state; /* ok: it is over */
	bool ignored; /* by its severity: what stands of it is over (state is ok), and that is all
		       */
	bool refused; /* it is none that is understood: `text` says why */
	const struct conf_component *component; /* NULL: the source does not say whose it is */
	json_t *labels;				/* all that rules can look at */
	json_t *told; /* those that notices have, within the bounds of watch/event.h */
	size_t told_bytes;
	char text[RESULT_TEXT_BYTES];
};

struct inbound {
	struct inbound_event *events;
	size_t n;
};

/* -EINVAL with what is wrong with all of it: of several the others are taken; -E2BIG. */
int inbound_parse(const struct conf *conf, const struct conf_source *source, const char *body,
	size_t len, struct tend_error *err, struct inbound *ret_inbound);
void inbound_clear(struct inbound *inbound);
/* What would give it a component, for whoever set up the source. */
char *inbound_advice(const struct conf_source *source, const struct inbound_event *event);

#endif
