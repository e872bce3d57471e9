/* SPDX-License-Identifier: MIT */
#include "exec/look/clamav.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ClamAV-VDB:TIME:VERSION:SIGNATURES:LEVEL:MD5:SIGNATURE:BUILDER:SECONDS, filled up with spaces
 * (docs.clamav.net, "CVD"). Files of old have no SECONDS. */
int clamav_head_parse(const char *head, size_t len, struct clamav_head *ret_head)
{
	char text[CLAMAV_HEAD_BYTES + 1];
	char *fields[9] = {NULL}, *rest = text;
	size_t n = 0;

	if (len > CLAMAV_HEAD_BYTES)
		len = CLAMAV_HEAD_BYTES;
	if (len < 11 || memcmp(head, "ClamAV-VDB:", 11) != 0)
		return -EINVAL;
	memcpy(text, head, len);
	text[len] = '\0';
	while (n < 9 && rest)
		fields[n++] = strsep(&rest, ":");
	if (n < 9)
		return -EINVAL;
	*ret_head = (struct clamav_head){
		.built = strtoll(fields[8], NULL, 10),
		.version = strtoull(fields[2], NULL, 10),
		.n_signatures = strtoull(fields[3], NULL, 10),
	};
	return ret_head->built > 0 ? 0 : -EINVAL;
}
