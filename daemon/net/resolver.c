/* SPDX-License-Identifier: MIT */
#include "net/resolver.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "net/address.h"
#include "net/hosts.h"
#include "net/servers.h"

#define TOTAL_USEC	    (5 * USEC_PER_SEC)
#define HEDGE_USEC	    (300 * USEC_PER_MSEC) /* then the next server is asked as well */
#define TTL_MIN_USEC	    (5 * USEC_PER_SEC)
#define TTL_MAX_USEC	    (300 * USEC_PER_SEC)
#define TTL_NO_NAME_USEC    (10 * USEC_PER_SEC)
#define TTL_NO_ANSWER_USEC  (2 * USEC_PER_SEC)
#define FILES_INTERVAL_USEC (1 * USEC_PER_SEC)

enum name_state {
	NAME_IDLE,    /* nothing known, or what is known has expired */
	NAME_CACHED,  /* until `expires` */
	NAME_WAITING, /* for one of the 64 places */
	NAME_ASKED,   /* name servers are being asked */
};

struct name;
struct net_lookup {
	struct name *name;
	net_lookup_fn fn;
	void *data;
	LIST_ENTRY(net_lookup) link;
};
LIST_HEAD(lookup_list, net_lookup);

/* A question to one server. It may outlive the interest in its answer: then `name` is NULL. */
struct question {
	struct name *name;
	LIST_ENTRY(question) link;
};
LIST_HEAD(question_list, question);

struct name {
	struct resolver *resolver;
	enum name_state state;
	int r;
	usec_t expires;	 /* of a cached answer */
	usec_t deadline; /* of a look-up */
	usec_t hedge_at; /* when the next server is asked */
	size_t n_servers_asked;
	size_t n_addresses;
	struct tend_address *addresses;
	struct lookup_list lookups;
	struct question_list questions;
	TAILQ_ENTRY(name) link; /* in waiting or asked */
	char text[];
};
TAILQ_HEAD(name_list, name);

struct resolver {
	struct loop *loop;
	struct resolver_options options;
	struct hosts hosts;
	struct servers
		*servers;   /* NULL: none could be set up; tried again when files are looked at */
	struct vec retired; /* struct servers * of an older resolv.conf that still run queries */
	struct stat resolv_conf_seen;
	usec_t files_at;
	struct map names; /* struct name * */
	struct name_list waiting, asked;
	size_t n_waiting, n_asked;
	struct loop_source *timer; /* deadlines and hedges */
	struct loop_source *kick;  /* new names wait */
	uint64_t n_lookups, n_cached, n_failed;
};

/* ---- files ---------------------------------------------------------------------------------- */

static bool stat_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void free_idle_retired(struct resolver *resolver)
{
	for (size_t i = resolver->retired.len; i-- > 0;) {
		struct servers *old = resolver->retired.items[i];
		if (servers_running(old) > 0)
			continue;
		vec_remove(&resolver->retired, i);
		servers_free(old);
	}
}

/* c-ares 1.18 reads resolv.conf once: a changed file needs new channels. */
static void refresh_servers(struct resolver *resolver)
{
	struct stat now = {0};
	struct servers *fresh = NULL;

	free_idle_retired(resolver);
	if (stat(resolver->options.resolv_conf, &now) < 0)
		now = (struct stat){0};
	if (resolver->servers && stat_same(&now, &resolver->resolv_conf_seen))
		return;
	int r = servers_new(
		resolver->loop, resolver->options.resolv_conf, resolver->options.servers, &fresh);
	if (r < 0) {
		log_warning("net: cannot use the name servers of %s: %s, next try in 1 s",
			resolver->options.resolv_conf, strerror(-r));
		return;
	}
	if (resolver->servers && vec_push(&resolver->retired, resolver->servers) < 0) {
		servers_free(fresh);
		return;
	}
	resolver->servers = fresh;
	resolver->resolv_conf_seen = now;
}

static void refresh_files(struct resolver *resolver)
{
	usec_t now = clock_now();

	if (resolver->files_at && now < resolver->files_at + FILES_INTERVAL_USEC)
		return;
	resolver->files_at = now;
	int r = hosts_refresh(&resolver->hosts, resolver->options.hosts);
	if (r < 0)
		log_warning("net: cannot read %s: %s", resolver->options.hosts, strerror(-r));
	refresh_servers(resolver);
}

/* ---- names ---------------------------------------------------------------------------------- */

static struct name *name_new(struct resolver *resolver, const char *text)
{
	size_t n = strlen(text) + 1;
	struct name *name = calloc(1, sizeof(*name) + n);

