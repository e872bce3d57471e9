/* SPDX-License-Identifier: MIT */
#include "packet.h"
#include <math.h>
#include <string.h>

enum { UNIX_EPOCH_DAYS = 25567, SECONDS_A_DAY = 86400, MODE_CLIENT = 3, MODE_SERVER = 4 };
static const double seconds_an_era = 4294967296.0;

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get64(const unsigned char *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

/* 16 bits before the point and 16 after it. */
static double get_short(const unsigned char *p)
{
	return get32(p) / 65536.0;
}

static double get_time(const unsigned char *p, double near)
{
	double at =
		get32(p) - (double)UNIX_EPOCH_DAYS * SECONDS_A_DAY + get32(p + 4) / seconds_an_era;

	return at + seconds_an_era * round((near - at) / seconds_an_era);
}

void ntp_request(uint64_t cookie, unsigned char packet[NTP_PACKET_BYTES])
{
	memset(packet, 0, NTP_PACKET_BYTES);
	packet[0] = 4 << 3 | MODE_CLIENT;
	for (int i = 0; i < 8; i++)
		packet[40 + i] = (unsigned char)(cookie >> (56 - 8 * i));
}

static void read_refusal(const unsigned char *p, char refused[5])
{
	for (int i = 0; i < 4; i++)
		refused[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] : '\0');
	refused[4] = '\0';
}

bool ntp_reply_parse(const void *data, size_t len, double near, struct ntp_reply *ret_reply)
{
	const unsigned char *p = data;
	unsigned version;
	struct ntp_reply reply = {.refused = ""};

	if (len < NTP_PACKET_BYTES || (p[0] & 7) != MODE_SERVER)
		return false;
	version = p[0] >> 3 & 7;
	if (version < 1 || version > 4)
		return false;
	reply.leap = p[0] >> 6;
	reply.stratum = p[1];
	reply.root_delay = get_short(p + 4);
	reply.root_dispersion = get_short(p + 8);
	reply.cookie = get64(p + 24);
	reply.received = get_time(p + 32, near);
	reply.sent = get_time(p + 40, near);
	if (reply.stratum == 0)
		read_refusal(p + 12, reply.refused);
	else if (get64(p + 32) == 0 || get64(p + 40) == 0)
		return false;
	*ret_reply = reply;
	return true;
}

struct ntp_sample ntp_sample_of(const struct ntp_reply *reply, double began, double ended)
{
	double delay = (ended - began) - (reply->sent - reply->received);

	return (struct ntp_sample){
		.offset = ((reply->received - began) + (reply->sent - ended)) / 2,
		.delay = delay > 0 ? delay : 0,
	};
}

struct ntp_sample ntp_best(const struct ntp_sample *samples, size_t n, double *ret_jitter)
{
	size_t best = 0;
	double sum = 0;

	for (size_t i = 1; i < n; i++)
		if (samples[i].delay < samples[best].delay)
			best = i;
	for (size_t i = 0; i < n; i++) {
		double difference = samples[i].offset - samples[best].offset;

		sum += difference * difference;
	}
	*ret_jitter = n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
	return samples[best];
}
