/* SPDX-License-Identifier: MIT */
/* The files of nginx and Apache, as Debian lays them out. */
#include <errno.h>
#include <glob.h>
#include <string.h>
#include "base/fs.h"
#include "base/str.h"
#include "init/look.h"
#include "init/webconf.h"

enum { MAX_FILE_BYTES = 1 << 20 };

static void read_files(
	json_t *facts, const char *pattern, void (*parse)(const char *text, json_t *sites))
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		auto_free char *text = NULL;
		int r = fs_read_file(found.gl_pathv[i], MAX_FILE_BYTES, &text, NULL);

		if (r < 0)
			look_unseen(facts, "%s: %s", found.gl_pathv[i], strerror(-r));
		else
			parse(text, json_object_get(facts, "sites"));
	}
	globfree(&found);
}

void look_web(json_t *facts)
{
	read_files(facts, "/etc/nginx/nginx.conf", webconf_nginx);
	read_files(facts, "/etc/nginx/conf.d/*.conf", webconf_nginx);
	read_files(facts, "/etc/nginx/sites-enabled/*", webconf_nginx);
	read_files(facts, "/etc/apache2/sites-enabled/*.conf", webconf_apache);
	read_files(facts, "/etc/apache2/conf-enabled/*.conf", webconf_apache);
}
