/* SPDX-License-Identifier: MIT */
/*
 * Acknowledgements: somebody has it. While one holds nobody is reminded and nothing escalates. It
 * ends when it is taken back, at its time, when the incident becomes worse (unless it sticks), and
 * with the incident. All of it is in the incident's row.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "incident/private.h"

enum { COMMENT_BYTES = 512 };

static void drop(struct incident *incident)
{
	free(incident->ack_author);
	free(incident->ack_comment);
	incident->ack_author = incident->ack_comment = NULL;
	incident->ack_wall = incident->ack_until_wall = 0;
	incident->ack_sticky = false;
	incident->unacked_wall = clock_wall();
}

static int set(struct incident *incident, const struct incident_ack *ack, const char *comment)
{
	char *author = strdup(ack->author), *text = strdup(comment);

	if (!author || !text) {
		free(author);
		free(text);
		return -ENOMEM;
	}
	drop(incident);
	incident->ack_author = author;
	incident->ack_comment = text;
	incident->ack_wall = clock_wall();
	incident->ack_until_wall = ack->until_wall;
	incident->ack_sticky = ack->sticky;
	incident->ack_severity = incident->severity;
	return 0;
}

int incident_acknowledge(struct incidents *incidents, struct incident *incident,
	const struct incident_ack *ack, struct tend_error *err)
{
	char text[COMMENT_BYTES], until[CLOCK_TEXT_BYTES];
	struct store_batch *batch = NULL;
	int r;

	if (incident->phase == INCIDENT_CLOSED)
		return tend_error_set(err, -EALREADY, "incident %s is closed", incident->id);
	if (!ack->comment || !*ack->comment)
		return tend_error_set(err, -EINVAL, "an acknowledgement needs a comment");
	if (ack->until_wall && ack->until_wall <= clock_wall())
		return tend_error_set(err, -EINVAL, "it would have ended already");
	str_sanitize(text, sizeof(text), ack->comment, strlen(ack->comment));
	r = store_batch_new(&batch);
	if (r == 0)
		r = set(incident, ack, text);
	if (r < 0) {
		store_batch_free(batch);
		return tend_error_set(err, r, "out of memory");
	}
	incident_line(incident, batch, "acknowledged", "by %s%s%s%s: %s", ack->author,
		ack->sticky ? ", also if it gets worse" : "", ack->until_wall ? ", until " : "",
		ack->until_wall ? clock_format(ack->until_wall, until) : "", text);
	incident_commit(incidents, incident, INCIDENT_ACKNOWLEDGED, batch);
	return 0;
}

int incident_unacknowledge(struct incidents *incidents, struct incident *incident,
	const char *author, const char *comment, struct tend_error *err)
{
	if (incident->phase == INCIDENT_CLOSED)
		return tend_error_set(err, -EALREADY, "incident %s is closed", incident->id);
	if (!incident->ack_author)
		return tend_error_set(
			err, -EALREADY, "nobody has acknowledged incident %s", incident->id);
	drop(incident);
	incident_note(incidents, incident, "unacknowledged", "by %s%s%s", author,
		comment && *comment ? ": " : "", comment ? comment : "");
	return 0;
}

void incident_ack_look(struct incident *incident, struct store_batch *batch)
{
	if (!incident->ack_author || incident->ack_sticky ||
		incident->severity <= incident->ack_severity)
		return;
	incident_line(incident, batch, "unacknowledged",
		"it is %s now: what %s has acknowledged was less severe",
		conf_severity_names[incident->severity], incident->ack_author);
	drop(incident);
}

usec_t incidents_expire_acks(struct incidents *incidents)
{
	usec_t wall = clock_wall(), next = USEC_INFINITY;

	VEC_FOREACH (&incidents->open, struct incident *, incident) {
		if (!incident->ack_author || !incident->ack_until_wall)
			continue;
		if (incident->ack_until_wall > wall) {
			next = MIN(next, incident->ack_until_wall);
			continue;
		}
		drop(incident);
		incident_note(incidents, incident, "unacknowledged", "its time is over");
	}
	return next;
}
