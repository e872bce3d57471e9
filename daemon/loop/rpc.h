/* SPDX-License-Identifier: MIT */
/*
 * loop/rpc.h: newline-delimited JSON over a stream socket, both ways: how tendd and its helper
 * processes talk. A line is at most 1 MiB:
 *   {"id":7,"call":"http.get","args":{...}}  ->  {"id":7,"ok":...}
 *                                            or  {"id":7,"error":{"code":"...","message":"..."}}
 *   {"call":"progress","args":{...}}         a note: no id, no answer
 * Bounds: 1 MiB a line, 1024 calls waiting, 8 MiB of output not yet written; beyond it the
 * connection is closed. A broken line or end of file closes too: every waiting call then ends with
 * -ECONNRESET, and `on_close` is called once. Never blocks. Frees: rpc_free(), also from a
 * callback.
 */
#ifndef LOOP_RPC_H
#define LOOP_RPC_H

#include <jansson.h>
#include "loop/loop.h"

enum { RPC_LINE_BYTES = 1 << 20, RPC_MAX_CALLS = 1024, RPC_MAX_OUTPUT_BYTES = 8 << 20 };

struct rpc;

/* A call of the peer. `id` 0 is a note: do not answer. Else answer now or later with rpc_ok() or
 * rpc_error(). `args` is borrowed (never NULL, maybe a JSON null). */
typedef void (*rpc_call_fn)(
	struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data);
/* The peer has gone or broke the protocol; `why` for the log. rpc_free() is still due. */
typedef void (*rpc_close_fn)(struct rpc *rpc, const char *why, void *data);
/* The answer to our call. r == 0: `ok` (borrowed). r == -EREMOTEIO: `error_code` and `message` are
 * the peer's. r == -ECONNRESET: closed, the outcome is not known. r == -ETIMEDOUT. */
struct rpc_reply {
	int r;
	json_t *ok;
	const char *error_code;
	const char *message;
};
typedef void (*rpc_reply_fn)(const struct rpc_reply *reply, void *data);

/* Takes over `fd` (made non-blocking). `name` is for the log. */
int rpc_new(struct loop *loop, int fd, const char *name, rpc_call_fn on_call, rpc_close_fn on_close,
	void *data, struct rpc **ret_rpc);
struct rpc *rpc_free(struct rpc *rpc); /* closes; waiting calls end with -ECONNRESET first */
DEFINE_AUTO(struct rpc *, rpc_free)

/* Steals `args` (NULL = {}), also on failure. timeout 0 = none. fn is not called when this fails;
 * fn NULL sends a note. */
int rpc_call(struct rpc *rpc, const char *call, json_t *args, usec_t timeout, rpc_reply_fn fn,
	void *data, uint64_t *ret_id);
/* The same, with a descriptor by SCM_RIGHTS at the line's first byte; takes `fd` over. */
int rpc_call_fd(struct rpc *rpc, const char *call, json_t *args, int fd, usec_t timeout,
	rpc_reply_fn fn, void *data);
void rpc_forget(struct rpc *rpc, uint64_t id);	      /* the reply is no longer wanted */
int rpc_ok(struct rpc *rpc, uint64_t id, json_t *ok); /* steals `ok`; NULL = null */
/* The same with a descriptor by SCM_RIGHTS; takes `fd` over. */
int rpc_ok_fd(struct rpc *rpc, uint64_t id, json_t *ok, int fd);
/* Descriptors that the peer sends are kept from here on, one at a time; else the kernel closes
 * them. */
void rpc_accept_fds(struct rpc *rpc);
int rpc_take_fd(struct rpc *rpc); /* the one that came with this message; -EBADF = none */
__attribute__((format(printf, 4, 5))) int rpc_error(
	struct rpc *rpc, uint64_t id, const char *code, const char *format, ...);
size_t rpc_output_pending(const struct rpc *rpc);
int rpc_fd(const struct rpc *rpc);

#endif
