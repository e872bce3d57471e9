/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "snmp/library.h"
#include "snmp/notify.h"

enum { PARENT_FD = 3 };

struct context {
	struct notify *notify;
	bool done;
};

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct context *context = data;

	notify_on_call(rpc, id, call, args, context->notify);
}

static void on_end(struct rpc *rpc, const char *why, void *data)
{
	struct context *context = data;

	context->done = true;
}

static int run(void)
{
	auto(loop_free) struct loop *loop = NULL;
	struct context context = {0};
	struct rpc *rpc = NULL;
	int r = loop_new(&loop);

	if (r == 0)
		r = notify_new(loop, &context.notify);
	if (r == 0)
		r = rpc_new(loop, PARENT_FD, "tendd", on_call, on_end, &context, &rpc);
	while (r >= 0 && !context.done) {
		notify_step(context.notify);
		r = loop_turn(loop, USEC_INFINITY);
	}
	/* Sinks end what is pending by rpc_error(), so they go first. */
	notify_free(context.notify);
	rpc_free(rpc);
	return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
	int r;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("tend-snmp " TEND_VERSION);
		return 0;
	}
	if (argc != 2 || strcmp(argv[1], "notify") != 0) {
		fprintf(stderr, "usage: tend-snmp notify | --version\n"
				"Started by tendd, which talks to it on file descriptor 3.\n");
		return 2;
	}
	log_open("tend-snmp", LOG_INFO);
	library_begin();
	library_start("tend-snmp");
	r = run();
	library_stop("tend-snmp");
	if (r < 0)
		log_error("tend-snmp: the event loop failed: %s, exiting", strerror(-r));
	return r < 0 ? 1 : 0;
}
