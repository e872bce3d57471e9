/* SPDX-License-Identifier: MIT */
/*
 * Where open incidents are: by the component of their root, and in the list of all. There may be
 * more than one at a component (after a reload, or a move): they hang on the oldest, whom the map
 * has. When thousands end at once each pays for itself only.
 */
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "incident/private.h"

struct incident *incidents_at(const struct incidents *incidents, const char *component)
{
	return map_get(&incidents->by_component, component);
}

/* One that was moved to another root keeps the fingerprint of its first, and that check may fail
 * anew meanwhile: the end of the one would resolve the other wherever alarms are told apart by it.
 */
char *incident_new_fingerprint(const struct incidents *incidents, const char *check)
{
	char *fingerprint = strdup(check);

	for (unsigned n = 2; fingerprint && map_get(&incidents->by_fingerprint, fingerprint); n++) {
		free(fingerprint);
		fingerprint = str_printf("%s#%u", check, n);
	}
	return fingerprint;
}

void incident_enter(struct incidents *incidents, struct incident *incident)
{
	struct incident *oldest = incidents_at(incidents, incident->component), *at = oldest;

	if (!map_get(&incidents->by_fingerprint, incident->fingerprint) &&
		map_put(&incidents->by_fingerprint, incident->fingerprint, incident) < 0)
		log_error("incident %s: out of memory: another one may get its fingerprint",
			incident->id);
	incident->next_there = NULL;
	if (!oldest || oldest->snmp_index > incident->snmp_index) {
		if (map_put(&incidents->by_component, incident->component, incident) < 0)
			log_error("incident %s: out of memory: what fails there too may open "
				  "another one",
				incident->id);
		else
			incident->next_there = oldest;
		return;
	}
	while (at->next_there && at->next_there->snmp_index < incident->snmp_index)
		at = at->next_there;
	incident->next_there = at->next_there;
	at->next_there = incident;
}

void incident_leave(struct incidents *incidents, struct incident *incident)
{
	struct incident *oldest = incidents_at(incidents, incident->component);

	if (map_get(&incidents->by_fingerprint, incident->fingerprint) == incident)
		(void)map_remove(&incidents->by_fingerprint, incident->fingerprint);
	for (struct incident *at = oldest; at && oldest != incident; at = at->next_there)
		if (at->next_there == incident) {
			at->next_there = incident->next_there;
			break;
		}
	if (oldest == incident &&
		(!incident->next_there || map_put(&incidents->by_component, incident->component,
						  incident->next_there) < 0))
		(void)map_remove(&incidents->by_component, incident->component);
	incident->next_there = NULL;
}

size_t incidents_after(const struct incidents *incidents, uint32_t snmp_index)
{
	const struct vec *open = &incidents->open;
	size_t low = 0, high = open->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct incident *incident = open->items[middle];

		if (incident->snmp_index > snmp_index)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}
