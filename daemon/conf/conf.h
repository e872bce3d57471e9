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
#include "alert/match.h"
#include "alert/rota.h"
#include "alert/times.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "calendar/cron.h"
#include "conf/errors.h"

enum conf_severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_MAX };
enum conf_sign { /* how a webhook's requests are signed; alert/sign.h */
	SIGN_NONE,
	SIGN_STANDARD,
	SIGN_BEARER,
	SIGN_DINGTALK,
	SIGN_FEISHU,
	SIGN_HMAC_SHA256,
	SIGN_MAX
};
enum conf_language { LANGUAGE_EN, LANGUAGE_ZH, LANGUAGE_MAX };
enum conf_mode { MODE_OBSERVE, MODE_SUGGEST, MODE_APPROVE, MODE_AUTO, MODE_MAX };
enum conf_environment {
	ENVIRONMENT_PRODUCTION,
	ENVIRONMENT_PILOT,
	ENVIRONMENT_STAGING,
	ENVIRONMENT_MAX
};
extern const char *const conf_severity_names[SEVERITY_MAX + 1];
extern const char *const conf_language_names[LANGUAGE_MAX + 1];
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
extern const char *const conf_sign_names[SIGN_MAX + 1];
extern const char *const conf_receiver_type_names[]; /* webhook snmp smtp exec */
extern const char *const conf_tls_names[];	     /* starttls implicit none */
extern const char *const conf_snmp_version_names[];  /* 3 2c 1 */
extern const char *const conf_snmp_notify_names[];   /* inform trap */
extern const char *const conf_auth_protocol_names[]; /* SHA-256 ..., as net-snmp spells them */
extern const char *const conf_priv_protocol_names[]; /* AES ... */

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
	int64_t work_slots;	/* tend-work processes at work at a time */
	char *http_listen;	/* loopback ADDRESS:PORT for /metrics and the API; NULL = off */
	char *http_token;	/* secret: bearer token of loopback HTTP; without one only /metrics,
				   /healthz */
	char **allow_addresses; /* nets that webhooks may go to whatever the name; NULL */
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
	int64_t agentx_log_rows; /* of tendLogTable for one receiver; 0 = none */
	usec_t agentx_log_age;
	int64_t inbound_rate_per_minute; /* of one source, or one heartbeat token */
	usec_t feedback_ttl; /* a user's report is over when no other comes for so long */
	usec_t keep_notices, keep_history, keep_records; /* how long the store keeps what is over */
	usec_t keep_minutes, keep_hours;		 /* of the history of metrics */
	int64_t keep_records_max;			 /* of a kind in one scope */
};
int conf_log_level(const struct conf_daemon *daemon); /* as syslog counts: LOG_ERR .. LOG_DEBUG */

struct conf_system {
	struct conf_where where;
	char *name;
	int environment;
	char *doc;
	char *owner;
	char **labels;	       /* MAP label.NAME = value: of its notices */
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
	char **labels;		/* MAP label.NAME */
	char *host_name;	/* as written; NULL = this host */
	struct conf_host *host; /* [host NAME] or NULL */
	char **depends;	     /* as written: "system/component" or "component" of the same system */
	char *needs_text;    /* `needs = 2 of web1, web2, web3`: it is a group; NULL */
	int64_t needs;	     /* so many members must be well; 0 = it is no group */
	struct vec members;  /* struct conf_component *: of the group */
	struct vec groups;   /* struct conf_component *: whose member it is */
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
	char **labels;				  /* MAP label.NAME */
	char **thresholds_warning, **thresholds_critical; /* MAP "metric=range" */
	char **thresholds_clear;       /* MAP: what has alerted is well again only inside */
	char **baselines, **forecasts; /* MAP "metric=baseline", "metric=forecast" */
	int64_t flap_high, flap_low;   /* percent; flap_high 0 = it is not looked for */
	/* of outside jobs, that report by themselves */
	char *heartbeat_token; /* SECRET; NULL: it is none */
	char *report_token;    /* SECRET; NULL: only operators report */
	usec_t every, grace, max_runtime;
	char *cron_text, *timezone;
	struct conf_heartbeat *heartbeat; /* made of these; NULL */
	char *probe_name;
	const struct tend_probe *probe;
	void *probe_conf; /* probe->conf_size bytes */
};

