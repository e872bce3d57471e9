/* SPDX-License-Identifier: MIT */
/* Files of nginx and Apache.
 * Parser: daemon/init/webconf.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "init/webconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *sites)
{
	size_t i;
	json_t *site;

	if (json_array_size(sites) > WEBCONF_MAX_SITES)
		__builtin_trap();
	json_array_foreach (sites, i, site) {
		json_int_t port = json_integer_value(json_object_get(site, "port"));

		if (port < 1 || port > 65535)
			__builtin_trap();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	json_t *nginx = json_array(), *apache = json_array();

	if (!text || !nginx || !apache)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	webconf_nginx(text, nginx);
	webconf_apache(text, apache);
	check(nginx);
	check(apache);
	json_decref(nginx);
	json_decref(apache);
	free(text);
	return 0;
}
