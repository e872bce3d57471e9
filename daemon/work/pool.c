/* SPDX-License-Identifier: MIT */
#include "work/pool.h"
#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "work/worker.h"

#define WARM_USEC	   (60 * USEC_PER_SEC)
#define BACKOFF_MIN_USEC   (100 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC   (30 * USEC_PER_SEC)
#define BACKOFF_RESET_USEC (60 * USEC_PER_SEC)
/* Client libraries leak. */
enum { PROCESS_MAX_JOBS = 1000 };

struct process;

struct work_job {
	struct work_pool *pool;
	struct plugin *plugin;
	char *component, *files;
	json_t *args;
	bool again; /* a second process has been asked: there is no third */
	work_fn fn;
	void *data;
	usec_t deadline;
	usec_t asked, begun;	 /* begun: 0 = it waits */
	struct process *process; /* NULL: it waits */
	int phase_reason;
	char phase[WORK_TEXT_BYTES];
	TAILQ_ENTRY(work_job) link; /* waiting */
};
TAILQ_HEAD(job_list, work_job);

struct plugin { /* known for ever: there are as many as files in a folder */
	char *name;
	usec_t crashed, backoff, not_before;
};

struct process {
	struct work_pool *pool;
	struct plugin *plugin;
	struct worker *worker;
	char *files; /* that it was confined to */
	struct work_job *job;
	usec_t idle_since;
	unsigned n_jobs;
	bool leaving; /* killed, not yet gone */
	LIST_ENTRY(process) link;
};
LIST_HEAD(process_list, process);

struct work_pool {
	struct loop *loop;
	struct loop_source *defer, *timer;
	char *program;
	size_t slots;
	struct process_list processes;
	struct job_list waiting;
	struct map plugins;
	struct work_stats stats; /* the counters of it */
};

/* ---- counting ------------------------------------------------------------------------------- */

const char *work_cause_name(enum work_cause cause)
{
	static const char *const names[WORK_CAUSE_MAX] = {
		[WORK_KILLED_DEADLINE] = "deadline",
		[WORK_KILLED_CANCELLED] = "cancelled",
		[WORK_CRASHED_SIGNAL] = "signal",
		[WORK_CRASHED_EXIT] = "exit",
		[WORK_CRASHED_START] = "start",
	};

	return names[cause];
}

size_t work_pool_share(const struct work_pool *pool)
{
	return MAX(pool->slots / 4, (size_t)1);
}

/* NULL: of any. */
static size_t count_busy(
	const struct work_pool *pool, const struct plugin *plugin, const char *component)
{
	const struct process *p;
	size_t n = 0;

	LIST_FOREACH (p, &pool->processes, link)
		n += p->job && (!plugin || p->plugin == plugin) &&
		     (!component || strcmp(p->job->component, component) == 0);
	return n;
}

static size_t count_processes(const struct work_pool *pool)
{
	const struct process *p;
	size_t n = 0;

	LIST_FOREACH (p, &pool->processes, link)
		n += !p->leaving;
	return n;
}

