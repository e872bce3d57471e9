/* SPDX-License-Identifier: MIT */
/* Between the files of conf/ that build a configuration. */
#ifndef CONF_CONF_INTERNAL_H
#define CONF_CONF_INTERNAL_H

#include "conf/conf.h"
#include "conf/section.h"

/* What conf_load() has in its hands. `conf` is filled section by section, then resolved. */
struct builder {
	struct conf *conf;
	struct conf_sections *sections;
	struct conf_errors *errors;
	const char *plugin_dir;
	struct map plugins; /* name -> struct plugin_entry *: each is loaded, or refused, once */
};

/* build.c: one object a section. Errors go to builder->errors; -ENOMEM is the only result < 0. */
int build_all(struct builder *b);
/* resolve.c: references between objects, cycles, what needs more than one section. */
int resolve_all(struct builder *b);
/* "there is no X 'name'; the nearest is 'y'" at the key. */
void unknown_reference(struct builder *b, const struct conf_section *section, const char *key,
	const char *what, const char *name, const struct map *candidates);
/* webhooks.c: the same for webhooks; and what needs the whole configuration. */
void check_webhook(struct builder *b, const struct conf_section *section,
	const struct conf_receiver *receiver);
void resolve_webhook(struct builder *b, const struct conf_section *section,
	const struct conf_receiver *receiver);
/* The host as it stands in the url, without brackets. "": none. */
void url_host(const char *url, char ret_host[256]);
void check_file(
	struct builder *b, const struct conf_section *section, const char *key, const char *path);
/* mails.c: the same for mail servers and programs. */
void check_smtp(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver);
void resolve_smtp(struct builder *b, const struct conf_section *section,
	const struct conf_receiver *receiver);
void check_exec(struct builder *b, const struct conf_section *section,
	const struct conf_receiver *receiver);
void check_nets(
	struct builder *b, const struct conf_section *section, const char *key, char *const *nets);
/* An error when the key is not there; `what` says what it is for. */
void receiver_needs(
	struct builder *b, const struct conf_section *section, const char *key, const char *what);

/* receivers.c: what a type of receiver needs, and what it has no use for. */
void check_receiver(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver);
/* windows.c: what a window's times say together, and the names it matches. */
void check_window(
	struct builder *b, const struct conf_section *section, struct conf_window *window);
void resolve_windows(struct builder *b);
/* routes.c: matchers, times, steps, calendars; and whether the receivers they name are there. */
void check_matchers(struct builder *b, const struct conf_section *section, const char *key,
	const char *text, struct matchers **ret_matchers);
void check_route(struct builder *b, const struct conf_section *section, struct conf_route *route);
void check_rota(struct builder *b, const struct conf_section *section, struct conf_rota *rota);
void check_inhibit(
	struct builder *b, const struct conf_section *section, struct conf_inhibit *inhibit);
void resolve_routes(struct builder *b);
/* inbound.c: heartbeats, groups, sources: what comes from outside, or from other components. */
void check_heartbeat(
	struct builder *b, const struct conf_section *section, struct conf_check *check);
void check_source(
	struct builder *b, const struct conf_section *section, struct conf_source *source);
int resolve_source(struct builder *b, const struct conf_section *section);
int resolve_needs(struct builder *b, const struct conf_section *section);
/* label.NAME = VALUE: a name that is one, and none of Tend's own. */
void check_labels(struct builder *b, const struct conf_section *section, char *const *labels);
bool check_host_port(const char *text, bool port_required, bool loopback_only);

/* Frees a plugin's options and what its check() made. NULL is fine. */
void probe_conf_free(const struct tend_probe *probe, void *probe_conf);

#endif
