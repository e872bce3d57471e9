/* SPDX-License-Identifier: MIT */
/* What a time server answers.
 * Parser: plugins/ntp/packet.c.
 */
#include <math.h>
#include <stdint.h>
#include "../../plugins/ntp/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char packet[NTP_PACKET_BYTES];
	struct ntp_sample samples[2];
	struct ntp_reply reply;
	double jitter = -1;

	if (!ntp_reply_parse(data, size, 1.8e9, &reply))
		return 0;
	ntp_request(reply.cookie, packet);
	samples[0] = ntp_sample_of(&reply, 1.8e9, 1.8e9 + 0.01);
	samples[1] = ntp_sample_of(&reply, 1.8e9 + 1, 1.8e9 + 1.005);
	struct ntp_sample best = ntp_best(samples, 2, &jitter);
	/* Whatever the era, it is the one next to us. */
	if (!isfinite(best.offset) || fabs(best.offset) > 2147483648.0 + 2 || best.delay < 0 ||
		!isfinite(jitter))
		__builtin_trap();
	return 0;
}
