/* SPDX-License-Identifier: MIT */
/*
 * ntp/packet.h: packets of NTP version 4 (RFC 5905 section 7.3) and what several of them say of a
 * clock. Pure; times are Unix time in seconds.
 */
#ifndef NTP_PACKET_H
#define NTP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NTP_PACKET_BYTES = 48, NTP_MAX_SAMPLES = 8, NTP_LEAP_UNKNOWN = 3 };

/* `cookie` stands where our time would: it comes back, and nobody learns our clock. */
void ntp_request(uint64_t cookie, unsigned char packet[NTP_PACKET_BYTES]);

struct ntp_reply {
	unsigned leap, stratum;
	double root_delay, root_dispersion;
	double received, sent; /* by the server's clock */
	uint64_t cookie;
	char refused[5]; /* "RATE", "DENY", ... of a kiss-o'-death; "" = none */
};
/* `near`: about now; which era of 136 years is meant. False: it is no reply. */
bool ntp_reply_parse(const void *data, size_t len, double near, struct ntp_reply *ret_reply);

struct ntp_sample {
	double offset, delay;
};
/* `began`, `ended`: by our clock. Offset: how far ahead the server is. */
struct ntp_sample ntp_sample_of(const struct ntp_reply *reply, double began, double ended);
/* The one with the least delay is the best; jitter: how far the others are from it (RMS). */
struct ntp_sample ntp_best(const struct ntp_sample *samples, size_t n, double *ret_jitter);

#endif
