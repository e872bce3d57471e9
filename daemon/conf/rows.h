/* SPDX-License-Identifier: MIT */
/*
 * conf/rows.h: the rows of every kind of section. They drive parsing, defaults, dump, comparison
 * and the manual page; a key of tendd's configuration that is not here is a probe's. Constant data.
 */
#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#include <tend/option.h>

extern const struct tend_option conf_daemon_rows[];
extern const struct tend_option conf_system_rows[];
extern const struct tend_option conf_component_rows[];
extern const struct tend_option conf_host_rows[];
extern const struct tend_option conf_database_rows[]; /* the others are the service's */
extern const struct tend_option conf_check_rows[];    /* the others are the probe's */
extern const struct tend_option conf_receiver_rows[];
extern const struct tend_option conf_route_rows[];
extern const struct tend_option conf_policy_rows[];
extern const struct tend_option conf_window_rows[];
extern const struct tend_option conf_freeze_rows[];
extern const struct tend_option conf_rota_rows[];
extern const struct tend_option conf_inhibit_rows[];
extern const struct tend_option conf_source_rows[];

/* The kinds of sections, in the order of the manual and of the dump. Ended by kind NULL. */
struct conf_kind {
	const char *kind;
	const char *name_form; /* what stands after the kind, NULL = nothing */
	unsigned n_parts;      /* of the name, separated by '/' */
	const struct tend_option *rows;
	const char *help;
};
extern const struct conf_kind conf_kinds[];

#endif
