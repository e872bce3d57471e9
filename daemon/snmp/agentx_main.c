/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "loop/rpc.h"
#include "snmp/mirror.h"
#include "snmp/serve.h"
#include "snmp/subagent.h"

enum { PARENT_FD = 3 };

struct context {
	struct loop *loop;
	struct rpc *rpc;
	struct subagent *subagent;
	bool configured, done;
	int r;
};

static void on_status(bool connected, void *data)
{
	struct context *context = data;

	if (connected)
		log_info("tend-agentx: connected to snmpd, %zu rows", mirror_n_rows());
	else
		log_warning("tend-agentx: snmpd has gone, trying again");
	(void)rpc_call(context->rpc, "status", json_pack("{s:b}", "connected", connected), 0, NULL,
		NULL, NULL);
}

/* Before the first connection snmpd has gone as far as we are concerned. */
static void configure(struct context *context, json_t *args)
{
	const char *socket = json_string_value(json_object_get(args, "socket"));
	json_t *ping = json_object_get(args, "ping_sec");
	double sec = ping ? json_number_value(ping) : 5;

	/* One process, one socket: another configuration is another process. */
	if (context->configured || !socket || !(sec >= 1 && sec <= 3600)) {
		log_error("tend-agentx: a configuration that cannot be taken, exiting");
		context->r = -EINVAL;
		context->done = true;
		return;
	}
	context->configured = true;
	(void)rpc_call(
		context->rpc, "status", json_pack("{s:b}", "connected", 0), 0, NULL, NULL, NULL);
	context->r = serve_init();
	if (context->r == 0)
		context->r = subagent_new(context->loop, socket, (usec_t)(sec * USEC_PER_SEC),
			on_status, context, &context->subagent);
	if (context->r < 0)
		context->done = true;
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct context *context = data;

	if (strcmp(call, "config") == 0)
		configure(context, args);
	else if (strcmp(call, "update") == 0 && context->configured)
		mirror_update(args);
	if (id != 0)
		(void)rpc_error(rpc, id, "invalid", "only notes are taken");
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	struct context *context = data;

	context->done = true;
}

static int run(void)
{
	auto(loop_free) struct loop *loop = NULL;
	struct context context = {0};
	int r = loop_new(&loop);

	context.loop = loop;
	if (r == 0)
		r = rpc_new(loop, PARENT_FD, "tendd", on_call, on_close, &context, &context.rpc);
	while (r >= 0 && !context.done)
		r = loop_turn(loop, USEC_INFINITY);
	subagent_free(context.subagent);
	rpc_free(context.rpc);
	return r < 0 ? r : context.r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("tend-agentx " TEND_VERSION);
		return 0;
	}
	if (argc != 1) {
		fprintf(stderr, "usage: tend-agentx [--version]\n"
				"Started by tendd, which talks to it on file descriptor 3.\n");
		return 2;
	}
	log_open("tend-agentx", LOG_INFO);
	r = run();
	if (r < 0)
		log_error("tend-agentx: %s, exiting", strerror(-r));
	return r < 0 ? 1 : 0;
}
