/* SPDX-License-Identifier: MIT */
/*
 * alert/request.h: what is posted: url, headers and body, made of the built-in event or of what a
 * format returned, with secrets filled in, signed, held against the limits. A format is foreign
 * code: nothing it says gets further than here unchecked. Pure. request_free() frees; what is wrong
 * is in `err`, without secrets.
 */
#ifndef ALERT_REQUEST_H
#define ALERT_REQUEST_H

#include <curl/curl.h>
#include <jansson.h>
#include <tend/error.h>
#include "base/cleanup.h"
#include "conf/conf.h"

enum {
	REQUEST_DEFAULT_BYTES = 256 << 10, /* of a body, when the format does not say */
	REQUEST_URL_BYTES = 4096,
	REQUEST_MAX_HEADERS = 32,
	REQUEST_HEADER_BYTES = 1024,
	REQUEST_MAX_QUERY = 32,
	REQUEST_MAX_SECRETS = 16,
};

struct request {
	char *url;
	struct curl_slist *headers;
	char *body;
};
struct request *request_free(struct request *request);
DEFINE_AUTO(struct request *, request_free)

/* The token as it stands in the url; NULL: there is none. */
char *request_token(const struct conf_receiver *conf);

struct request_context {
	const struct conf_receiver *conf;
	const char *id;
	usec_t wall;
	enum conf_sign scheme;
	size_t max_bytes; /* of the body; 0: REQUEST_DEFAULT_BYTES */
};
/* Of a body that is there, as the built-in event. A secret that is no key of Standard Webhooks
 * leaves it unsigned when `may_be_unsigned`: it goes out in place of a format that failed. */
int request_of_event(const struct request_context *context, const char *body, bool may_be_unsigned,
	struct request **ret_request, struct tend_error *err);
/* Of what format() returned: {body, content_type, headers, query, path, secrets}; it stays as it
 * is.
 */
int request_of_format(const struct request_context *context, json_t *made,
	struct request **ret_request, struct tend_error *err);

#endif
