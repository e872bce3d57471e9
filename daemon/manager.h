/* SPDX-License-Identifier: MIT */
/*
 * manager.h: the one struct that holds tendd's parts together, in the order in which they are made.
 * The parts get what they need by their deps; the API and the SNMP feed, which show everything, get
 * this.
 */
#ifndef TEND_MANAGER_H
#define TEND_MANAGER_H

#include <tend/error.h>
#include "alert/alert.h"
#include "conf/conf.h"
#include "incident/incident.h"
#include "loop/loop.h"
#include "net/net.h"
#include "policy/policy.h"
#include "store/store.h"
#include "watch/watch.h"

struct api;
struct agentx;
struct history;
struct keeper;
struct shift;
struct stale;
struct trim;
struct standing;
struct telling;
struct usual;

struct manager {
	struct loop *loop;
	struct conf *conf;
	struct store *store;
	struct net *net;
	struct watch *watch;
	struct history *history;   /* history/history.h: what the metrics were */
	struct usual *usual;	   /* history/usual.h: what the metrics usually are */
	struct standing *standing; /* history/standing.h: how the components stood */
	bool without_history;	   /* nobody will ask: no file */
	struct alert *alert;
	struct incidents *incidents;
	struct telling *telling; /* telling.h: between incidents and alert */
	struct policies *policies;
	struct keeper *keeper; /* calendar/keeper.h: windows open and close */
	struct stale *stale;   /* stale.h: backups that grow too old */
	struct trim *trim;     /* trim.h: memory goes back to the kernel */
	struct api *api;
	struct agentx *agentx; /* snmp/feed.h: tend-agentx and what it is fed */
	struct shift *shift;   /* shift.h; NULL: none */
	const char *config_path;
	const char *plugin_dir; /* NULL: as configured */
	usec_t started, started_wall;
	/* the last reload */
	usec_t reload_wall;
	bool reload_ok;
	bool reload_partial;			  /* it failed on the way: some parts took it */
	char reload_error[TEND_ERROR_TEXT_BYTES]; /* file:line: what, of the first error; "" when
						     fine */
	unsigned reload_n_errors;
};

struct manager_options {
	const char *config_path;
	const char *plugin_dir;
	const char *calendar; /* shift.h: a file; NULL: the machine's time of day */
	bool foreground;
};
int manager_run(const struct manager_options *options); /* tendd's whole life; an exit code */
int manager_reload(struct manager *manager, struct tend_error *err);
/* Makes and connects the parts of a manager that has its loop and configuration (manager_run()
 * does; so does a rehearsal), and ends them. */
int manager_open(struct manager *manager, struct tend_error *err);
void manager_close(struct manager *manager);

#endif
