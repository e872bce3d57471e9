/* SPDX-License-Identifier: MIT */
/*
 * conf/plugins.h: the shared objects that probes and services come from. PLUGIN_DIR/NAME.so with
 * the symbol tend_plugin_NAME is loaded once and stays for the life of the process: configurations
 * before and after a reload point into it. Blocks on the file; fails with a text for people.
 */
#ifndef CONF_PLUGINS_H
#define CONF_PLUGINS_H

#include <tend/plugin.h>

/* -ENOENT: no such plugin (the text names the nearest); -EINVAL: it is broken or of another ABI. */
int plugin_load(const char *dir, const char *name, const struct tend_probe **ret_probe,
	struct tend_error *err);

#endif