	if (!name)
		return NULL;
	name->resolver = resolver;
	memcpy(name->text, text, n);
	LIST_INIT(&name->lookups);
	LIST_INIT(&name->questions);
	return name;
}

static void name_free(struct name *name)
{
	struct net_lookup *lookup;

	while ((lookup = LIST_FIRST(&name->lookups))) {
		LIST_REMOVE(lookup, link);
		free(lookup);
	}
	free(name->addresses);
	free(name);
}

/* The cache is full: all that is not being asked for goes; what is needed comes back soon. */
static int purge(struct resolver *resolver)
{
	struct map kept = {0};
	int r = 0;

	MAP_FOREACH (&resolver->names, struct name *, name)
		if (name->state >= NAME_WAITING && r == 0)
			r = map_put(&kept, name->text, name);
	if (r < 0) {
		map_clear(&kept);
		return r;
	}
	MAP_FOREACH (&resolver->names, struct name *, name)
		if (name->state < NAME_WAITING)
			name_free(name);
	map_clear(&resolver->names);
	resolver->names = kept;
	return 0;
}

static struct name *name_get(struct resolver *resolver, const char *text)
{
	struct name *name = map_get(&resolver->names, text);

	if (name)
		return name;
	if (resolver->names.len >= RESOLVER_MAX_NAMES && purge(resolver) < 0)
		return NULL;
	name = name_new(resolver, text);
	if (name && map_put(&resolver->names, name->text, name) < 0) {
		name_free(name);
		return NULL;
	}
	return name;
}

static void arm(struct resolver *resolver)
{
	struct name *waiting = TAILQ_FIRST(&resolver->waiting), *name;
	usec_t next = waiting ? waiting->deadline : USEC_INFINITY;

	TAILQ_FOREACH(name, &resolver->asked, link)
	{
		next = MIN(next, name->deadline);
		next = MIN(next, name->hedge_at);
	}
	loop_timer_set(resolver->timer, next);
}

static void forget_questions(struct name *name)
{
	struct question *q;

	while ((q = LIST_FIRST(&name->questions))) {
		LIST_REMOVE(q, link);
		q->name = NULL;
	}
}

static usec_t ttl_of(const struct servers_answer *answer)
{
	usec_t ttl = answer->ttl_sec * USEC_PER_SEC;

	if (answer->r == -ENOENT)
		return TTL_NO_NAME_USEC;
	if (answer->r < 0)
		return TTL_NO_ANSWER_USEC;
	ttl = MIN(ttl, TTL_MAX_USEC);
	return MAX(ttl, TTL_MIN_USEC);
}

static void name_store(struct name *name, const struct servers_answer *answer)
{
	free(name->addresses);
	name->n_addresses = 0;
	name->addresses = NULL;
	name->r = answer->r;
	name->expires = clock_now() + ttl_of(answer);
	if (answer->r < 0)
		return;
	name->addresses = reallocarray(NULL, answer->n_addresses, sizeof(*name->addresses));
	if (!name->addresses) {
		name->r = -ENOMEM;
		return;
	}
	memcpy(name->addresses, answer->addresses, answer->n_addresses * sizeof(*name->addresses));
	name->n_addresses = answer->n_addresses;
}

static void take_lookups(struct lookup_list *to, struct lookup_list *from)
{
	LIST_INIT(to);
	to->lh_first = from->lh_first;
	if (to->lh_first)
		to->lh_first->link.le_prev = &to->lh_first;
	LIST_INIT(from);
}

/* Ends the look-up for all who wait. Those may start or cancel look-ups meanwhile, and even change
 * what is cached: they get `answer`, which is the caller's. */
static void name_done(struct name *name, const struct servers_answer *answer)
{
	struct resolver *resolver = name->resolver;
	struct net_lookup *lookup;
	struct lookup_list done;

	if (name->state == NAME_ASKED) {
		TAILQ_REMOVE(&resolver->asked, name, link);
		resolver->n_asked--;
	} else {
		TAILQ_REMOVE(&resolver->waiting, name, link);
		resolver->n_waiting--;
	}
	forget_questions(name);
	name->state = NAME_CACHED;
	name_store(name, answer);
	if (answer->r < 0)
		resolver->n_failed++;
	take_lookups(&done, &name->lookups);
	/* Not here: a question that fails at once would lead back to this place, thousands deep. */
	loop_defer_set(resolver->kick, true);
	while ((lookup = LIST_FIRST(&done))) {
		LIST_REMOVE(lookup, link);
		lookup->fn(answer->r, answer->addresses, answer->n_addresses, lookup->data);
		free(lookup);
	}
}

