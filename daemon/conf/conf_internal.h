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
/* receivers.c: what a type of receiver needs, and what it has no use for. */
void check_receiver(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver);
/* windows.c: what a window's times say together, and the names it matches. */
void check_window(
	struct builder *b, const struct conf_section *section, struct conf_window *window);
void resolve_windows(struct builder *b);
bool check_host_port(const char *text, bool port_required, bool loopback_only);

/* Frees a plugin's options and what its check() made. NULL is fine. */
void probe_conf_free(const struct tend_probe *probe, void *probe_conf);

#endif
