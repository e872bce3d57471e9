/* SPDX-License-Identifier: MIT */
/*
 * alert/post.h: one request posted once, and what HTTP says of it. No redirects, no proxy from the
 * environment, only addresses that are allowed; of the answer 64 KiB are read and kept, without the
 * receiver's secrets. Never
 * blocks (libcurl reads certificates' files). The configuration and the request are the caller's
 * and live until the end, which comes once, from the loop; post_free() frees, and cancels.
 */
#ifndef ALERT_POST_H
#define ALERT_POST_H

#include "alert/request.h"
#include "alert/shipment.h"
#include "base/str.h"

enum { POST_ANSWER_BYTES = 65536 };

struct net;
struct post;
struct post_answer {
	bool answered; /* false: there was no answer, and the judgement says why */
	struct judgement judgement;
	const char *retry_after; /* as sent; "" */
	const struct str *body;
};
typedef void (*post_fn)(const struct post_answer *answer, void *data);

struct post_order {
	struct net *net;
	const struct conf_daemon *daemon;
	const struct conf_receiver *conf;
	const struct request *request;
};
int post_start(const struct post_order *order, post_fn fn, void *data, struct post **ret_post);
struct post *post_free(struct post *post);
DEFINE_AUTO(struct post *, post_free)

#endif
