/* SPDX-License-Identifier: MIT */
/*
 * conf/conf.h: the configuration, as typed tables. conf_load() reads FILE and the *.conf files of
 * the folder conf.d beside it, checks everything (every error with file:line) and gives an
 * immutable, reference-counted struct conf. Blocks on small files. Objects point at each other;
 * they live as long as the conf does (conf_ref/conf_unref; an attempt holds one).
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <jansson.h>
#include <tend/error.h>
#include <tend/option.h>
#include <tend/plugin.h>
#include <tend/reason.h>
#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "calendar/cron.h"
#include "conf/errors.h"

enum conf_severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_MAX };
enum conf_mode { MODE_OBSERVE, MODE_SUGGEST, MODE_APPROVE, MODE_AUTO, MODE_MAX };
enum conf_environment {
	ENVIRONMENT_PRODUCTION,
	ENVIRONMENT_PILOT,
	ENVIRONMENT_STAGING,
	ENVIRONMENT_MAX
};
extern const char *const conf_severity_names[SEVERITY_MAX + 1];
extern const char *const conf_mode_names[MODE_MAX + 1];
extern const char *const conf_environment_names[ENVIRONMENT_MAX + 1];
enum conf_window_checks { WINDOW_CHECKS_RUN, WINDOW_CHECKS_PAUSE, WINDOW_CHECKS_MAX };
enum conf_window_alerts { WINDOW_ALERTS_TELL, WINDOW_ALERTS_QUIET, WINDOW_ALERTS_MAX };
enum conf_window_actions { WINDOW_ACTIONS_NORMAL, WINDOW_ACTIONS_ALLOW, WINDOW_ACTIONS_MAX };
enum conf_policy_window { POLICY_WINDOW_IGNORED, POLICY_WINDOW_REQUIRED, POLICY_WINDOW_MAX };
extern const char *const conf_policy_window_names[];  /* ignored required */
extern const char *const conf_window_checks_names[];  /* run pause */
extern const char *const conf_window_alerts_names[];  /* tell quiet */
extern const char *const conf_window_actions_names[]; /* normal allow */
extern const char *const conf_log_level_names[];      /* error warning notice info debug */
extern const char *const conf_receiver_type_names[];  /* webhook snmp */
extern const char *const conf_snmp_version_names[];   /* 3 2c */
extern const char *const conf_auth_protocol_names[];  /* SHA-256 ..., as net-snmp spells them */
extern const char *const conf_priv_protocol_names[];  /* AES */

/* Where an object stands in the files; for errors found later. */
struct conf_where {
	const char *file; /* lives as long as the conf */
	unsigned line;
};

struct conf_daemon {
	char *state_dir;			  /* /var/lib/tend */
	char *run_dir;				  /* /run/tend */
	char *socket;				  /* RUN_DIR/tend.sock when NULL */
	char *plugin_dir, *libexec_dir, *lua_dir; /* lua_dir has tend/ and policies/ */
	char **policy_dirs;			  /* further folders of *.lua */
	char *exec_socket;			  /* /run/tend-exec/exec.sock */
	char *fence_lock;	/* the lock whose holder may act; NULL = there is one tendd only */
	char *fence_token_file; /* has its token while it is ours */
	char *spawn_socket;	/* /run/tend-spawn/spawn.sock */
	char *http_listen;	/* loopback ADDRESS:PORT for /metrics and the API; NULL = off */
	char *http_token;	/* secret: bearer token of loopback HTTP; without one only /metrics,
				   /healthz */
	char **admins, **operators, **viewers; /* users, or @groups; root is admin */
	int log_level;			       /* ENUM error..debug: a syslog level via table */
	bool actions;			       /* the switch that stops all actions; default yes */
	int mode[ENVIRONMENT_MAX];  /* mode.production etc.; default suggest, auto, auto -> see
				       tend.conf(5) */
	int64_t budget_per_target;  /* actions an hour, default 3 */
	int64_t budget_global;	    /* actions an hour, default 20 */
	int64_t budget_maintenance; /* of all policies with an account of their own, default 200 */
	int64_t budget_per_group;   /* on a dependency group; 0 = three times budget_per_target */
	usec_t cooldown, cooldown_stable;
	int64_t common_cause_share, common_cause_min; /* percent and number of a group */
	usec_t common_cause_within, worse_within;
	usec_t approval_expires;
	char **approvers; /* users, or @groups; NULL = operators and admins */
	bool hold_on_dpkg;
	char **hold_on_login; /* users, or @groups; NULL = no */
	char *agentx_socket;  /* AgentX master, e.g. unix path or tcp:...; NULL = tend-agentx off */
	usec_t agentx_ping;   /* default 5s */
	usec_t keep_notices, keep_history, keep_records; /* how long the store keeps what is over */
	int64_t keep_records_max;			 /* of a kind in one scope */
};
int conf_log_level(const struct conf_daemon *daemon); /* as syslog counts: LOG_ERR .. LOG_DEBUG */

