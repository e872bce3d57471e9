/* SPDX-License-Identifier: MIT */
/*
 * common/stream.h: one connection of one attempt: name, connection to the first address that
 * answers, STARTTLS, TLS, bounded reading. The stream is the attempt's data and owns the plugin's
 * (`owner`); it ends the attempt by stream_finish(), at the latest 10 ms before its deadline, with
 * the reason of the phase it was in and the metrics of all phases. Never blocks. Callbacks may call
 * anything here; after stream_finish() the memory lives until the callback has returned.
 */
#ifndef COMMON_STREAM_H
#define COMMON_STREAM_H

#include <tend/plugin.h>
#include "common/tls.h"

enum { STREAM_MAX_INPUT_BYTES = 1 << 20, STREAM_MAX_OUTPUT_BYTES = 256 << 10 };

struct stream_conf { /* a member `net` of a plugin's configuration */
	char *host;
	int64_t port;
	int family;
	bool tls;
	int starttls;
	struct tls_conf secure;
};
extern const char *const stream_families[];
enum { STREAM_ANY, STREAM_IPV4, STREAM_IPV6 };

#define STREAM_OPTIONS(structure, default_port)                                                    \
	TEND_OPT(STRING, structure, net.host, "host", NULL,                                        \
		"Name or address of the server, or the path of its unix socket.",                  \
		.flags = TEND_OPTION_REQUIRED),                                                    \
		TEND_OPT(INT, structure, net.port, "port", default_port, "Port of the server.",    \
			.min = 1, .max = 65535),                                                   \
		TEND_OPT(ENUM, structure, net.family, "family", "any",                             \
			"Which addresses of the name to use: any, ipv4 or ipv6.",                  \
			.names = stream_families)
#define STREAM_TLS_OPTION(structure)                                                               \
	TEND_OPT(BOOL, structure, net.tls, "tls", "no", "Whether to speak TLS from the start.")
#define STREAM_STARTTLS_OPTION(structure)                                                          \
	TEND_OPT(ENUM, structure, net.starttls, "starttls", "no",                                  \
		"Ask for TLS in the words of this protocol, then speak TLS.",                      \
		.names = starttls_names)

/* Rows of metric_docs and reason_docs for what every stream may give. */
#define STREAM_METRIC_DOCS                                                                         \
	{"total_seconds", "s", "the whole attempt", false},                                        \
		{"dns_seconds", "s", "until the name was resolved", false},                        \
	{                                                                                          \
		"connect_seconds", "s", "from then until the connection was there", false          \
	}
#define STREAM_TLS_METRIC_DOCS                                                                     \
	{"tls_seconds", "s", "the TLS handshake", false},                                          \
	{                                                                                          \
		"certificate_days", "",                                                            \
			"days until the server's certificate ends; below 0: it has ended", false   \
	}
#define STREAM_REASON_DOCS                                                                         \
	{TEND_REASON_DNS_FAILED, "the name has no address, or the name servers do not answer"},    \
		{TEND_REASON_CONNECT_REFUSED, "nobody listens there"},                             \
		{TEND_REASON_CONNECT_TIMEOUT, "no connection in time"},                            \
		{TEND_REASON_CONNECT_FAILED, "the network says that there is no way"},             \
	{                                                                                          \
		TEND_REASON_ACCESS_DENIED, "a packet filter here or the socket's mode forbids it"  \
	}
#define STREAM_TLS_REASON_DOCS                                                                     \
	{TEND_REASON_TLS_EXPIRED, "a certificate of the chain has ended or not yet begun"},        \
		{TEND_REASON_TLS_UNTRUSTED, "no authority that is trusted stands behind it"},      \
		{TEND_REASON_TLS_NAME, "the certificate is for another name"},                     \
		{TEND_REASON_TLS_WEAK, "version, cipher or key is below the floor"},               \
		{TEND_REASON_TLS_REVOKED, "the authority has revoked the certificate"},            \
		{TEND_REASON_TLS_FAILED, "no handshake, or no TLS at all"},                        \
		{TEND_REASON_AUTH_FAILED, "the server wants another certificate of ours"},         \
	{                                                                                          \
		TEND_REASON_NO_EVIDENCE, "ca_file or client_certificate cannot be used"            \
	}
#define STREAM_DOCS_END                                                                            \
	{                                                                                          \
		NULL, NULL, NULL, false                                                            \
	}
#define STREAM_REASONS_END                                                                         \
	{                                                                                          \
		TEND_REASON_OK, NULL                                                               \
	}

struct stream;
struct stream_handlers {
	/* Connected; TLS, if any, is up and was judged good. */
	void (*opened)(struct stream *s, void *owner);
	/* All input that was not taken yet; returns how many bytes are taken now. `eof`: no more
	 * will come; when that does not end the attempt, the stream does, as a broken protocol. */
	size_t (*input)(struct stream *s, const char *data, size_t len, bool eof, void *owner);
	/* NULL, or tells the owner that something failed, before the attempt ends with it. False:
	 * the owner has ended it its own way. */
	bool (*failed)(struct stream *s, enum tend_reason reason, const char *text, void *owner);
	void (*free_owner)(void *owner); /* NULL: nothing to free */
};

struct stream_spec {
	const struct stream_conf *conf;
	const struct stream_handlers *handlers;
	void *owner;		/* taken over, also on failure */
	size_t max_input_bytes; /* not taken yet; more is a broken protocol */
	bool only_look;		/* a certificate that is not good is no failure here */
};
int stream_start(struct tend_attempt *a, const struct stream_spec *spec);
void stream_cancel(struct tend_attempt *a); /* the plugin's cancel() */

/* What is waited for, in words that fit "no answer while ..."; a static text. */
void stream_doing(struct stream *s, const char *doing);
void stream_send(struct stream *s, const void *data, size_t len);
/* Ends the attempt. Text with where it is about: "127.0.0.1 port 25: ...". */
__attribute__((format(printf, 3, 4))) void stream_finish(
	struct stream *s, enum tend_reason reason, const char *format, ...);
bool stream_ended(const struct stream *s);
/* Leaves the connection and makes another in the same attempt, which offers at most this version of
 * TLS (TLS1_1_VERSION, ...); the metrics stay those of the first. From opened() only. */
void stream_again(struct stream *s, int max_version);

struct tend_attempt *stream_attempt(struct stream *s);
void *stream_owner(struct stream *s);
const struct tls_facts *stream_tls(const struct stream *s); /* NULL: no handshake was done */
/* Since the attempt began. */
usec_t stream_elapsed(const struct stream *s);
void stream_metric_seconds(struct stream *s, const char *name, usec_t span);
/* For metrics(): the names of what every stream with this configuration may give. */
size_t stream_metric_names(const struct stream_conf *conf, const char *ret_names[]);
/* For check(). */
int stream_conf_check(const struct stream_conf *conf, struct tend_error *err);

#endif
