/* SPDX-License-Identifier: MIT */
#include "exec/look/proc.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 8192 };

void proc_each_line(const char *text, bool (*fn)(const char *line, void *data), void *data)
{
	char line[LINE_BYTES];

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			if (!fn(line, data))
				return;
		}
		text += n + (text[n] == '\n');
	}
}

/* What follows `key` where it begins a line. */
static const char *find_key(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		if (*at == '\n')
			at++;
		if (strncmp(at, key, n) == 0)
			return at + n;
	}
	return NULL;
}

uint64_t proc_number(const char *text, const char *key)
{
	const char *at = find_key(text, key);

	return at ? strtoull(at, NULL, 10) : 0;
}

uint64_t proc_kib(const char *text, const char *key)
{
	uint64_t n = proc_number(text, key);

	return n > UINT64_MAX / 1024 ? 0 : n * 1024;
}

int proc_cpu_parse(const char *stat, struct proc_cpu *ret_cpu)
{
	const char *at = find_key(stat, "cpu ");
	uint64_t v[8] = {0};
	int n;

	if (!at)
		return -EINVAL;
	n = sscanf(at,
		"%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		" %" SCNu64,
		&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
	if (n < 4)
		return -EINVAL;
	*ret_cpu = (struct proc_cpu){
		.idle = v[3],
		.iowait = v[4],
		.steal = v[7],
		.user = v[0] + v[1],
		.system = v[2] + v[5] + v[6],
	};
	for (size_t i = 0; i < 8; i++)
		ret_cpu->total += v[i];
	return 0;
}

int proc_pressure_parse(const char *text, struct proc_pressure *ret_pressure)
{
	const char *some = find_key(text, "some "), *full = find_key(text, "full ");
	struct proc_pressure p = {0};

	p.some_known = some && sscanf(some, "avg10=%lf avg60=%lf avg300=%*f total=%" SCNu64,
				       &p.some_avg10, &p.some_avg60, &p.some_total_usec) == 3;
	p.full_known = full && sscanf(full, "avg10=%lf avg60=%lf avg300=%*f total=%" SCNu64,
				       &p.full_avg10, &p.full_avg60, &p.full_total_usec) == 3;
	if (!p.some_known)
		return -EINVAL;
	*ret_pressure = p;
	return 0;
}

/* Copies a field, \ooo undone; false: too long. */
static bool copy_field(char *dst, size_t size, const char *src, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = src[i];

		if (c == '\\' && i + 3 < len && src[i + 1] >= '0' && src[i + 1] <= '3' &&
			src[i + 2] >= '0' && src[i + 2] <= '7' && src[i + 3] >= '0' &&
			src[i + 3] <= '7') {
			c = (char)((src[i + 1] - '0') * 64 + (src[i + 2] - '0') * 8 +
				   (src[i + 3] - '0'));
			i += 3;
		}
		if (n + 1 >= size || !c)
			return false;
		dst[n++] = c;
	}
	dst[n] = '\0';
	return true;
}

static const char *next_field(const char *at, const char **ret_field, size_t *ret_len)
{
	at += strspn(at, " \t");
	*ret_field = at;
	*ret_len = strcspn(at, " \t");
	return at + *ret_len;
}

