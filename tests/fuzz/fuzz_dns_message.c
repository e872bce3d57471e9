/* SPDX-License-Identifier: MIT */
/* What a name server answers; the first byte says what was asked.
 * Parser: plugins/dns/message.c plugins/dns/record.c plugins/dns/judge.c.
 */
#include <stdint.h>
#include <string.h>
#include "../../plugins/dns/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_answer answer;
	static struct dns_message before;
	static char first[] = "192.0.2.10.", second[] = "10 mail.crm.test.";
	static char *both[] = {first, second, NULL};
	char why[DNS_WHY_BYTES] = "", text[64];

	if (size < 3)
		return 0;
	struct dns_conf conf = {
		.type = data[0] % 10,
		.match = data[1] & 1,
		.rcode = data[1] >> 1 & 1,
		.authoritative = data[1] & 4,
		.validated = data[1] & 8,
		.expect = data[1] & 16 ? both + (data[1] >> 5 & 1) : NULL,
	};
	answer.r = dns_message_parse(data + 2, size - 2, dns_types[conf.type], &answer.message);
	if (data[1] & 64)
		answer.r = -(int)data[2];
	if (dns_judge(&conf, &answer, why) != TEND_REASON_OK && !why[0])
		__builtin_trap();
	if (answer.r < 0)
		return 0;
	if (answer.message.n_records > DNS_MAX_RECORDS)
		__builtin_trap();
	for (size_t i = 0; i < answer.message.n_records; i++)
		if (!memchr(answer.message.records[i], '\0', DNS_TEXT_BYTES))
			__builtin_trap();
	dns_records_text(&answer.message, text, sizeof(text));
	if (strlen(text) >= sizeof(text) || !dns_same(&conf, &answer.message, &answer.message))
		__builtin_trap();
	(void)dns_same(&conf, &before, &answer.message);
	before = answer.message;
	return 0;
}
