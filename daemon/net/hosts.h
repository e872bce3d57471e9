/* SPDX-License-Identifier: MIT */
/*
 * net/hosts.h: /etc/hosts, kept in memory. hosts_refresh() looks at the file's identity and times
 * and reads it again when they changed (at most 1 MiB; the caller decides how often). hosts_parse()
 * is pure. A file that cannot be read is an empty one.
 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include <sys/stat.h>
#include <tend/plugin.h>
#include "base/map.h"

enum { HOSTS_MAX_BYTES = 1 << 20, HOSTS_MAX_NAME_BYTES = 254 };

struct hosts_entry {
	size_t n_addresses;
	struct tend_address addresses[TEND_RESOLVE_MAX];
};
struct hosts {
	struct map names; /* struct hosts_entry * by name in lower case */
	struct stat seen;
};

int hosts_parse(struct hosts *hosts, const char *text, size_t len); /* adds; -ENOMEM */
int hosts_refresh(struct hosts *hosts, const char *path);
const struct hosts_entry *hosts_find(const struct hosts *hosts, const char *lower_name); /* NULL */
void hosts_clear(struct hosts *hosts);

#endif