static void name_failed(struct name *name, int r)
{
	struct servers_answer answer = {.r = r};

	name_done(name, &answer);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void ask_next_server(struct name *name);

static void on_answer(const struct servers_answer *answer, void *data)
{
	auto_free struct question *q = data;
	struct name *name = q->name;

	if (!name)
		return;
	struct resolver *resolver = name->resolver;
	LIST_REMOVE(q, link);
	if (answer->r == -ECANCELED)
		return;
	if (answer->r == -ETIMEDOUT || answer->r == -EAGAIN) {
		/* Another server may know; while one is still being asked, wait for it. */
		if (name->n_servers_asked < servers_count(resolver->servers)) {
			ask_next_server(name);
			arm(resolver);
			return;
		}
		if (!LIST_EMPTY(&name->questions))
			return;
	}
	name_done(name, answer);
	arm(resolver);
}

static void ask_next_server(struct name *name)
{
	struct resolver *resolver = name->resolver;
	struct question *q = calloc(1, sizeof(*q));
	size_t nth = name->n_servers_asked++;
	bool more = name->n_servers_asked < servers_count(resolver->servers);

	name->hedge_at = more ? clock_now() + HEDGE_USEC : USEC_INFINITY;
	if (!q)
		return; /* the deadline ends it */
	q->name = name;
	LIST_INSERT_HEAD(&name->questions, q, link);
	servers_query(
		resolver->servers, servers_rank(resolver->servers, nth), name->text, on_answer, q);
}

static void start_waiting(struct resolver *resolver)
{
	struct name *name;

	while (resolver->n_asked < RESOLVER_MAX_IN_FLIGHT &&
		(name = TAILQ_FIRST(&resolver->waiting))) {
		TAILQ_REMOVE(&resolver->waiting, name, link);
		resolver->n_waiting--;
		name->state = NAME_ASKED;
		name->n_servers_asked = 0;
		TAILQ_INSERT_TAIL(&resolver->asked, name, link);
		resolver->n_asked++;
		ask_next_server(name);
	}
}

/* One at a time and from the start again: what is called back may change both lists. */
static struct name *due(struct resolver *resolver, usec_t now)
{
	struct name *name = TAILQ_FIRST(&resolver->waiting);

	if (name && name->deadline <= now)
		return name;
	TAILQ_FOREACH(name, &resolver->asked, link)
	if (name->deadline <= now || name->hedge_at <= now)
		return name;
	return NULL;
}

static void on_timer(void *data)
{
	struct resolver *resolver = data;
	usec_t now = clock_now();
	struct name *name;

	while ((name = due(resolver, now))) {
		if (name->deadline <= now)
			name_failed(name, -ETIMEDOUT);
		else
			ask_next_server(name);
	}
	arm(resolver);
}

static int name_wait(struct name *name)
{
	struct resolver *resolver = name->resolver;

	if (!resolver->servers)
		return -EAGAIN;
	if (resolver->n_waiting >= RESOLVER_MAX_WAITING)
		return -EBUSY;
	name->state = NAME_WAITING;
	name->deadline = clock_now() + TOTAL_USEC;
	TAILQ_INSERT_TAIL(&resolver->waiting, name, link);
	resolver->n_waiting++;
	return 0;
}

/* ---- the door ------------------------------------------------------------------------------- */

/* Lower case, without the final dot; -EINVAL for what can be no name. */
static int normalize(const char *name, char out[HOSTS_MAX_NAME_BYTES])
{
	size_t n = strlen(name);

	if (n > 0 && name[n - 1] == '.')
		n--;
	if (n == 0 || n >= HOSTS_MAX_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c <= ' ' || c >= 0x7f || strchr("/:@[]\\\"'%", c))
			return -EINVAL;
		out[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	out[n] = '\0';
	return 0;
}

/* RFC 6761 section 6.3: never a question to a name server. */
static size_t localhost(struct tend_address out[2])
{
	(void)address_parse("127.0.0.1", &out[0]);
	(void)address_parse("::1", &out[1]);
	return 2;
}

static bool is_localhost(const char *name)
{
	return strcmp(name, "localhost") == 0 || str_endswith(name, ".localhost");
}

static bool known(struct resolver *resolver, const char *text, net_lookup_fn fn, void *data)
{
	const struct hosts_entry *entry = hosts_find(&resolver->hosts, text);
	struct tend_address local[2];

	if (entry) {
		/* A copy: the callback may lead to a refresh. */
		struct hosts_entry copy = *entry;
		fn(0, copy.addresses, copy.n_addresses, data);
		return true;
	}
	if (is_localhost(text)) {
		fn(0, local, localhost(local), data);
		return true;
	}
	return false;
}

static bool cached(struct resolver *resolver, struct name *name, net_lookup_fn fn, void *data)
{
	struct tend_address copy[TEND_RESOLVE_MAX];
	size_t n = name->n_addresses;

	if (name->state != NAME_CACHED || name->expires <= clock_now())
		return false;
	if (n > 0)
		memcpy(copy, name->addresses, n * sizeof(copy[0]));
	resolver->n_cached++;
	fn(name->r, copy, n, data);
	return true;
}

int resolver_resolve(struct resolver *resolver, const char *text, net_lookup_fn fn, void *data,
	struct net_lookup **ret_lookup)
{
	struct tend_address literal;
	char lower[HOSTS_MAX_NAME_BYTES];
	int r;

	resolver->n_lookups++;
	if (address_parse(text, &literal) == 0) {
		*ret_lookup = NULL;
		fn(0, &literal, 1, data);
		return 0;
	}
	r = normalize(text, lower);
	if (r < 0)
		return r;
	refresh_files(resolver);
	*ret_lookup = NULL;
	if (known(resolver, lower, fn, data))
		return 0;
	struct name *name = name_get(resolver, lower);
	if (!name)
		return -ENOMEM;
	if (cached(resolver, name, fn, data))
		return 0;
	auto_free struct net_lookup *lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return -ENOMEM;
	if (name->state < NAME_WAITING) {
		r = name_wait(name);
		if (r < 0)
			return r;
	}
	*lookup = (struct net_lookup){.name = name, .fn = fn, .data = data};
	LIST_INSERT_HEAD(&name->lookups, lookup, link);
	*ret_lookup = TAKE(lookup);
	/* The question leaves in the next turn, not from here: then no answer, not even a failure
	 * to send, can come before this returns. */
	loop_defer_set(resolver->kick, true);
	return 0;
}

void net_lookup_cancel(struct net_lookup *lookup)
{
	if (!lookup)
		return;
	/* The name goes on being asked: its answer is worth caching. */
	LIST_REMOVE(lookup, link);
	free(lookup);
}

static void on_kick(void *data)
{
	start_waiting(data);
	arm(data);
}

static int resolver_init_sources(struct resolver *resolver)
{
	int r = loop_timer_new(resolver->loop, on_timer, resolver, &resolver->timer);

	if (r < 0)
		return r;
	loop_source_name(resolver->timer, "resolver");
	r = loop_defer_new(resolver->loop, on_kick, resolver, &resolver->kick);
	if (r < 0)
		return r;
	loop_source_name(resolver->kick, "resolver kick");
	loop_defer_set(resolver->kick, false);
	return 0;
}

int resolver_new(
	struct loop *loop, const struct resolver_options *options, struct resolver **ret_resolver)
{
	auto(resolver_free) struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return -ENOMEM;
	resolver->loop = loop;
	if (options)
		resolver->options = *options;
	if (!resolver->options.resolv_conf)
		resolver->options.resolv_conf = "/etc/resolv.conf";
	if (!resolver->options.hosts)
		resolver->options.hosts = "/etc/hosts";
	TAILQ_INIT(&resolver->waiting);
	TAILQ_INIT(&resolver->asked);
	int r = resolver_init_sources(resolver);
	if (r < 0)
		return r;
	refresh_files(resolver);
	*ret_resolver = TAKE(resolver);
	return 0;
}

struct resolver *resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return NULL;
	/* First: this frees the questions that still run. */
	VEC_FOREACH (&resolver->retired, struct servers *, old)
		servers_free(old);
	vec_clear(&resolver->retired);
	servers_free(resolver->servers);
	MAP_FOREACH (&resolver->names, struct name *, name)
		name_free(name);
	map_clear(&resolver->names);
	hosts_clear(&resolver->hosts);
	loop_source_free(resolver->timer);
	loop_source_free(resolver->kick);
	free(resolver);
	return NULL;
}

void resolver_add_stats(const struct resolver *resolver, struct net_stats *stats)
{
	stats->n_lookups += resolver->n_lookups;
	stats->n_cached += resolver->n_cached;
	stats->n_failed += resolver->n_failed;
}
