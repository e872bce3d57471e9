/* SPDX-License-Identifier: MIT */
#include "net/transfer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "net/address.h"

#define SWEEP_USEC	 (1 * USEC_PER_SEC)
#define MIN_ADDRESS_USEC (250 * USEC_PER_MSEC) /* before the next address is tried */

struct shard {
	struct transfers *transfers;
	CURLM *multi;
	struct loop_source *timer;
	bool timer_set;
	bool is_own; /* of one transfer that keeps its connection: see net_transfer_start_held() */
	size_t n_handles, n_sockets;
	unsigned n_idle_sweeps; /* in a row with handles, but neither a socket nor a timer */
};

struct net_transfer {
	struct transfers *transfers;
	struct shard *shard; /* NULL: not with libcurl (yet, or any more) */
	struct shard *own;   /* when it is held; NULL */
	CURL *easy;
	struct net_lookup *lookup;
	struct curl_slist *connect_to;
	usec_t deadline;
	usec_t next_address_at; /* USEC_INFINITY: this one has the rest of the time */
	size_t n_addresses, i_address;
	int fd; /* the last that libcurl asked to watch for it; -1 when it closed that */
	bool asked, is_repeat; /* a request went out; libcurl was about to send it again */
	struct tend_address *addresses;
	struct net_guard *guard; /* NULL: anywhere */
	bool is_literal;
	bool hold;   /* keeps its connection when it is fine */
	char *proxy; /* its URL; NULL: none */
	int result;  /* once on the list of those done */
	bool done;
	bool held; /* over, and the connection is the caller's */
	net_transfer_fn fn;
	void *data;
	TAILQ_ENTRY(net_transfer) link; /* in running, done or held */
};
TAILQ_HEAD(transfer_list, net_transfer);

struct transfers {
	struct loop *loop;
	struct resolver *resolver;
	struct vec shards; /* struct shard * */
	struct transfer_list running, done, held;
	struct loop_source *deadlines; /* the nearest deadline or change of address */
	usec_t deadlines_at;
	struct loop_source *sweep;
	struct loop_source *finish; /* calls back for those done */
	size_t n_running;
	uint64_t n_transfers;
};

static void shard_drain(struct shard *shard);

/* ---- what libcurl asks of the loop ---------------------------------------------------------- */

static void on_socket_ready(int fd, uint32_t events, void *data)
{
	struct shard *shard = data;
	int running = 0, mask = 0;

	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(shard->multi, fd, mask, &running);
	shard_drain(shard);
}

static void on_shard_timer(void *data)
{
	struct shard *shard = data;
	int running = 0;

	shard->timer_set = false;
	(void)curl_multi_socket_action(shard->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	shard_drain(shard);
}

/* Within a call of libcurl: touches the loop only, never libcurl's engine. The watch goes at once,
 * because libcurl closes the socket right after and its number may be used again. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	struct shard *shard = data;
	struct loop_source *io = socket_data;
	struct net_transfer *t = NULL;
	uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
			  (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
	if (t)
		t->fd = what == CURL_POLL_REMOVE ? -1 : fd;
	if (what == CURL_POLL_REMOVE) {
		if (io) {
			loop_source_free(io);
			shard->n_sockets--;
			(void)curl_multi_assign(shard->multi, fd, NULL);
		}
		return 0;
	}
	if (io)
		return loop_io_set(io, events) < 0 ? -1 : 0;
	if (loop_io_new(shard->transfers->loop, fd, events, on_socket_ready, shard, &io) < 0)
		return -1; /* libcurl ends the transfer with CURLE_ABORTED_BY_CALLBACK */
	loop_source_name(io, "http");
	shard->n_sockets++;
	(void)curl_multi_assign(shard->multi, fd, io);
	return 0;
}

/* libcurl 7.88 opens its sockets without CLOEXEC: a child would keep them, and the epoll, too. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *to)
{
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool is_safe(CURL *easy)
{
	static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
	char *method = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_METHOD, &method);
	for (size_t i = 0; method && i < ARRAY_SIZE(safe); i++)
		if (strcmp(method, safe[i]) == 0)
			return true;
	return false;
}

/* When a kept connection ends without an answer libcurl asks again by itself, a POST as well. What
 * is not safe (RFC 9110 9.2.1) is its owner's to repeat, who counts it and knows what is due. */