struct conf_heartbeat { /* when an outside job is expected: every check->every, or by cron */
	struct cron cron;
	struct zone *zone; /* NULL: by every */
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

enum conf_receiver_type {
	RECEIVER_WEBHOOK,
	RECEIVER_SNMP,
	RECEIVER_SMTP,
	RECEIVER_EXEC,
	RECEIVER_TYPE_MAX
};
enum conf_tls { CONF_TLS_STARTTLS, CONF_TLS_IMPLICIT, CONF_TLS_NONE }; /* of smtp */
enum conf_snmp_version {
	CONF_SNMP_3,
	CONF_SNMP_2C,
	CONF_SNMP_1,
	CONF_SNMP_MAX
}; /* index into the names above */
enum conf_snmp_notify { CONF_SNMP_INFORM, CONF_SNMP_TRAP };
struct conf_receiver {
	struct conf_where where;
	char *name;
	int type;
	int min_severity;
	usec_t timeout, retry_min, retry_max,
		ttl;		       /* ttl: a notice older than it is given up, told */
	usec_t ttl_of[SEVERITY_MAX];   /* by severity; 0 = ttl */
	int64_t rate_per_minute;       /* token bucket; 0 = no limit, -1 = as the type says */
	int64_t drain_rate_per_minute; /* of what waited through an outage; 0 = no other limit */
	int64_t outbox_rows;	       /* that wait; more are shed */
	uint64_t outbox_bytes;
	int64_t storm_burst; /* notices in storm_interval that go alone; 0 = no storm guard */
	usec_t storm_wait, storm_interval;
	usec_t heartbeat; /* a notice so often; 0 = none */
	char *fallback;	  /* a receiver's name; NULL */
	int language;	  /* enum conf_language */
	/* webhook */
	char *url;
	char *secret, *secret_old; /* SECRET */
	char *token;		   /* SECRET: what {token} in the url stands for */
	char *ca_file, *cert_file, *key_file;
	char *format;	       /* NAME of a shipped one, or an absolute path; NULL = built in */
	char **format_options; /* MAP option.NAME = value */
	int sign;	       /* index into conf_sign_names; -1 = as the format says */
	char **allow;	       /* addresses and nets; NULL = none */
	bool insecure;
	/* snmp */
	char *host;	  /* ADDRESS:PORT, default port 162 */
	int snmp_version; /* enum conf_snmp_version; -1 (as the next ones) when not snmp */
	int snmp_notify;  /* enum conf_snmp_notify */
	char *user, *auth_password, *priv_password,
		*community;		  /* passwords and community: SECRET */
	int auth_protocol, priv_protocol; /* indices into the names above */
	/* smtp; its server is `url', its user `user' */
	char *password; /* SECRET */
	char *from, **to;
	int tls; /* enum conf_tls; -1 when not smtp */
	/* exec */
	char *command; /* of tend-spawn's file */
	char **args;   /* MAP arg.NAME = value */
};

struct conf_step {	  /* of an escalation */
	usec_t after;	  /* since the raise, while nobody has acknowledged */
	char **receivers; /* names, or rota:NAME */
};

struct conf_route { /* the first whose patterns match wins unless `continue` */
	struct conf_where where;
	char *name;
	char **match_component;		/* globs over "system/component"; NULL = all */
	char *match_text;		/* matchers over labels, as written; NULL = all */
	char **classes, **environments; /* NULL = all */
	int min_severity;
	char *times_text, *timezone; /* when it is looked at; NULL = always */
	char **receivers;	     /* names, or rota:NAME */
	bool go_on;		     /* key `continue` */
	char **group_by;	     /* labels; NULL = the receiver's storm guard groups */
	usec_t group_wait, group_interval;
	usec_t remind; /* 0 = no reminders */
	int64_t remind_max;
	char *digest_text; /* moments of the week; NULL = none */
	int digest_below;  /* what is less severe waits for the digest */
	char **escalate;   /* MAP "SPAN=RECEIVER ..." */
	/* made of the above */
	struct matchers *match; /* NULL = all */
	struct zone *zone;
	struct times times, digest;
	struct vec steps; /* struct conf_step *, by time */
};

struct conf_rota { /* [rota NAME]: who is on call; alert/rota.h has the form of the file */
	struct conf_where where;
	char *name;
	char *doc;
	char *path, *timezone;
	char *fallback; /* a receiver's name: when nobody is on call; NULL */
	struct zone *zone;
	struct rota *rota;
};

struct conf_inhibit { /* [inhibit NAME]: an open incident keeps back the notices of others */
	struct conf_where where;
	char *name;
	char *doc;
	char *source_text, *target_text; /* matchers, as written */
	char **equal;			 /* labels that must be the same in both; NULL = none */
	struct matchers *source, *target;
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

struct conf_source { /* [source NAME]: another system that pushes events to us */
	struct conf_where where;
	char *name;
	char *doc;
	char *token;	       /* SECRET: its bearer token */
	char **matches;	       /* MAP match.SYSTEM/COMPONENT = matchers, in the order of the file */
	char *component_label; /* the label that names a component; NULL */
	char *component_name;  /* where what matches nothing goes; NULL = it is refused */
	char *severity_label;
	char **critical, **ignore; /* its values that are critical, and that are no fault */
	usec_t ttl;		   /* an event that is not repeated for so long is over */
	int64_t max;		   /* events that stand at a time */
	/* made of the above */
	struct vec rules; /* struct conf_source_rule * */
	struct conf_component *component;
};
struct conf_source_rule {
	struct conf_component *component;
	struct matchers *match;
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
	char *match_text;	     /* matchers over labels, as written; NULL = all */
	struct matchers *match;	     /* NULL = all */
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
	struct map rotas;	     /* struct conf_rota *, by name */
	struct map sources;	     /* struct conf_source *, by name */
	struct map inhibits;	     /* struct conf_inhibit *, by name */
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

/* The check SYSTEM/COMPONENT/group of a group has it; watch/ knows what to do. */
extern const struct tend_probe conf_group_probe;
#define CONF_GROUP_CHECK "group"

/* The whole configuration with every default, secrets as "***"; as ini text, or JSON. */
int conf_dump(const struct conf *conf, struct str *out);
json_t *conf_to_json(const struct conf *conf);

/* Is the check the same in both, so that its state and attempts can be kept? Compares every option.
 */
bool conf_check_same(const struct conf_check *a, const struct conf_check *b);

/* The rows of every kind of section, for the manual page; see conf/rows.h. Sections of other
 * programs (the executor's manifest) are read by conf/section.h. */

/* Is it a label that nobody but Tend itself gives? */
bool conf_label_is_own(const char *name);

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

/* `baseline.METRIC = 4 above 0.5': more than 4 deviations above what it usually is in this hour of
 * the week, and at least by 0.5. */
enum baseline_side { BASELINE_BOTH, BASELINE_ABOVE, BASELINE_BELOW };
struct baseline {
	double n_deviations, at_least;
	enum baseline_side side;
};
int baseline_parse(const char *text, struct baseline *ret_baseline); /* -EINVAL */
/* `forecast.METRIC = 0:95 within 7d': its trend leads out of the range within the span. */
struct forecast {
	struct range range;
	usec_t within;
};
int forecast_parse(const char *text, struct forecast *ret_forecast); /* -EINVAL */

#endif