struct conf_system {
	struct conf_where where;
	char *name;
	int environment;
	char *doc;
	char *owner;
	struct vec components; /* struct conf_component * */
};

struct conf_component {
	struct conf_where where;
	char *name; /* "system/component" */
	char *short_name;
	struct conf_system *system;
	int kind; /* index into conf_component_kinds */
	char *doc;
	char *unit;		/* systemd unit that runs it; NULL */
	char *host_name;	/* as written; NULL = this host */
	struct conf_host *host; /* [host NAME] or NULL */
	char **depends;	     /* as written: "system/component" or "component" of the same system */
	struct vec parents;  /* struct conf_component *, resolved */
	struct vec children; /* struct conf_component * */
	struct vec checks;   /* struct conf_check * */
	struct conf_database *database; /* [database NAME] or NULL */
};
extern const char *const
	conf_component_kinds[]; /* web app scheduler database cache mail storage integration host */

struct conf_threshold { /* of one metric; Nagios ranges */
	char *metric;
	char *warning, *critical; /* as written, NULL = none */
};

struct conf_check {
	struct conf_where where;
	char *name; /* "system/component/check" */
	char *short_name;
	struct conf_component *component;
	char *doc;
	usec_t interval, timeout, retry_interval; /* retry: while soft; 0 = interval */
	char *confirm;				  /* as written */
	int64_t confirm_failures, confirm_window; /* `confirm = 2 of 3` -> 2, 3: N of M */
	int64_t confirm_recoveries;		  /* good results in a row to recover; default 1 */
	int severity;				  /* -1 = from the state */
	bool notify;				  /* default yes */
	char **thresholds_warning, **thresholds_critical; /* MAP "metric=range" */
	char *probe_name;
	const struct tend_probe *probe;
	void *probe_conf; /* probe->conf_size bytes */
};

struct conf_host { /* [host NAME]: another host, whose tend-exec is reached by ssh */
	struct conf_where where;
	char *name;
	char *address, *user, *identity_file, *known_hosts;
	char *spawn_identity_file; /* for its tend-spawn; NULL: no exec checks there */
	int64_t port;
};

struct conf_database { /* how policies reach a component's database: [database system/component] */
	struct conf_where where;
	char *name; /* of the component */
	struct conf_component *component;
	char *service_name;
	const struct tend_probe *service; /* `service = postgres`: its call() serves sql.* verbs */
	void *query_conf; /* the service's options as given: the role that only reads */
	void *admin_conf; /* the same with admin.KEY overriding KEY; NULL when no admin.* is given
			   */
};

enum conf_receiver_type { RECEIVER_WEBHOOK, RECEIVER_SNMP, RECEIVER_TYPE_MAX };
enum conf_snmp_version {
	CONF_SNMP_3,
	CONF_SNMP_2C,
	CONF_SNMP_MAX
}; /* index into the names above */
struct conf_receiver {
	struct conf_where where;
	char *name;
	int type;
	int min_severity;
	usec_t timeout, retry_min, retry_max,
		ttl;		 /* ttl: a notice older than it is given up, told */
	int64_t rate_per_minute; /* token bucket; 0 = no limit */
	char *fallback;		 /* a receiver's name; NULL */
	/* webhook */
	char *url;
	char *secret, *secret_old; /* SECRET */
	char *ca_file;
	/* snmp */
	char *host;	  /* ADDRESS:PORT, default port 162 */
	int snmp_version; /* enum conf_snmp_version; -1 (as the protocols) when not snmp */
	char *user, *auth_password, *priv_password,
		*community;		  /* passwords and community: SECRET */
	int auth_protocol, priv_protocol; /* indices into the names above */
};