static int on_request(void *data, char *ip, char *own_ip, int port, int own_port)
{
	struct net_transfer *t = data;
	bool again = t->asked;
	long status = 0;

	t->asked = true;
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	/* After an answer it is the next step of an authentication. */
	if (!again || status != 0 || is_safe(t->easy))
		return CURL_PREREQFUNC_OK;
	t->is_repeat = true;
	/* Else libcurl writes there that a callback of ours gave up, which tells nobody anything.
	 */
	(void)curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, NULL);
	return CURL_PREREQFUNC_ABORT;
}

static int on_curl_timer(CURLM *multi, long timeout_msec, void *data)
{
	struct shard *shard = data;

	shard->timer_set = timeout_msec >= 0;
	loop_timer_set(shard->timer,
		timeout_msec < 0 ? 0 : clock_now() + (usec_t)timeout_msec * USEC_PER_MSEC);
	return 0;
}

/* ---- shards --------------------------------------------------------------------------------- */

static struct shard *shard_free(struct shard *shard)
{
	if (!shard)
		return NULL;
	if (shard->multi)
		curl_multi_cleanup(shard->multi);
	loop_source_free(shard->timer);
	free(shard);
	return NULL;
}
DEFINE_AUTO(struct shard *, shard_free)

static int shard_new(struct transfers *transfers, struct shard **ret_shard)
{
	auto(shard_free) struct shard *shard = calloc(1, sizeof(*shard));

	if (!shard)
		return -ENOMEM;
	shard->transfers = transfers;
	shard->multi = curl_multi_init();
	if (!shard->multi)
		return -ENOMEM;
	(void)curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	(void)curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
	(void)curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	(void)curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
	/* Else the cache of idle connections is four times the handles. */
	(void)curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)TRANSFER_SHARD_MAX);
	int r = loop_timer_new(transfers->loop, on_shard_timer, shard, &shard->timer);
	if (r < 0)
		return r;
	loop_source_name(shard->timer, "http timer");
	r = vec_push(&transfers->shards, shard);
	if (r < 0)
		return r;
	*ret_shard = TAKE(shard);
	return 0;
}

static int shard_with_room(struct transfers *transfers, struct shard **ret_shard)
{
	VEC_FOREACH (&transfers->shards, struct shard *, shard) {
		if (!shard->is_own && shard->n_handles < TRANSFER_SHARD_MAX) {
			*ret_shard = shard;
			return 0;
		}
	}
	return shard_new(transfers, ret_shard);
}

/* libcurl closes idle connections of a multi when another of its transfers begins, those that are
 * lent out as well. */
static int shard_of(struct net_transfer *t, struct shard **ret_shard)
{
	int r;

	if (!t->hold)
		return shard_with_room(t->transfers, ret_shard);
	r = t->own ? 0 : shard_new(t->transfers, &t->own);
	if (r < 0)
		return r;
	t->own->is_own = true;
	*ret_shard = t->own;
	return 0;
}

static void shard_drop(struct shard *shard)
{
	struct vec *shards = &shard->transfers->shards;

	for (size_t i = shards->len; i-- > 0;)
		if (shards->items[i] == shard)
			vec_remove(shards, i);
	shard_free(shard);
}

/* ---- the life of a transfer ----------------------------------------------------------------- */

static void leave_shard(struct net_transfer *t)
{
	if (!t->shard)
		return;
	(void)curl_multi_remove_handle(t->shard->multi, t->easy);
	t->shard->n_handles--;
	t->shard = NULL;
}

static void detach_easy(struct net_transfer *t)
{
	leave_shard(t);
	(void)curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, NULL);
	(void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, NULL);
	(void)curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, NULL);
	curl_slist_free_all(t->connect_to);
	t->connect_to = NULL;
}

/* The callback comes from the loop, never from within a call of the owner or of libcurl. */
static void transfer_done(struct net_transfer *t, int result)
{
	struct transfers *transfers = t->transfers;

	net_lookup_cancel(TAKE(t->lookup));
	if (!t->hold || result != CURLE_OK)
		detach_easy(t);
	TAILQ_REMOVE(&transfers->running, t, link);
	TAILQ_INSERT_TAIL(&transfers->done, t, link);
	t->result = result;
	t->done = true;
	loop_defer_set(transfers->finish, true);
}

