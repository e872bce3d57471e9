/* SPDX-License-Identifier: MIT */
#include "conf/plugins.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "base/vec.h"
#include "conf/options.h"
#include "conf/rows.h"

enum { MAX_NAME_BYTES = 64, MAX_LISTED = 1000 };

static int missing(const char *dir, const char *name, struct tend_error *err)
{
	struct vec names = {0};
	DIR *d = opendir(dir);
	const char *nearest;

	if (!d)
		return tend_error_set(err, -ENOENT,
			"there is no plugin '%s': the folder %s cannot be read: %s", name, dir,
			strerror(errno));
	for (struct dirent *e; (e = readdir(d)) && names.len < MAX_LISTED;) {
		if (e->d_name[0] == '.' || !str_endswith(e->d_name, ".so"))
			continue;
		char *stem = strndup(e->d_name, strlen(e->d_name) - 3);
		if (stem && vec_push(&names, stem) < 0)
			free(stem);
	}
	(void)closedir(d);
	nearest = str_nearest(name, (const char *const *)(void *)names.items, names.len);
	if (nearest)
		(void)tend_error_set(err, -ENOENT,
			"there is no plugin '%s' in %s; the nearest is '%s'", name, dir, nearest);
	else
		(void)tend_error_set(err, -ENOENT, "there is no plugin '%s' in %s", name, dir);
	VEC_FOREACH (&names, char *, stem)
		free(stem);
	vec_clear(&names);
	return -ENOENT;
}

/* What the core relies on, so that a careless plugin is an error here and not a crash later. */
static int check_probe(const char *name, const struct tend_probe *probe, struct tend_error *err)
{
	struct tend_error why;

	if (!probe)
		return tend_error_set(err, -EINVAL, "plugin '%s' is empty", name);
	if (probe->abi != TEND_PLUGIN_ABI)
		return tend_error_set(err, -EINVAL,
			"plugin '%s' was built for ABI %u, this tendd has %u: install the plugin "
			"of this version",
			name, probe->abi, TEND_PLUGIN_ABI);
	if (!probe->name || strcmp(probe->name, name) != 0)
		return tend_error_set(err, -EINVAL, "plugin '%s' calls itself '%s'", name,
			probe->name ? probe->name : "");
	if (!probe->options || (!probe->start && !probe->work))
		return tend_error_set(err, -EINVAL,
			"plugin '%s' has no options, or neither start nor work", name);
	if (conf_options_check(probe->options, probe->conf_size, &why) < 0)
		return tend_error_set(err, -EINVAL, "plugin '%s': %s", name, why.text);
	for (const struct tend_option *row = probe->options; row->name; row++)
		for (const struct tend_option *core = conf_check_rows; core->name; core++)
			if (strcmp(row->name, core->name) == 0)
				return tend_error_set(err, -EINVAL,
					"plugin '%s' has an option '%s', which is the core's", name,
					row->name);
	return 0;
}

int plugin_load(const char *dir, const char *name, const struct tend_probe **ret_probe,
	struct tend_error *err)
{
	auto_free char *path = str_printf("%s/%s.so", dir, name);
	auto_free char *symbol = str_printf("tend_plugin_%s", name);
	const struct tend_probe *const *found;
	void *handle;
	int r;

	if (!path || !symbol)
		return tend_error_set(err, -ENOMEM, "no memory");
	if (!*name || strlen(name) > MAX_NAME_BYTES ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return tend_error_set(err, -EINVAL,
			"'%s' is not a name of a plugin (small letters, digits and _)", name);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return missing(dir, name, err);
	/* NOW: a symbol that is missing must show here, not in the middle of a check. */
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle)
		return tend_error_set(err, -EINVAL, "cannot load the plugin: %s", dlerror());
	found = dlsym(handle, symbol);
	r = found ? check_probe(name, *found, err)
		  : tend_error_set(err, -EINVAL, "%s is not a plugin '%s': it has no symbol %s",
			    path, name, symbol);
	if (r == 0)
		*ret_probe = *found;
	(void)dlclose(handle); /* NODELETE keeps it */
	return r;
}
