/* SPDX-License-Identifier: MIT */
/*
 * api/request.h: one HTTP request, as handlers see it, and its answer. A handler answers at once,
 * or takes a reference, returns, and answers later: the connection is suspended meanwhile.
 * Answering a request whose client or server has gone is fine: the answer is dropped. Every
 * reference is dropped by request_unref(). Never blocks.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <jansson.h>
#include <tend/option.h>
#include "api/role.h"
#include "base/cleanup.h"
#include "base/str.h"

enum { REQUEST_BODY_BYTES = 1 << 20, REQUEST_PATH_BYTES = 1024 };

/* X(CODE, "wire code", HTTP status) */
#define API_ERRORS(X)                                                                              \
	X(INVALID, "invalid", 400)                                                                 \
	X(UNAUTHENTICATED, "unauthenticated", 401)                                                 \
	X(FORBIDDEN, "forbidden", 403)                                                             \
	X(NOT_FOUND, "not-found", 404)                                                             \
	X(METHOD, "method-not-allowed", 405)                                                       \
	X(CONFLICT, "conflict", 409)                                                               \
	X(TOO_LARGE, "too-large", 413)                                                             \
	X(UNPROCESSABLE, "unprocessable", 422)                                                     \
	X(LIMITED, "limited", 429)                                                                 \
	X(INTERNAL, "internal", 500)                                                               \
	X(UNAVAILABLE, "unavailable", 503)                                                         \
	X(TIMEOUT, "timeout", 504)
enum api_error {
#define X(code, name, status) API_ERROR_##code,
	API_ERRORS(X)
#undef X
		API_ERROR_MAX
};
const char *api_error_name(enum api_error error);
unsigned api_error_status(enum api_error error);
enum api_error api_error_of(int r); /* the fitting one for a negative errno */

/* A store that hangs must not hold connections for ever; less than what tendctl waits. */
#define REQUEST_WAIT_USEC (20 * USEC_PER_SEC)

enum request_origin { ORIGIN_UNIX, ORIGIN_TCP };

struct api;
struct route;
struct server;
struct MHD_Connection;

struct request {
	struct api *api;
	const struct route *route;
	char path[REQUEST_PATH_BYTES];
	char subject[REQUEST_PATH_BYTES]; /* what the route's '*' stands for */
	bool read_only;			  /* GET or HEAD */
	enum request_origin origin;
	/* of the peer, by the kernel (unix socket) */
	uid_t uid;
	enum role role;
	struct str body;
	json_t *json;	  /* the body of a POST, an object; NULL without one */
	usec_t wait_usec; /* how long it may wait for another part; 0: REQUEST_WAIT_USEC */
	/* Of an act that must outlive a kill: called once, with the good answer ready, takes a
	 * reference and calls request_settled(); < 0: it cannot be known. NULL: answered at once.
	 */
	int (*settle)(struct request *request);
	bool partial; /* the answer lacks what the store holds: header Tend-Partial */

	/* the server's own */
	struct server *server;
	struct MHD_Connection *connection; /* NULL when the client's gone or answered */
	struct request *next, *prev;
	unsigned n_refs;
	usec_t deadline; /* of a suspended one */
	bool begun, dispatched, suspended, answered, refused, queued, settling;
	size_t n_dropped_bytes;
	unsigned status, retry_after_sec; /* 0: is not said */
	const char *type, *allow;
	char *answer;
	size_t answer_len;
};

struct request *request_ref(struct request *request);
struct request *request_unref(struct request *request); /* NULL is fine */
DEFINE_AUTO(struct request *, request_unref)

/* The value of ?key=; NULL. Valid only until the handler returns. */
const char *request_query(const struct request *request, const char *key);
const char *request_header(const struct request *request, const char *name);
/* A whole number of the query within min..max, `def` without one; -EINVAL was answered. */
int request_query_int(
	struct request *request, const char *key, int min, int max, int def, int *ret_value);
/* A string member of the JSON body; NULL when there is none or it is no string. */
const char *request_string(const struct request *request, const char *key);

/* The end of every handler, once. Steals `body` (malloc'ed), or `json`. */
void request_answer(
	struct request *request, unsigned status, const char *type, char *body, size_t len);
void request_json(struct request *request, unsigned status, json_t *json);
/* What the answer says is kept (0) or not. Drops the reference of settle(). */
void request_settled(struct request *request, int r);
__attribute__((format(printf, 3, 4))) void request_fail(
	struct request *request, enum api_error error, const char *format, ...);

#endif