static void transfer_free(struct net_transfer *t)
{
	struct transfers *transfers = t->transfers;

	TAILQ_REMOVE(t->held   ? &transfers->held
		     : t->done ? &transfers->done
			       : &transfers->running,
		t, link);
	transfers->n_running--;
	net_lookup_cancel(t->lookup);
	detach_easy(t);
	if (t->own)
		shard_drop(t->own);
	free(t->addresses);
	free(t->proxy);
	free(t);
}

static void on_finish(void *data)
{
	struct transfers *transfers = data;
	struct net_transfer *t;

	while ((t = TAILQ_FIRST(&transfers->done))) {
		net_transfer_fn fn = t->fn;
		void *fn_data = t->data;
		CURL *easy = t->easy;
		int result = t->result;

		if (t->hold && result == CURLE_OK) {
			TAILQ_REMOVE(&transfers->done, t, link);
			TAILQ_INSERT_TAIL(&transfers->held, t, link);
			t->held = true;
		} else {
			transfer_free(t);
		}
		fn(easy, result, fn_data);
	}
}

static void arm_deadlines(struct transfers *transfers, usec_t at)
{
	if (transfers->deadlines_at && transfers->deadlines_at <= at)
		return;
	transfers->deadlines_at = at;
	loop_timer_set(transfers->deadlines, at);
}

/* An address that does not answer gets its share of the time that is left, then the next is tried.
 */
static usec_t share_of_time(const struct net_transfer *t)
{
	size_t n_left = t->n_addresses - t->i_address;
	usec_t now = clock_now();

	if (n_left <= 1 || t->deadline <= now)
		return USEC_INFINITY;
	return now + MAX((t->deadline - now) / n_left, MIN_ADDRESS_USEC);
}

static int set_connect_to(struct net_transfer *t, const struct tend_address *address)
{
	char text[ADDRESS_TEXT_BYTES], entry[ADDRESS_TEXT_BYTES + 4];

	/* Any host, any port -> this address, the same port. */
	(void)snprintf(entry, sizeof(entry), "::%s:", address_format(address, text));
	struct curl_slist *list = curl_slist_append(NULL, entry);
	if (!list)
		return -ENOMEM;
	(void)curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, list);
	curl_slist_free_all(t->connect_to);
	t->connect_to = list;
	if (address->sa.sa_family == AF_INET6)
		(void)curl_easy_setopt(
			t->easy, CURLOPT_ADDRESS_SCOPE, (long)address->in6.sin6_scope_id);
	return 0;
}

/* libcurl gets the proxy's address, and no name to look up: the target's is the proxy's. */
static int set_proxy(struct net_transfer *t, const struct tend_address *address)
{
	char text[ADDRESS_TEXT_BYTES];
	char *url = NULL;
	CURLU *u = curl_url();
	int r = -EINVAL;

	if (u && curl_url_set(u, CURLUPART_URL, t->proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		curl_url_set(u, CURLUPART_HOST, address_format(address, text), 0) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK &&
		curl_easy_setopt(t->easy, CURLOPT_PROXY, url) == CURLE_OK &&
		curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "") == CURLE_OK)
		r = 0;
	curl_free(url);
	curl_url_cleanup(u);
	return r;
}

