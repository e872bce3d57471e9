/* SPDX-License-Identifier: MIT */
/*
 * tend/option.h: one row an option.
 *
 * A table of rows, ended by TEND_OPTION_END, drives parsing, ranges, defaults, `tendd -t`, the
 * dump, the difference on reload, the manual page and the example file. The C type of the member is
 * checked by the compiler; a row without a help text does not compile (TEND_OPT's `help` has no
 * default).
 *
 * Memory: strings and lists are allocated by the parser and freed by conf_options_free(); a
 * plugin's `clear` frees only what its own `check` made.
 */
#ifndef TEND_OPTION_H
#define TEND_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t usec_t;
#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC  ((usec_t)1000000)
#define USEC_INFINITY ((usec_t)-1)

enum tend_option_type {
	TEND_OPT_BOOL,	 /* bool: yes/no, true/false, on/off, 1/0 */
	TEND_OPT_INT,	 /* int64_t, min..max */
	TEND_OPT_DOUBLE, /* double */
	TEND_OPT_USEC,	 /* usec_t: 500ms, 2s, 5m, 1h30m, 2d; min..max in microseconds */
	TEND_OPT_BYTES,	 /* uint64_t: 64K, 1M, 2G */
	TEND_OPT_STRING, /* char *; NULL when not set and no default */
	TEND_OPT_LIST,	 /* char **, NULL-terminated; comma or line separated; NULL when empty */
	TEND_OPT_ENUM,	 /* int: index into `names` (NULL-terminated) */
	TEND_OPT_SECRET, /* char *: only as cred:NAME or file:PATH; the member holds the secret
			    itself, never the reference; redacted in every dump and log */
	TEND_OPT_MAP,	 /* char **, NULL-terminated "key=value" strings, from all keys
			    `name.KEY = v` */
	TEND_OPT_SECRET_MAP, /* as MAP, but every v is cred:NAME or file:PATH and kept as SECRET */
	TEND_OPT_TYPE_MAX,
};

enum tend_option_flags {
	TEND_OPTION_REQUIRED = 1u << 0,
	/* A STRING that is a URL; dumps show its scheme and host only: paths of webhooks hold
	   tokens. */
	TEND_OPTION_PRIVATE_URL = 1u << 1,
	/* A STRING that names a [database SYSTEM/COMPONENT] for tend_sql(); none: that of the
	   check's own component. Either must exist: `tendd -t` says so. */
	TEND_OPTION_DATABASE = 1u << 2,
	/* A STRING with the absolute path of a file, or folder, that work() reads, or a library for
	 * it: a tend-work process can read no others, but what libraries need of the system. */
	TEND_OPTION_FILE = 1u << 3,
};

struct tend_option {
	const char *name;
	enum tend_option_type type;
	size_t offset;
	const char *def; /* default as it would be written, NULL = none */
	double min, max; /* of numbers, durations (usec) and bytes; both 0 = no limit */
	const char *unit;
	const char *const *names; /* for TEND_OPT_ENUM */
	unsigned flags;
	const char *help;
};

/* The member's C type must be the row's: a pointer comparison the compiler checks. */
#define TEND_OPT_CTYPE_BOOL	  bool
#define TEND_OPT_CTYPE_INT	  int64_t
#define TEND_OPT_CTYPE_DOUBLE	  double
#define TEND_OPT_CTYPE_USEC	  usec_t
#define TEND_OPT_CTYPE_BYTES	  uint64_t
#define TEND_OPT_CTYPE_STRING	  char *
#define TEND_OPT_CTYPE_LIST	  char **
#define TEND_OPT_CTYPE_ENUM	  int
#define TEND_OPT_CTYPE_SECRET	  char *
#define TEND_OPT_CTYPE_MAP	  char **
#define TEND_OPT_CTYPE_SECRET_MAP char **

#define TEND_OPT_OFFSET(structure, member, ctype)                                                  \
	(offsetof(structure, member) + 0 * sizeof(&((structure *)0)->member == (ctype *)0))

/* TEND_OPT(USEC, struct http_conf, timeout, "timeout", "5s", "help", .min = 1, .unit = "s") */
#define TEND_OPT(kind, structure, member, key, default_text, help_text, ...)                       \
	{                                                                                          \
		.name = (key), .type = TEND_OPT_##kind,                                            \
		.offset = TEND_OPT_OFFSET(structure, member, TEND_OPT_CTYPE_##kind),               \
		.def = (default_text), .help = "" help_text "", __VA_ARGS__                        \
	}
#define TEND_OPTION_END                                                                            \
	{                                                                                          \
		.name = NULL                                                                       \
	}

#endif