static bool is_read_only(const char *options, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = strcspn(options + at, ", \t");

		if (n == 2 && memcmp(options + at, "ro", 2) == 0)
			return true;
		if (n == 12 && memcmp(options + at, "emergency_ro", 12) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

int proc_mount_parse(const char *line, struct proc_mount *ret_mount)
{
	struct proc_mount m = {0};
	const char *field, *at = line;
	size_t len;

	for (int i = 0; i < 6; i++) {
		at = next_field(at, &field, &len);
		if (len == 0)
			return -EINVAL;
		if ((i == 2 && !copy_field(m.device, sizeof(m.device), field, len)) ||
			(i == 3 && !copy_field(m.root, sizeof(m.root), field, len)) ||
			(i == 4 && !copy_field(m.mount, sizeof(m.mount), field, len)))
			return -EINVAL;
	}
	do { /* optional fields */
		at = next_field(at, &field, &len);
	} while (len > 0 && !(len == 1 && *field == '-'));
	at = next_field(at, &field, &len);
	if (len == 0 || !copy_field(m.type, sizeof(m.type), field, len))
		return -EINVAL;
	at = next_field(at, &field, &len);
	if (!copy_field(m.source, sizeof(m.source), field, len))
		m.source[0] = '\0';
	(void)next_field(at, &field, &len);
	m.read_only = is_read_only(field, len);
	*ret_mount = m;
	return 0;
}

int proc_stat_parse(const char *text, struct proc_stat *ret_stat)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct proc_stat s = {0};
	uint64_t user = 0, system = 0;
	int64_t rss = 0;
	int parent = 0;

	if (!open || !close || close < open)
		return -EINVAL;
	(void)snprintf(s.name, sizeof(s.name), "%.*s", (int)(close - open - 1), open + 1);
	if (sscanf(close + 1,
		    " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		    " %*d %*d %*d %*d %" SCNu64 " %*d %" SCNu64 " %*u %" SCNd64,
		    &s.state, &parent, &user, &system, &s.threads, &s.start_ticks, &rss) != 7)
		return -EINVAL;
	s.parent = parent;
	s.ticks = user + system;
	s.rss_pages = rss > 0 ? (uint64_t)rss : 0;
	*ret_stat = s;
	return 0;
}

static bool parse_address(const char *hex, struct proc_socket *s)
{
	uint32_t words[4] = {0};

	for (int i = 0; i < (s->v6 ? 4 : 1); i++) {
		char word[9];

		(void)snprintf(word, sizeof(word), "%.8s", hex);
		if (strspn(word, "0123456789ABCDEFabcdef") != 8)
			return false;
		/* The kernel prints each word of the address as it lies in memory. */
		words[i] = (uint32_t)strtoul(word, NULL, 16);
		hex += 8;
	}
	if (*hex != ':')
		return false;
	if (s->v6)
		memcpy(&s->local.v6, words, sizeof(s->local.v6));
	else
		memcpy(&s->local.v4, words, sizeof(s->local.v4));
	return true;
}

int proc_socket_parse(const char *line, bool v6, struct proc_socket *ret_socket)
{
	struct proc_socket s = {.v6 = v6};
	const char *address = strchr(line, ':');

	if (!address)
		return -EINVAL;
	address += 1 + strspn(address + 1, " ");
	if (!parse_address(address, &s))
		return -EINVAL;
	if (sscanf(address + (v6 ? 32 : 8),
		    ":%4x %*[0-9A-Fa-f]:%4x %2x %*s %*s %*s %u %*s %" SCNu64, &s.port,
		    &s.remote_port, &s.state, &s.uid, &s.inode) != 5)
		return -EINVAL;
	/* %x takes a sign as well. */
	if (s.port > UINT16_MAX || s.remote_port > UINT16_MAX || s.state > UINT8_MAX)
		return -EINVAL;
	*ret_socket = s;
	return 0;
}

int proc_disk_parse(const char *line, struct proc_disk *ret_disk)
{
	struct proc_disk d = {0};

	if (sscanf(line,
		    " %*u %*u %63s %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64
		    " %*u %*u %" SCNu64,
		    d.name, &d.reads, &d.read_sectors, &d.writes, &d.write_sectors,
		    &d.busy_msec) != 6)
		return -EINVAL;
	*ret_disk = d;
	return 0;
}

int proc_net_parse(const char *line, struct proc_net *ret_net)
{
	struct proc_net n = {0};
	const char *colon = strchr(line, ':');
	size_t skip = strspn(line, " ");

	if (!colon || colon < line + skip || (size_t)(colon - line) - skip >= sizeof(n.name))
		return -EINVAL;
	memcpy(n.name, line + skip, (size_t)(colon - line) - skip);
	if (sscanf(colon + 1,
		    "%" SCNu64 " %*u %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %" SCNu64
		    " %*u %" SCNu64 " %" SCNu64,
		    &n.rx_bytes, &n.rx_errors, &n.rx_drops, &n.tx_bytes, &n.tx_errors,
		    &n.tx_drops) != 6)
		return -EINVAL;
	*ret_net = n;
	return 0;
}