static void set_options(struct net_transfer *t)
{
	CURL *easy = t->easy;

	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	/* Literals only: nothing is worth keeping, and a long cache is what makes many handles
	 * slow. */
	(void)curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	/* libcurl would resolve the new host itself: whoever follows, starts a new transfer. */
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* Nothing from the environment. */
	if (!t->proxy)
		(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static int join_shard(struct net_transfer *t)
{
	struct shard *shard = NULL;
	int r = shard_of(t, &shard);

	if (r < 0)
		return r;
	if (t->n_addresses > 0) {
		const struct tend_address *address = &t->addresses[t->i_address];

		r = t->proxy ? set_proxy(t, address) : set_connect_to(t, address);
		if (r < 0)
			return r;
	}
	t->next_address_at = share_of_time(t);
	set_options(t);
	if (curl_multi_add_handle(shard->multi, t->easy) != CURLM_OK)
		return -EIO;
	t->shard = shard;
	shard->n_handles++;
	arm_deadlines(t->transfers, MIN(t->deadline, t->next_address_at));
	return 0;
}

/* True if another address is being tried now. */
static bool try_next_address(struct net_transfer *t)
{
	if (t->i_address + 1 >= t->n_addresses || clock_now() >= t->deadline)
		return false;
	t->i_address++;
	leave_shard(t);
	t->fd = -1;
	return join_shard(t) == 0;
}

/* libcurl tells the time of a connection only once TLS is up; the kernel knows before. */
static bool tcp_connected(const struct net_transfer *t)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return t->fd >= 0 && getpeername(t->fd, (struct sockaddr *)&peer, &len) == 0;
}

static void shard_drain(struct shard *shard)
{
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(shard->multi, &n_left))) {
		struct net_transfer *t = NULL;
		CURLcode result = message->data.result; /* gone once the handle is removed */

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (!t)
			continue;
		if (result == CURLE_COULDNT_CONNECT && try_next_address(t))
			continue;
		transfer_done(t, t->is_repeat ? CURLE_GOT_NOTHING : (int)result);
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

static void check_time(struct net_transfer *t, usec_t now)
{
	if (t->deadline <= now) {
		transfer_done(t, t->shard ? CURLE_OPERATION_TIMEDOUT : -ETIMEDOUT);
		return;
	}
	if (t->next_address_at > now)
		return;
	t->next_address_at = USEC_INFINITY;
	if (!tcp_connected(t) && !try_next_address(t) && !t->shard)
		transfer_done(t, CURLE_COULDNT_CONNECT);
}

static void on_deadlines(void *data)
{
	struct transfers *transfers = data;
	usec_t now = clock_now(), next = USEC_INFINITY;
	struct net_transfer *t, *after;

	transfers->deadlines_at = 0;
	for (t = TAILQ_FIRST(&transfers->running); t; t = after) {
		after = TAILQ_NEXT(t, link);
		check_time(t, now);
		if (t->done)
			continue;
		next = MIN(next, t->deadline);
		next = MIN(next, t->next_address_at);
	}
	if (next != USEC_INFINITY)
		arm_deadlines(transfers, next);
}

/* libcurl has lost transfers before (curl #8282, #10426, #14976): handles without a socket and
 * without a timer get a push; their deadline ends them in any case. */
static void on_sweep(void *data)
{
	struct transfers *transfers = data;

	VEC_FOREACH (&transfers->shards, struct shard *, shard) {
		bool lost = shard->n_handles > 0 && shard->n_sockets == 0 && !shard->timer_set &&
			    !shard->is_own;

		shard->n_idle_sweeps = lost ? shard->n_idle_sweeps + 1 : 0;
		if (shard->n_idle_sweeps < 2)
			continue;
		log_warning("net: %zu transfers wait for nothing, pushing them", shard->n_handles);
		shard->n_idle_sweeps = 0;
		on_shard_timer(shard);
	}
	loop_timer_set(transfers->sweep, transfers->n_running > 0 ? clock_now() + SWEEP_USEC : 0);
}

/* ---- start ---------------------------------------------------------------------------------- */

static bool is_allowed(const struct net_transfer *t, const struct tend_address *address)
{
	if (!t->guard)
		return true;
	const struct address_guard guard = {.lists = t->guard->lists,
		.n_lists = t->guard->n_lists,
		.is_literal = t->is_literal,
		.listed_only = t->guard->listed_only};
	return address_is_allowed(&guard, address, t->guard->refusal);
}

/* What is checked here is what is connected to: libcurl gets no name. */
static int keep_addresses(struct net_transfer *t, const struct tend_address *addresses, size_t n)
{
	t->addresses = reallocarray(NULL, n, sizeof(*addresses));
	if (!t->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (is_allowed(t, &addresses[i]))
			t->addresses[t->n_addresses++] = addresses[i];
	return t->n_addresses > 0 ? 0 : -EACCES;
}

/* localhost is no name that a name server answers (RFC 6761). */
static bool is_literal(const char *host)
{
	struct tend_address address;

	return address_parse(host, &address) == 0 || strcasecmp(host, "localhost") == 0;
}

static void on_resolved(int r, const struct tend_address *addresses, size_t n, void *data)
{
	struct net_transfer *t = data;

	t->lookup = NULL;
	if (r == 0)
		r = keep_addresses(t, addresses, n);
	if (r == 0)
		r = join_shard(t);
	if (r < 0)
		transfer_done(t, r);
}

static int host_of(const char *url, char **ret_host)
{
	CURLU *u = curl_url();
	char *host = NULL;
	int r = -EINVAL;

	if (!u)
		return -ENOMEM;
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		*ret_host = strdup(host);
		r = *ret_host ? 0 : -ENOMEM;
	}
	curl_free(host);
	curl_url_cleanup(u);
	return r;
}

static struct net_transfer *transfer_add(
	struct transfers *transfers, CURL *easy, usec_t deadline, net_transfer_fn fn, void *data)
{
	struct net_transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct net_transfer){.transfers = transfers,
		.easy = easy,
		.deadline = deadline,
		.next_address_at = USEC_INFINITY,
		.fd = -1,
		.fn = fn,
		.data = data};
	if (transfers->n_running++ == 0)
		loop_timer_set(transfers->sweep, clock_now() + SWEEP_USEC);
	transfers->n_transfers++;
	TAILQ_INSERT_TAIL(&transfers->running, t, link);
	arm_deadlines(transfers, deadline);
	return t;
}

