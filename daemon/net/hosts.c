/* SPDX-License-Identifier: MIT */
#include "net/hosts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "net/address.h"

static const char blanks[] = " \t\r\f\v";

static struct hosts_entry *entry_of(struct hosts *hosts, const char *name)
{
	struct hosts_entry *entry = map_get(&hosts->names, name);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry && map_put(&hosts->names, name, entry) < 0) {
		free(entry);
		return NULL;
	}
	return entry;
}

static int add_name(struct hosts *hosts, const char *name, const struct tend_address *address)
{
	char lower[HOSTS_MAX_NAME_BYTES];
	size_t n = strlen(name);

	if (n >= sizeof(lower))
		return 0;
	for (size_t i = 0; i <= n; i++)
		lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
	struct hosts_entry *entry = entry_of(hosts, lower);
	if (!entry)
		return -ENOMEM;
	for (size_t i = 0; i < entry->n_addresses; i++)
		if (address_eq(&entry->addresses[i], address))
			return 0;
	if (entry->n_addresses < TEND_RESOLVE_MAX)
		entry->addresses[entry->n_addresses++] = *address;
	return 0;
}

static int parse_line(struct hosts *hosts, char *line)
{
	struct tend_address address;
	char *save = NULL;

	line[strcspn(line, "#")] = '\0';
	char *word = strtok_r(line, blanks, &save);
	if (!word || address_parse(word, &address) < 0)
		return 0; /* as the C library does: a line that makes no sense is passed over */
	while ((word = strtok_r(NULL, blanks, &save))) {
		int r = add_name(hosts, word, &address);
		if (r < 0)
			return r;
	}
	return 0;
}

int hosts_parse(struct hosts *hosts, const char *text, size_t len)
{
	auto_free char *copy = strndup(text, len);
	char *save = NULL;

	if (!copy)
		return -ENOMEM;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int r = parse_line(hosts, line);
		if (r < 0)
			return r;
	}
	return 0;
}

int hosts_refresh(struct hosts *hosts, const char *path)
{
	struct stat now = {0};
	auto_free char *text = NULL;
	size_t len = 0;

	if (stat(path, &now) < 0)
		now = (struct stat){0};
	if (now.st_dev == hosts->seen.st_dev && now.st_ino == hosts->seen.st_ino &&
		now.st_size == hosts->seen.st_size &&
		now.st_mtim.tv_sec == hosts->seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == hosts->seen.st_mtim.tv_nsec)
		return 0;
	hosts_clear(hosts);
	hosts->seen = now;
	int r = fs_read_file(path, HOSTS_MAX_BYTES, &text, &len);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return hosts_parse(hosts, text, len);
}

const struct hosts_entry *hosts_find(const struct hosts *hosts, const char *lower_name)
{
	return map_get(&hosts->names, lower_name);
}

void hosts_clear(struct hosts *hosts)
{
	MAP_FOREACH (&hosts->names, struct hosts_entry *, entry)
		free(entry);
	map_clear(&hosts->names);
	hosts->seen = (struct stat){0};
}