struct conf_route { /* the first whose patterns match wins unless `continue` */
	struct conf_where where;
	char *name;
	char **match_component; /* globs over "system/component"; NULL = all */
	int min_severity;
	char **receivers;
	bool go_on; /* key `continue` */
};

struct conf_policy { /* [policy NAME]: settings for lua/policies/NAME.lua */
	struct conf_where where;
	char *name;
	bool enabled;
	int mode;	      /* -1 = by environment */
	char **params;	      /* MAP param.KEY = value */
	int64_t budget;	      /* actions an hour on one target; 0 = daemon's */
	int64_t budget_total; /* actions an hour on all targets; 0 = only the daemon's limits it */
	char **approvers;     /* users, or @groups; NULL = daemon's */
	bool destroy_unattended;   /* in mode auto, destroy verbs in production need nobody */
	char **match_component;	   /* narrows the policy's own triggers; NULL = all */
	int window;		   /* enum conf_policy_window; -1 = as the policy declares */
	char *schedule, *timezone; /* instead of what it declares; NULL */
};

struct conf_window { /* [window NAME], and [freeze NAME]; calendar/window.h says what they mean */
	struct conf_where where;
	char *name;
	bool freeze;
	char *doc;
	char *cron_text;   /* repeats; NULL: once, or for ever */
	char *start, *end; /* as written; of one that comes once */
	char *timezone;	   /* of cron, start and end, and in which times are shown */
	usec_t duration;   /* 0 = until `end` */
	char **match_component, **match_environment; /* globs; NULL = all */
	char **policies;	     /* globs: whose actions it is about; NULL = all */
	char **except;		     /* freeze: globs of policies that may act nevertheless */
	int checks, alerts, actions; /* of a window: enum conf_window_* */
	struct zone *zone;
	struct cron cron;
	usec_t start_wall, end_wall; /* without cron; end_wall: USEC_INFINITY = open-ended */
};

struct conf {
	unsigned n_refs;
	char *path;
	usec_t loaded_wall;
	struct conf_daemon daemon;
	struct map systems, components, checks, databases, receivers, policies; /* by name */
	struct map hosts;	     /* struct conf_host *, by name */
	struct map windows, freezes; /* struct conf_window *, by name */
	struct vec routes;	     /* in order */
	struct vec files;	     /* char *: every file that was read, in order */
};

/* Plugins are loaded by the caller-given folder in [daemon] plugin_dir, or `plugin_dir` if not NULL
 * (the build tree). 0, or -EINVAL with `errors` filled. */
int conf_load(const char *path, const char *plugin_dir, struct conf_errors *errors,
	struct conf **ret_conf);
struct conf *conf_ref(struct conf *conf);
struct conf *conf_unref(struct conf *conf); /* NULL is fine */
DEFINE_AUTO(struct conf *, conf_unref)

/* The whole configuration with every default, secrets as "***"; as ini text, or JSON. */
int conf_dump(const struct conf *conf, struct str *out);
json_t *conf_to_json(const struct conf *conf);

/* Is the check the same in both, so that its state and attempts can be kept? Compares every option.
 */
bool conf_check_same(const struct conf_check *a, const struct conf_check *b);

/* The rows of every kind of section, for the manual page; see conf/rows.h. Sections of other
 * programs (the executor's manifest) are read by conf/section.h. */

/* Plain parsers, also used by tests and other folders. */
int conf_parse_span(
	const char *text, usec_t *ret_usec); /* "500ms", "1h30m", "0"; -EINVAL, -ERANGE */
int conf_parse_bytes(const char *text, uint64_t *ret_bytes); /* "64K": 65536; -EINVAL, -ERANGE */
int conf_parse_confirm(const char *text, int64_t *ret_failures, int64_t *ret_window); /* "2 of 3" */

/* "Nagios plugin development guidelines": [@]start:end. */
struct range {
	double start, end;
	bool inside; /* '@': alerts inside */
};
int range_parse(const char *text, struct range *ret_range); /* -EINVAL */
bool range_alerts(const struct range *r, double value);	    /* a NaN always alerts */

#endif