static bool has_place(const struct work_pool *pool, const struct work_job *job)
{
	size_t share = work_pool_share(pool);

	return count_busy(pool, job->plugin, NULL) < share &&
	       count_busy(pool, NULL, job->component) < share;
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void job_free(struct work_job *job)
{
	if (!job->process)
		TAILQ_REMOVE(&job->pool->waiting, job, link);
	else
		job->process->job = NULL;
	json_decref(job->args);
	free(job->component);
	free(job->files);
	free(job);
}

static void job_end(struct work_job *job, int r, const json_t *ok, const char *message)
{
	const struct work_reply reply = {
		.r = r,
		.ok = ok,
		.message = message,
		.waited = (job->begun ? job->begun : clock_now()) - job->asked,
	};
	work_fn fn = job->fn;
	void *data = job->data;

	loop_defer_set(job->pool->defer, true);
	job_free(job);
	fn(&reply, data);
}

/* ---- processes ------------------------------------------------------------------------------ */

static void process_free(struct process *p)
{
	worker_free(p->worker);
	free(p->files);
	free(p);
}

static void process_retire(struct process *p)
{
	p->leaving = true;
	worker_kill(p->worker);
}

static void arm(struct work_pool *pool)
{
	usec_t next = USEC_INFINITY;
	const struct process *p;

	LIST_FOREACH (p, &pool->processes, link)
		if (!p->job && !p->leaving)
			next = MIN(next, p->idle_since + WARM_USEC);
	MAP_FOREACH (&pool->plugins, const struct plugin *, plugin)
		if (plugin->not_before > clock_now())
			next = MIN(next, plugin->not_before);
	loop_timer_set(pool->timer, next);
}

static void on_timer(void *data)
{
	struct work_pool *pool = data;
	usec_t now = clock_now();
	struct process *p;

	LIST_FOREACH (p, &pool->processes, link)
		if (!p->job && !p->leaving && p->idle_since + WARM_USEC <= now)
			process_retire(p);
	loop_defer_set(pool->defer, true);
}

static void back_off(struct plugin *plugin)
{
	usec_t now = clock_now();

	if (now - plugin->crashed > BACKOFF_RESET_USEC)
		plugin->backoff = BACKOFF_MIN_USEC;
	plugin->crashed = now;
	plugin->not_before = now + plugin->backoff;
	plugin->backoff = MIN(plugin->backoff * 2, BACKOFF_MAX_USEC);
}

static void on_phase(int reason, const char *text, void *data)
{
	struct process *p = data;

	if (!p->job || reason < 0)
		return;
	p->job->phase_reason = reason;
	str_sanitize(p->job->phase, sizeof(p->job->phase), text, strlen(text));
}

/* Its files have been replaced since it began: one that begins now can read them. */
static void ask_another(struct process *p)
{
	struct work_job *job = p->job;

	p->job = NULL;
	job->process = NULL;
	job->begun = 0;
	job->again = true;
	TAILQ_INSERT_HEAD(&job->pool->waiting, job, link);
	process_retire(p);
	loop_defer_set(job->pool->defer, true);
}

static void on_answer(int r, const json_t *ok, const char *message, void *data)
{
	struct process *p = data;

	if (r == -ESTALE && p->job && !p->job->again) {
		ask_another(p);
		return;
	}
	p->idle_since = clock_now();
	if (++p->n_jobs >= PROCESS_MAX_JOBS)
		process_retire(p);
	if (p->job)
		job_end(p->job, r, ok, message);
}

static void tell_crash(const struct process *p, const char *how)
{
	char span[CLOCK_TEXT_BYTES];

	log_warning("tend-work (%s): %s%s%s, the next one starts in %s at the earliest",
		p->plugin->name, how, p->job ? " while at work for " : "",
		p->job ? p->job->component : "",
		clock_format_span(p->plugin->not_before - clock_now(), span));
}

static void on_gone(const char *how, bool signalled, void *data)
{
	struct process *p = data;
	struct work_pool *pool = p->pool;
	struct work_job *job;
	char message[WORK_TEXT_BYTES];

	LIST_REMOVE(p, link);
	if (!p->leaving) {
		pool->stats.n_ended[signalled ? WORK_CRASHED_SIGNAL : WORK_CRASHED_EXIT]++;
		back_off(p->plugin);
		tell_crash(p, how);
	}
	(void)snprintf(message, sizeof(message), "tend-work %s", how);
	job = p->job;
	if (job) { /* it waits no more, and is at work nowhere */
		p->job = NULL;
		job->process = NULL;
		TAILQ_INSERT_TAIL(&pool->waiting, job, link);
	}
	process_free(p);
	loop_defer_set(pool->defer, true);
	if (job)
		job_end(job, -EPIPE, NULL, message);
}

static struct process *idle_process(const struct work_pool *pool, const struct work_job *job)
{
	struct process *p, *found = NULL;

	/* The last one used, so that the others grow cold. */
	LIST_FOREACH (p, &pool->processes, link)
		if (!p->job && !p->leaving && p->plugin == job->plugin &&
			strcmp(p->files, job->files) == 0 &&
			(!found || p->idle_since > found->idle_since))
			found = p;
	return found;
}

static void make_room(struct work_pool *pool)
{
	struct process *p, *oldest = NULL;

	if (count_processes(pool) < pool->slots)
		return;
	LIST_FOREACH (p, &pool->processes, link)
		if (!p->job && !p->leaving && (!oldest || p->idle_since < oldest->idle_since))
			oldest = p;
	if (oldest)
		process_retire(oldest);
}

static int start_process(struct work_pool *pool, const struct work_job *job, struct process **ret)
{
	struct plugin *plugin = job->plugin;
	struct process *p = calloc(1, sizeof(*p));
	const struct worker_events events = {
		.on_phase = on_phase, .on_answer = on_answer, .on_gone = on_gone, .data = p};
	int r;

	if (!p)
		return -ENOMEM;
	p->pool = pool;
	p->plugin = plugin;
	p->files = strdup(job->files);
	make_room(pool);
	r = !p->files ? -ENOMEM
	    : !pool->program
		    ? -ENOENT
		    : worker_new(pool->loop, pool->program, plugin->name, &events, &p->worker);
	if (r < 0) {
		pool->stats.n_ended[WORK_CRASHED_START]++;
		back_off(plugin);
		process_free(p);
		return r;
	}
	pool->stats.n_started++;
	LIST_INSERT_HEAD(&pool->processes, p, link);
	*ret = p;
	return 0;
}

/* ---- giving out ----------------------------------------------------------------------------- */

/* False: the job has ended, and the list is not what it was. */
static bool begin(struct work_pool *pool, struct work_job *job)
{
	struct process *p = idle_process(pool, job);
	char message[WORK_TEXT_BYTES];
	int r = 0;

	if (!p && job->plugin->not_before > clock_now())
		return true;
	if (!p)
		r = start_process(pool, job, &p);
	if (r < 0)
		(void)snprintf(message, sizeof(message), "cannot start %.150s: %s",
			pool->program ? pool->program : "tend-work", strerror(-r));
	if (r == 0) {
		r = worker_call(p->worker, job->args);
		if (r == -ENOTCONN) { /* it is about to go; another will do */
			process_retire(p);
			loop_defer_set(pool->defer, true);
			return true;
		}
		(void)snprintf(message, sizeof(message), "cannot ask tend-work: %s", strerror(-r));
	}
	if (r < 0) {
		job_end(job, r, NULL, message);
		return false;
	}
	TAILQ_REMOVE(&pool->waiting, job, link);
	job->process = p;
	job->begun = clock_now();
	p->job = job;
	pool->stats.waited += job->begun - job->asked;
	return true;
}

static void on_defer(void *data)
{
	struct work_pool *pool = data;
	struct work_job *job = TAILQ_FIRST(&pool->waiting);

	while (job && count_busy(pool, NULL, NULL) < pool->slots) {
		struct work_job *next = TAILQ_NEXT(job, link);

		if (has_place(pool, job) && !begin(pool, job))
			next = TAILQ_FIRST(&pool->waiting);
		job = next;
	}
	arm(pool);
}

static int find_plugin(struct work_pool *pool, const char *name, struct plugin **ret_plugin)
{
	struct plugin *plugin = map_get(&pool->plugins, name);

	if (!plugin) {
		plugin = calloc(1, sizeof(*plugin));
		if (!plugin)
			return -ENOMEM;
		plugin->backoff = BACKOFF_MIN_USEC;
		plugin->name = strdup(name);
		if (!plugin->name || map_put(&pool->plugins, name, plugin) < 0) {
			free(plugin->name);
			free(plugin);
			return -ENOMEM;
		}
	}
	*ret_plugin = plugin;
	return 0;
}

int work_pool_ask(struct work_pool *pool, const struct work_order *order, work_fn fn, void *data,
	struct work_job **ret_job)
{
	struct work_job *job = calloc(1, sizeof(*job));
	int r = job ? find_plugin(pool, order->plugin, &job->plugin) : -ENOMEM;

	if (r == 0) {
		job->component = strdup(order->component);
		job->files = strdup(order->files);
		r = job->component && job->files ? 0 : -ENOMEM;
	}
	if (r < 0) {
		if (job) {
			free(job->component);
			free(job->files);
		}
		free(job);
		return r;
	}
	job->pool = pool;
	job->args = json_incref(order->args);
	job->fn = fn;
	job->data = data;
	job->deadline = order->deadline;
	job->asked = clock_now();
	job->phase_reason = -1;
	TAILQ_INSERT_TAIL(&pool->waiting, job, link);
	loop_defer_set(pool->defer, true);
	*ret_job = job;
	return 0;
}

void work_job_cancel(struct work_job *job)
{
	struct work_pool *pool = job->pool;

	if (job->process) {
		pool->stats.n_ended[clock_now() >= job->deadline ? WORK_KILLED_DEADLINE
								 : WORK_KILLED_CANCELLED]++;
		process_retire(job->process);
	}
	loop_defer_set(pool->defer, true);
	job_free(job);
}

static void busy_text(const struct work_job *job, char buf[WORK_TEXT_BYTES])
{
	const struct work_pool *pool = job->pool;
	size_t share = work_pool_share(pool), n = count_busy(pool, job->plugin, NULL);
	char span[CLOCK_TEXT_BYTES];
	usec_t now = clock_now();

	if (n >= share) {
		(void)snprintf(buf, WORK_TEXT_BYTES, "all %zu places of %.64s are taken", share,
			job->plugin->name);
		return;
	}
	n = count_busy(pool, NULL, job->component);
	if (n >= share)
		(void)snprintf(buf, WORK_TEXT_BYTES, "all %zu places of %.150s are taken", share,
			job->component);
	else if (count_busy(pool, NULL, NULL) >= pool->slots)
		(void)snprintf(buf, WORK_TEXT_BYTES, "all %zu places are taken", pool->slots);
	else if (job->plugin->not_before > now)
		(void)snprintf(buf, WORK_TEXT_BYTES, "tend-work has failed, it starts again in %s",
			clock_format_span(job->plugin->not_before - now, span));
	else
		(void)snprintf(buf, WORK_TEXT_BYTES, "it was about to start");
}

void work_job_state(
	const struct work_job *job, char buf[WORK_TEXT_BYTES], struct work_job_state *ret_state)
{
	buf[0] = '\0';
	if (!job->process)
		busy_text(job, buf);
	*ret_state = (struct work_job_state){
		.waiting = !job->process,
		.waited = (job->process ? job->begun : clock_now()) - job->asked,
		.busy = buf,
		.phase_reason = job->phase_reason,
		.phase = job->phase,
	};
}

/* ---- life ----------------------------------------------------------------------------------- */

int work_pool_new(struct loop *loop, struct work_pool **ret_pool)
{
	auto(work_pool_free) struct work_pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->loop = loop;
	pool->slots = 1;
	LIST_INIT(&pool->processes);
	TAILQ_INIT(&pool->waiting);
	r = loop_defer_new(loop, on_defer, pool, &pool->defer);
	if (r == 0)
		r = loop_timer_new(loop, on_timer, pool, &pool->timer);
	if (r < 0)
		return r;
	loop_source_name(pool->defer, "work");
	loop_source_name(pool->timer, "warm workers");
	*ret_pool = TAKE(pool);
	return 0;
}

struct work_pool *work_pool_free(struct work_pool *pool)
{
	struct process *p;
	struct work_job *job;

	if (!pool)
		return NULL;
	while ((p = LIST_FIRST(&pool->processes))) {
		LIST_REMOVE(p, link);
		if (p->job)
			job_free(p->job);
		process_free(p);
	}
	while ((job = TAILQ_FIRST(&pool->waiting)))
		job_free(job);
	MAP_FOREACH (&pool->plugins, struct plugin *, plugin) {
		free(plugin->name);
		free(plugin);
	}
	map_clear(&pool->plugins);
	loop_source_free(pool->defer);
	loop_source_free(pool->timer);
	free(pool->program);
	free(pool);
	return NULL;
}

int work_pool_set(struct work_pool *pool, const char *program, size_t slots)
{
	char *copy;

	pool->slots = MAX(slots, (size_t)1);
	loop_defer_set(pool->defer, true);
	if (str_eq(program, pool->program))
		return 0;
	copy = strdup(program);
	if (!copy)
		return -ENOMEM;
	free(pool->program);
	pool->program = copy;
	return 0;
}

void work_pool_stats(const struct work_pool *pool, struct work_stats *ret_stats)
{
	const struct work_job *job;

	*ret_stats = pool->stats;
	ret_stats->n_processes = count_processes(pool);
	ret_stats->n_busy = count_busy(pool, NULL, NULL);
	ret_stats->n_waiting = 0;
	TAILQ_FOREACH(job, &pool->waiting, link)
	ret_stats->n_waiting++;
}
