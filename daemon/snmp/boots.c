/* SPDX-License-Identifier: MIT */
#include "snmp/boots.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "base/uuid.h"

enum { FILE_MAX_BYTES = 4096, ID_MIN_BYTES = 5 };

#define BEHIND_MAX (60 * USEC_PER_SEC) /* less than half of what receivers let pass */

#define HEADER                                                                                     \
	"# Who Tend is to receivers of SNMPv3 traps. Written by tend-snmp; no second machine may " \
	"have\n# a copy. Without this file Tend is a new engine, which receivers must be told.\n"

static int parse_id(const char *text, struct boots *b)
{
	size_t n = 0;

	if (strncmp(text, "0x", 2) != 0)
		return -EINVAL;
	for (const char *p = text + 2; *p; p += 2, n++) {
		unsigned byte;

		if (n == sizeof(b->id) || !isxdigit((unsigned char)p[0]) ||
			!isxdigit((unsigned char)p[1]) || sscanf(p, "%2x", &byte) != 1)
			return -EINVAL;
		b->id[n] = (unsigned char)byte;
	}
	if (n < ID_MIN_BYTES)
		return -EINVAL;
	b->len = n;
	return 0;
}

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*text || strlen(text) > 19)
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (n < min || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int parse_boots(const char *text, struct boots *b)
{
	uint64_t n;
	int r = parse_number(text, 1, INT32_MAX, &n);

	if (r == 0)
		b->boots = (uint32_t)n;
	return r;
}

static int parse_began(const char *text, struct boots *b)
{
	return parse_number(text, 0, INT64_MAX, &b->began);
}

static int parse_offset(const char *text, struct boots *b)
{
	return parse_number(text, 0, INT64_MAX, &b->offset);
}

static int parse_start(const char *text, struct boots *b)
{
	if (!*text || strlen(text) >= sizeof(b->start))
		return -EINVAL;
	snprintf(b->start, sizeof(b->start), "%s", text);
	return 0;
}

static int parse_line(char *line, struct boots *b)
{
	static const struct {
		const char *key;
		int (*parse)(const char *text, struct boots *b);
	} keys[] = {
		{"engine_id = ", parse_id},
		{"boots = ", parse_boots},
		{"start = ", parse_start},
		{"began = ", parse_began},
		{"offset = ", parse_offset},
	};

	if (!*line || *line == '#')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strncmp(line, keys[i].key, strlen(keys[i].key)) == 0)
			return keys[i].parse(line + strlen(keys[i].key), b);
	return -EINVAL;
}

int boots_parse(const char *text, struct boots *ret_boots)
{
	auto_free char *copy = strdup(text);
	struct boots b = {0};
	char *rest = copy, *line;

	if (!copy)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n")))
		if (parse_line(line, &b) < 0)
			return -EINVAL;
	if (b.len == 0 || b.boots == 0 || !b.start[0])
		return -EINVAL;
	*ret_boots = b;
	return 0;
}

const char *boots_format_id(const struct boots *b, char buf[BOOTS_TEXT_BYTES])
{
	snprintf(buf, BOOTS_TEXT_BYTES, "0x");
	for (size_t i = 0; i < b->len; i++)
		snprintf(buf + 2 + 2 * i, 3, "%02x", b->id[i]);
	return buf;
}

uint32_t boots_time(const struct boots *b, usec_t now)
{
	usec_t seconds = now > b->began ? (now - b->began) / USEC_PER_SEC : 0;

	return (uint32_t)MIN(seconds, (usec_t)INT32_MAX);
}

/* RFC 3411, SnmpEngineID: the enterprise of net-snmp, under which TEND-MIB is as well, with the
 * first bit set; 5: octets that the administrator (here: chance) chose. */
static void make_engine(struct boots *b)
{
	static const unsigned char head[] = {0x80, 0x00, 0x1f, 0x88, 0x05};

	*b = (struct boots){.len = BOOTS_ID_BYTES};
	memcpy(b->id, head, sizeof(head));
	random_bytes(b->id + sizeof(head), b->len - sizeof(head));
}

/* -ENOENT: there is none to go on with. */
static int read_file(const char *path, const char *start, struct tend_error *err, struct boots *b)
{
	auto_free char *text = NULL, *bad = NULL;
	size_t len;
	int r = fs_read_file(path, FILE_MAX_BYTES, &text, &len);

	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = strlen(text) == len ? boots_parse(text, b) : -EINVAL;
	else if (r != -EFBIG)
		return tend_error_set(err, r, "cannot read %s: %s", path, strerror(-r));
	if (r == 0 && b->boots <= BOOTS_MAX - (strcmp(b->start, start) == 0 ? 0 : 1))
		return 0;
	if (r == -ENOMEM)
		return tend_error_set(err, r, "out of memory");
	bad = str_printf("%s.bad", path);
	log_error(
		"tend-snmp: %s is %s: kept as %s.bad; Tend is a new engine to receivers of SNMPv3 "
		"traps, which must be told",
		path, r == 0 ? "used up" : "damaged", path);
	if (!bad || rename(path, bad) < 0)
		log_warning("tend-snmp: %s cannot be kept", path);
	return -ENOENT;
}

usec_t boots_clock(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

bool boots_is_behind(const struct boots *b, usec_t now, usec_t wall)
{
	return wall > now && wall - now > b->offset + BEHIND_MAX;
}

static int raise_boots(const char *path, struct tend_error *err, struct boots *b)
{
	usec_t now = boots_clock(), wall = clock_wall();
	struct boots next = *b;
	auto_free char *text = NULL;
	char id[BOOTS_TEXT_BYTES];
	int r;

	next.boots++;
	next.began = now;
	next.offset = wall > now ? wall - now : 0;
	text = str_printf(HEADER "engine_id = %s\nboots = %u\nstart = %s\nbegan = %llu\n"
				 "offset = %llu\n",
		boots_format_id(&next, id), next.boots, next.start, (unsigned long long)next.began,
		(unsigned long long)next.offset);
	r = text ? fs_write_file_atomic(path, text, strlen(text), 0600) : -ENOMEM;
	if (r < 0)
		return tend_error_set(err, r, "cannot write %s: %s", path, strerror(-r));
	log_notice("tend-snmp: the engine id for SNMPv3 traps is %s, boots %u", id, next.boots);
	*b = next;
	return 0;
}

int boots_renew(const char *path, struct tend_error *err, struct boots *b)
{
	if (b->boots >= BOOTS_MAX)
		return tend_error_set(err, -ERANGE, "%s is used up, remove it and restart", path);
	return raise_boots(path, err, b);
}

int boots_load(const char *path, const char *start, struct tend_error *err, struct boots *ret_boots)
{
	struct boots b = {0};
	int r = read_file(path, start, err, &b);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && strcmp(b.start, start) == 0) {
		*ret_boots = b;
		return 0;
	}
	if (r == -ENOENT)
		make_engine(&b);
	r = parse_start(start, &b);
	if (r < 0)
		return tend_error_set(err, r, "'start' has 1 to %d bytes", BOOTS_START_BYTES - 1);
	r = raise_boots(path, err, &b);
	if (r == 0)
		*ret_boots = b;
	return r;
}
