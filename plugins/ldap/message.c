/* SPDX-License-Identifier: MIT */
/* The library would take any two bytes for a tag and a length and wait for so much. */
#include "dirprobe.h"

enum { TAG_SEQUENCE = 0x30, TAG_INTEGER = 0x02, LONG_FORM = 0x80 };

/* SEQUENCE, its length in the short form or in one to four bytes, and the messageID: an INTEGER of
 * one to four. */
enum dirprobe_head dirprobe_message_head(const unsigned char *bytes, size_t n)
{
	size_t n_length;

	if (n < 1)
		return DIRPROBE_HEAD_MORE;
	if (bytes[0] != TAG_SEQUENCE)
		return DIRPROBE_HEAD_NONE;
	if (n < 2)
		return DIRPROBE_HEAD_MORE;
	n_length = bytes[1] & LONG_FORM ? bytes[1] & 0x7f : 0;
	if ((bytes[1] & LONG_FORM && n_length == 0) || n_length > 4)
		return DIRPROBE_HEAD_NONE;
	if (n < 2 + n_length + 2)
		return DIRPROBE_HEAD_MORE;
	bytes += 2 + n_length;
	return bytes[0] == TAG_INTEGER && bytes[1] >= 1 && bytes[1] <= 4 ? DIRPROBE_HEAD_OK
									 : DIRPROBE_HEAD_NONE;
}
