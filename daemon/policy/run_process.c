/* SPDX-License-Identifier: MIT */
/* A run's process: a clone of tend-run with a socket of its own, told, watched, reaped. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

#define FORK_TIMEOUT_USEC (5 * USEC_PER_SEC)

void run_close_runner(struct run *run)
{
	run->rpc = rpc_free(run->rpc);
	/* It exits at the end of file; a hung one is killed. What is not reaped by our source is by
	 * the loop's next child event, so the source stays until then. */
	if (run->pid > 0)
		(void)kill(run->pid, SIGKILL);
}

static void on_run_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct run *run = data;

	if (run->state != RUN_LIVE) {
		rpc_error(rpc, id, "ended", "the run has ended");
	} else if (strcmp(call, "verb") == 0 && !run->describing) {
		step_on_call(run, rpc, id, args);
	} else if (strcmp(call, "ended") == 0 && !run->describing) {
		run_on_ended(run, args);
	} else if (strcmp(call, "described") == 0 && run->describing) {
		struct policies *p = run->policies;
		struct policy_file *file = TAKE(run->file);
		auto_json json_t *policies = json_incref(json_object_get(args, "policies"));

		run_end(run, RUN_DONE, NULL);
		if (file)
			catalog_described(p, file, policies, NULL);
	} else if (strcmp(call, "failed") == 0) {
		const char *message = json_string_value(json_object_get(args, "message"));

		run_end(run, RUN_FAILED, message ? message : "it cannot be loaded");
	} else {
		rpc_error(rpc, id, "invalid", "nothing answers '%s' here", call);
	}
}

/* It did not end as runners do: by a mistake of its policy's, for all that is known. */
static void give_up(struct run *run, const char *why)
{
	if (!run->describing)
		strike_count(run->policies, run, true, why);
	run_end(run, RUN_FAILED, why);
}

static void runner_gone(struct run *run, const char *why)
{
	if (run->state != RUN_LIVE || run->rpc || run->runner_is_done)
		return;
	/* What hit a limit would hit it again. */
	if (run->limit_hit || ++run->n_restarts > RUN_MAX_RESTARTS) {
		give_up(run, why);
		return;
	}
	log_warning("%s %s: its runner has gone (%s), it is started again%s",
		run->describing ? "policy file" : "run", run->describing ? run->chunk : run->id,
		why, run->describing ? "" : " from its journal");
	if (run_launch(run) < 0)
		run_end(run, RUN_FAILED, "its runner cannot be started again");
}

static void on_run_close(struct rpc *rpc, const char *why, void *data)
{
	struct run *run = data;

	MAP_FOREACH (&run->steps, struct step *, step)
		step->rpc_id = 0;
	run->rpc = rpc_free(run->rpc);
	/* The exit tells more than an end of file; without a pid the fork itself failed. */
	if (run->pid == 0)
		runner_gone(run, why);
}

static void on_run_exit(pid_t pid, int code, int status, void *data)
{
	struct run *run = data;
	char why[128];

	run->exited = loop_source_free(run->exited);
	run->pid = 0;
	if (run->state != RUN_LIVE) {
		run_settle(run);
		return;
	}
	if (code == CLD_EXITED)
		(void)snprintf(why, sizeof(why), "the runner exited with status %d", status);
	else
		(void)snprintf(why, sizeof(why), "the runner was ended by signal %d (%s)", status,
			status == SIGSYS    ? "a forbidden system call"
			: status == SIGXCPU ? "it computed for longer than it may"
			: status == SIGKILL ? "from outside, or for want of memory"
					    : "a fault");
	run->limit_hit = code != CLD_EXITED && (status == SIGSYS || status == SIGXCPU);
	/* Its last words may still be in the socket: the close comes after them. */
	if (!run->rpc)
		runner_gone(run, why);
}

/* ---- the clone's pid
 * ------------------------------------------------------------------------------------------- */

struct fork_call {
	struct policies *policies;
	char run[UUID_TEXT_BYTES];
	unsigned launch;
};

/* A clone whose run has ended already is still our child: somebody must reap it. */
struct reaper {
	struct loop_source *source;
	struct reaper *next, **prev;
};

static void reaper_free(struct reaper *reaper)
{
	*reaper->prev = reaper->next;
	if (reaper->next)
		reaper->next->prev = reaper->prev;
	loop_source_free(reaper->source);
	free(reaper);
}

static void on_reaped(pid_t pid, int code, int status, void *data)
{
	reaper_free(data);
}

