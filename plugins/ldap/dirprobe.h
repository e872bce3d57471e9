/* SPDX-License-Identifier: MIT */
/*
 * ldap/dirprobe.h: the configuration, and what the files of this plugin say to each other. All of
 * it runs in a tend-work process and may block, at most until shortly before the attempt's
 * deadline. Pure: reason.c, message.c.
 */
#ifndef LDAP_DIRPROBE_H
#define LDAP_DIRPROBE_H

#include <tend/plugin.h>

enum dirprobe_tls { DIRPROBE_PLAIN, DIRPROBE_STARTTLS, DIRPROBE_LDAPS };
enum dirprobe_scope { DIRPROBE_BASE, DIRPROBE_ONE, DIRPROBE_SUB };

struct dirprobe_conf {
	char *host, *hostaddr, *ca_file, *bind_dn, *password, *base, *filter, *attribute, *expect;
	int64_t port, min_entries, max_entries;
	int tls, scope;
	bool verify;
};
extern const struct tend_option dirprobe_options[];
int dirprobe_conf_check(void *conf, struct tend_error *err);
bool dirprobe_searches(const struct dirprobe_conf *conf);
int dirprobe_port(const struct dirprobe_conf *conf);

enum dirprobe_phase { DIRPROBE_TLS, DIRPROBE_BIND, DIRPROBE_SEARCH };
/* Why it failed: by a result code, of the server or, negative, of the library. */
enum tend_reason dirprobe_reason(enum dirprobe_phase phase, int code);
bool dirprobe_certificate_refused(int code, const char *words);

/* Do these bytes begin an LDAPMessage (RFC 4511, 4.1.1)? */
enum dirprobe_head { DIRPROBE_HEAD_MORE, DIRPROBE_HEAD_OK, DIRPROBE_HEAD_NONE };
enum { DIRPROBE_HEAD_BYTES = 16 };
enum dirprobe_head dirprobe_message_head(const unsigned char *bytes, size_t n);

/* What is wrong with a certificate (DER) that was refused for `host`. Reads ca_file. */
enum tend_reason dirprobe_certificate_reason(
	const unsigned char *der, size_t n, const char *ca_file, const char *host);

enum { DIRPROBE_WHERE_BYTES = 80 };
/* A connected socket or -errno; `ret_where` is "127.0.0.1 port 389", of the last address tried. */
int dirprobe_connect(const struct tend_attempt *a, const struct dirprobe_conf *conf, usec_t end,
	char ret_where[DIRPROBE_WHERE_BYTES]);

#endif
