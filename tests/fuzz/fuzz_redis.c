/* SPDX-License-Identifier: MIT */
/* What Redis answers, and the text of INFO.
 * Parser: plugins/redis/resp.c plugins/redis/info.c plugins/redis/judge.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/redis/judge.h"
#include "../../plugins/redis/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_info(const char *text, size_t len, const uint8_t *choice)
{
	struct redis_conf conf = {
		.role = choice[0] % 3, .min_replicas = choice[0] % 5, .max_save_age = choice[0]};
	struct info info;
	char why[REDIS_TEXT_BYTES];

	if (!info_parse(text, len, &info))
		return;
	if (info.n_replicas > INFO_MAX_REPLICAS)
		__builtin_trap();
	why[0] = '\0';
	(void)redis_judge(&conf, &info, 1e9, why);
	if (!why[0] || strlen(why) >= sizeof(why))
		__builtin_trap();
}

static void say(void)
{
	static const char *const words[] = {"AUTH", "some", "words"};
	char small[8], large[64];

	if (resp_command(small, sizeof(small), words, 3) != 0 ||
		resp_command(large, sizeof(large), words, 3) == 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resp reply;

	if (size < 1)
		return 0;
	say();
	const char *p = (const char *)data + 1;
	size_t left = size - 1;
	while (left > 0) {
		ssize_t n = resp_next(p, left, &reply);

		if (n > (ssize_t)left)
			__builtin_trap();
		if (n <= 0)
			break;
		if (reply.type == RESP_ERROR)
			(void)resp_error_reason(reply.text, reply.len);
		if (reply.type == RESP_BULK)
			take_info(reply.text, reply.len, data);
		p += n;
		left -= (size_t)n;
	}
	take_info((const char *)data + 1, size - 1, data);
	return 0;
}