static void reap(struct policies *p, pid_t pid)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));

	(void)kill(pid, SIGKILL);
	if (!reaper)
		return;
	*reaper = (struct reaper){.next = p->reapers, .prev = &p->reapers};
	if (reaper->next)
		reaper->next->prev = &reaper->next;
	p->reapers = reaper;
	if (loop_child_new(p->deps.loop, pid, on_reaped, reaper, &reaper->source) < 0)
		reaper_free(reaper);
}

void reapers_free(struct policies *p)
{
	while (p->reapers)
		reaper_free(p->reapers);
}

static struct run *find_launched(struct policies *p, const struct fork_call *call)
{
	VEC_FOREACH (&p->runs, struct run *, run)
		if (strcmp(run->id, call->run) == 0)
			return run->n_restarts == call->launch ? run : NULL;
	return NULL;
}

static void on_forked(const struct rpc_reply *reply, void *data)
{
	auto_free struct fork_call *call = data;
	struct policies *p = call->policies;
	pid_t pid = (pid_t)json_integer_value(json_object_get(reply->ok, "pid"));
	struct run *run = find_launched(p, call);

	if (reply->r < 0 || pid <= 1) {
		/* Its socket is closed by whoever had it, and that is what the run sees; one that
		 * hangs has to be made to let go. */
		log_warning("tend-run: no process for run %s: %s", call->run,
			reply->message ? reply->message : "no pid");
		if (reply->r == -ETIMEDOUT && p->runner)
			child_kill(p->runner);
		return;
	}
	if (!run || run->state != RUN_LIVE || run->pid) {
		reap(p, pid);
		return;
	}
	run->pid = pid;
	if (loop_child_new(p->deps.loop, pid, on_run_exit, run, &run->exited) < 0)
		run_end(run, RUN_FAILED, "its process cannot be watched");
}

static int call_fork(struct run *run, struct rpc *parent, int fd, usec_t limit)
{
	struct fork_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call) {
		safe_close(fd);
		return -ENOMEM;
	}
	call->policies = run->policies;
	call->launch = run->n_restarts;
	memcpy(call->run, run->id, UUID_TEXT_BYTES);
	r = rpc_call_fd(parent, "fork",
		json_pack("{s:s, s:I}", "run", run->id, "wall_msec",
			(json_int_t)(limit / USEC_PER_MSEC)),
		fd, FORK_TIMEOUT_USEC, on_forked, call);
	if (r < 0)
		free(call);
	return r;
}

static int send_start(struct run *run)
{
	int r;
	json_t *args = json_pack("{s:s, s:s, s:s, s:s, s:O}", "mode",
		run->describing ? "describe" : "run", "name", run->chunk, "chunk", run->chunk,
		"source", run->source, "library", run->library);

	if (!args)
		return -ENOMEM;
	if (!run->describing)
		(void)json_object_update_new(
			args, json_pack("{s:s, s:s, s:O, s:O, s:o, s:s*}", "policy", run->policy,
				      "run", run->id, "ctx", run->ctx, "params", run->params,
				      "verbs", verbs_to_json(), "cancelled", run->cancelled));
	if (!run->describing && replay_begin(run) < 0) {
		json_decref(args);
		return -ENOMEM;
	}
	r = rpc_call(run->rpc, "start", args, 0, NULL, NULL, NULL);
	/* It has just gone: the next turn tells so, and runner_gone() sees to another. */
	return r == -ECONNRESET ? 0 : r;
}

int run_launch(struct run *run)
{
	struct policies *p = run->policies;
	struct rpc *parent = p->runner ? child_rpc(p->runner) : NULL;
	int pair[2], r;

	/* Its process is there already: the journal has it now. */
	if (run->rpc)
		return send_start(run);
	r = cancel_arm(run);
	if (r < 0)
		return r;
	/* tend-run is starting: policy.c launches what waits when it is up. */
	if (!parent)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	r = rpc_new(p->deps.loop, pair[0], "tend-run", on_run_call, on_run_close, run, &run->rpc);
	if (r < 0) {
		safe_close(pair[1]);
		return r;
	}
	r = call_fork(run, parent, pair[1], run->limit + RUN_CLEANUP_USEC);
	if (r == -ECONNRESET) { /* tend-run has just gone: as if it were not up yet */
		run->rpc = rpc_free(run->rpc);
		return 0;
	}
	if (r < 0 || (!run->describing && !run->intent_committed))
		return r;
	return send_start(run);
}
