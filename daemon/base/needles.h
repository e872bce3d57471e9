/* SPDX-License-Identifier: MIT */
/*
 * base/needles.h: secrets that no text may show. Each is looked for as it is and as it stands in
 * URLs, forms, JSON, HTML and base64, there also in the midst of something longer (user:password).
 * Whoever cuts a text may cut within a secret, so a beginning of NEEDLES_PART_BYTES counts, too.
 * What is shorter than NEEDLES_MIN_BYTES is not looked for: it would star half of every text. Pure;
 * values are wiped when they are freed. -ENOMEM is the only failure.
 */
#ifndef BASE_NEEDLES_H
#define BASE_NEEDLES_H

#include <stdbool.h>
#include <stddef.h>

enum {
	NEEDLES_MIN_BYTES = 4,
	NEEDLES_PART_BYTES = 12,
	NEEDLES_MAX_BYTES = 2048, /* of a value: what is longer is known by its beginning */
};

struct needles {
	char **items;
	size_t n, cap;
	bool begins[256]; /* some item, with this byte: most of a text is passed over by that */
};
int needles_add(struct needles *n, const char *value);
void needles_clear(struct needles *n);
/* In place, each becomes ***; the text gets no longer. One that came cut may end within a needle:
 * with `cut` what is the beginning of one is dropped from its end, however short. */
void needles_redact(const struct needles *n, char *text, size_t *len, bool cut);

/* One byte as it stands there; at most 6 bytes, their number is returned. */
size_t needles_percent(unsigned char c, char out[8]);
size_t needles_json(unsigned char c, char out[8]);
/* All of them; the caller's to wipe. NULL: no memory. */
char *needles_escape(const char *value, size_t (*one)(unsigned char c, char out[8]));
void needles_wipe(char *text); /* wipes and frees; NULL is fine */

#endif