int transfers_start(struct transfers *transfers, CURL *easy, const char *url, usec_t deadline,
	struct net_guard *guard, enum transfer_kind kind, net_transfer_fn fn, void *data,
	struct net_transfer **ret_transfer)
{
	auto_free char *host = NULL, *proxy = NULL;
	int r;

	if (transfers->n_running >= TRANSFER_MAX_RUNNING)
		return -EBUSY;
	if (url) {
		r = host_of(url, &host);
		if (r < 0)
			return r;
	}
	if (kind == TRANSFER_PROXIED && (!url || !(proxy = strdup(url))))
		return -ENOMEM;
	struct net_transfer *t = transfer_add(transfers, easy, deadline, fn, data);
	if (!t)
		return -ENOMEM;
	t->guard = guard;
	t->hold = kind == TRANSFER_HELD;
	t->proxy = TAKE(proxy);
	t->is_literal = host && is_literal(host);
	r = host ? resolver_resolve(transfers->resolver, host, on_resolved, t, &t->lookup)
		 : join_shard(t);
	if (r < 0) {
		transfer_free(t);
		return r;
	}
	*ret_transfer = t;
	return 0;
}

void net_transfer_cancel(struct net_transfer *transfer)
{
	if (transfer)
		transfer_free(transfer);
}

void transfers_add_stats(const struct transfers *transfers, struct net_stats *stats)
{
	stats->n_transfers += transfers->n_transfers;
	stats->n_running += transfers->n_running;
}

/* ---- the whole ------------------------------------------------------------------------------ */

int transfers_new(struct loop *loop, struct resolver *resolver, struct transfers **ret_transfers)
{
	auto(transfers_free) struct transfers *transfers = calloc(1, sizeof(*transfers));
	int r;

	if (!transfers)
		return -ENOMEM;
	transfers->loop = loop;
	transfers->resolver = resolver;
	TAILQ_INIT(&transfers->running);
	TAILQ_INIT(&transfers->done);
	TAILQ_INIT(&transfers->held);
	r = loop_timer_new(loop, on_deadlines, transfers, &transfers->deadlines);
	if (r == 0)
		r = loop_timer_new(loop, on_sweep, transfers, &transfers->sweep);
	if (r == 0)
		r = loop_defer_new(loop, on_finish, transfers, &transfers->finish);
	if (r < 0)
		return r;
	loop_source_name(transfers->deadlines, "transfer deadlines");
	loop_source_name(transfers->sweep, "transfer sweep");
	loop_source_name(transfers->finish, "transfer ends");
	loop_defer_set(transfers->finish, false);
	*ret_transfers = TAKE(transfers);
	return 0;
}

struct transfers *transfers_free(struct transfers *transfers)
{
	struct net_transfer *t;

	if (!transfers)
		return NULL;
	while ((t = TAILQ_FIRST(&transfers->running)))
		transfer_free(t);
	while ((t = TAILQ_FIRST(&transfers->done)))
		transfer_free(t);
	while ((t = TAILQ_FIRST(&transfers->held)))
		transfer_free(t);
	VEC_FOREACH (&transfers->shards, struct shard *, shard)
		shard_free(shard);
	vec_clear(&transfers->shards);
	loop_source_free(transfers->deadlines);
	loop_source_free(transfers->sweep);
	loop_source_free(transfers->finish);
	free(transfers);
	return NULL;
}
