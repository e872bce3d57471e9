/* SPDX-License-Identifier: MIT */
/*
 * snmp/boots.h: who we are to receivers of SNMPv3 traps, for which the sender is the authority
 * (RFC 3414, 1.5.1): an engine id that stays, and how often it began anew. Kept in a small file of
 * its own. tend-snmp only, for it may block on the disk: boots_load() reads and writes the file,
 * once a start, boots_renew() after a sleep; nothing is kept open. No net-snmp in here.
 */
#ifndef SNMP_BOOTS_H
#define SNMP_BOOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tend/error.h>
#include <tend/option.h>

enum {
	BOOTS_ID_BYTES = 17, /* what we make; the enterprise, the form and 12 random bytes */
	BOOTS_ID_MAX_BYTES = 32,
	BOOTS_START_BYTES = 64,
	BOOTS_MAX = INT32_MAX - 1, /* at 2^31 - 1 an engine is used up (RFC 3414, 2.2.2) */
	BOOTS_TEXT_BYTES = 3 + 2 * BOOTS_ID_MAX_BYTES,
};

struct boots {
	unsigned char id[BOOTS_ID_MAX_BYTES];
	size_t len; /* 0: not loaded */
	uint32_t boots;
	char start[BOOTS_START_BYTES]; /* which start of tendd the boots stand for */
	usec_t began;		       /* of boots_clock(): when they rose */
	usec_t offset;		       /* from that clock to the time of day, then */
};

/* CLOCK_BOOTTIME: receivers expect that our time goes on while the machine sleeps. */
usec_t boots_clock(void);

/*
 * Reads `path`; if it does not stand for this start yet, boots rise by one and are on the disk
 * before this returns. A file that is missing, damaged or used up begins a new engine; a damaged
 * one is kept as PATH.bad. -errno with err: it could not be read or written, and nothing may be
 * sent.
 */
int boots_load(
	const char *path, const char *start, struct tend_error *err, struct boots *ret_boots);
/*
 * Has the time of day gone on without our clock, as when a virtual machine was paused? Then our
 * time is behind what receivers expect, who refuse what is 150 s late (RFC 3414, 3.2). That the
 * clock was set looks the same, and then boots rise for nothing.
 */
bool boots_is_behind(const struct boots *boots, usec_t now, usec_t wall);
/* Boots rise by one, on the disk and in `boots`; our time begins anew. */
int boots_renew(const char *path, struct tend_error *err, struct boots *boots);
uint32_t boots_time(const struct boots *boots, usec_t now); /* snmpEngineTime, in seconds */
/* "0x80001f8805..." */
const char *boots_format_id(const struct boots *boots, char buf[BOOTS_TEXT_BYTES]);
/* The text of a file; pure. -EINVAL: damaged. */
int boots_parse(const char *text, struct boots *ret_boots);

#endif
