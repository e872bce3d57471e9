/* SPDX-License-Identifier: MIT */
/* The transfer engine against a web server that behaves and misbehaves (http_server.py). */
#include "plugin_fixture.h"
#include <dirent.h>
#include "net/resolver.h"
#include "net/transfer.h"

static struct fixture fixture;

struct get {
	bool done;
	unsigned n_calls;
	int result;
	long status;
	size_t n_bytes;
	char body[64]; /* its beginning */
	CURL *easy;
	struct net_transfer *transfer;
	bool restart;	   /* start another transfer from the callback */
	struct get *other; /* cancel this one from the callback */
	const char *url;
};

static size_t on_data(char *data, size_t size, size_t n, void *user)
{
	struct get *g = user;

	if (g->n_bytes == 0)
		snprintf(g->body, sizeof(g->body), "%.*s", (int)(size * n), data);
	g->n_bytes += size * n;
	return size * n;
}

static void start(struct get *g, const char *url, usec_t timeout);

static void on_end(CURL *easy, int result, void *data)
{
	struct get *g = data;

	assert_ptr_equal(easy, g->easy);
	g->transfer = NULL;
	g->n_calls++;
	g->result = result;
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &g->status);
	g->done = true;
	if (g->other && g->other->transfer) {
		net_transfer_cancel(g->other->transfer);
		g->other->transfer = NULL;
	}
	if (g->restart) {
		g->restart = false;
		g->done = false;
		start(g, g->url, 5 * USEC_PER_SEC);
	}
}

static void start(struct get *g, const char *url, usec_t timeout)
{
	if (!g->easy)
		g->easy = curl_easy_init();
	(void)curl_easy_setopt(g->easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(g->easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(g->easy, CURLOPT_WRITEDATA, g);
	g->url = url;
	assert_int_equal(net_transfer_start(fixture.net, g->easy, url, clock_now() + timeout,
				 on_end, g, &g->transfer),
		0);
}

static char *url_of(const char *path)
{
	return str_printf("http://127.0.0.1:%d%s", fixture_port(&fixture, "http"), path);
}

static void wait_done(const struct get *g)
{
	fixture_wait(&fixture, &g->done, 10 * USEC_PER_SEC);
}

static size_t n_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static void test_one(void **state)
{
	struct get g = {0};
	auto_free char *url = url_of("/ok");

	start(&g, url, 5 * USEC_PER_SEC);
	assert_false(g.done); /* never before it returns */
	wait_done(&g);
	assert_int_equal(g.result, CURLE_OK);
	assert_int_equal(g.status, 200);
	assert_int_equal(g.n_bytes, 11);
	curl_easy_cleanup(g.easy);
}

/* More than a shard holds, all at once, through two shards; then none is left. */
static void test_many(void **state)
{
	enum { N = 1300 };
	struct get *g = calloc(N, sizeof(*g));
	struct net_stats stats;
	auto_free char *url = url_of("/empty");
	size_t before = n_threads();

	for (int i = 0; i < N; i++)
		start(&g[i], url, 30 * USEC_PER_SEC);
	net_get_stats(fixture.net, &stats);
	assert_int_equal(stats.n_running, N);
	for (int i = 0; i < N; i++) {
		fixture_wait(&fixture, &g[i].done, 30 * USEC_PER_SEC);
		if (g[i].result != CURLE_OK || g[i].status != 204 || g[i].n_calls != 1)
			fail_msg("%d: %s", i, curl_easy_strerror((CURLcode)g[i].result));
		curl_easy_cleanup(g[i].easy);
	}
	net_get_stats(fixture.net, &stats);
	assert_int_equal(stats.n_running, 0);
	assert_int_equal(n_threads(), before);
	free(g);
}

static void test_deadline(void **state)
{
	struct get slow = {0}, fast = {0};
	auto_free char *slow_url = url_of("/endless"), *fast_url = url_of("/hang");
	usec_t began = clock_now();

	start(&slow, slow_url, 400 * USEC_PER_MSEC);
	start(&fast, fast_url, 150 * USEC_PER_MSEC);
	wait_done(&fast);
	assert_in_range(clock_now() - began, 140 * USEC_PER_MSEC, 300 * USEC_PER_MSEC);
	assert_int_equal(fast.result, CURLE_OPERATION_TIMEDOUT);
	assert_false(slow.done);
	wait_done(&slow);
	assert_in_range(clock_now() - began, 390 * USEC_PER_MSEC, 550 * USEC_PER_MSEC);
	assert_int_equal(slow.result, CURLE_OPERATION_TIMEDOUT);
	assert_true(slow.n_bytes > 0);
	curl_easy_cleanup(slow.easy);
	curl_easy_cleanup(fast.easy);
}

static void test_no_name(void **state)
{
	struct get g = {0};

	start(&g, "http://no-such-name.invalid/", 6 * USEC_PER_SEC);
	wait_done(&g);
	assert_true(g.result < 0);
	/* Now from the cache: still not before it returns. */
	g.done = false;
	start(&g, "http://no-such-name.invalid/", 6 * USEC_PER_SEC);
	assert_false(g.done);
	wait_done(&g);
	assert_true(g.result < 0);
	curl_easy_cleanup(g.easy);
}

static void test_refused(void **state)
{
	struct get g = {0};

	start(&g, "http://www.localhost:1/", 5 * USEC_PER_SEC); /* both addresses */
	wait_done(&g);
	assert_int_equal(g.result, CURLE_COULDNT_CONNECT);
	curl_easy_cleanup(g.easy);
}

static void test_second_address(void **state)
{
	struct get g = {0};
	auto_free char *url =
		str_printf("http://www.localhost:%d/ok", fixture_port(&fixture, "http6"));

	start(&g, url, 5 * USEC_PER_SEC);
	wait_done(&g);
	assert_int_equal(g.result, CURLE_OK);
	curl_easy_cleanup(g.easy);
}

static void test_from_callbacks(void **state)
{
	struct get a = {0}, b = {0};
	auto_free char *url = url_of("/ok"), *hang = url_of("/hang");

	start(&b, hang, 5 * USEC_PER_SEC);
	a.restart = true;
	a.other = &b;
	start(&a, url, 5 * USEC_PER_SEC);
	wait_done(&a);
	assert_int_equal(a.n_calls, 2);
	assert_int_equal(b.n_calls, 0);
	assert_null(b.transfer);
	curl_easy_cleanup(a.easy);
	curl_easy_cleanup(b.easy);
}

static void test_cancel(void **state)
{
	auto_free char *url = url_of("/slow");
	struct net_stats stats;

	for (int turns = 0; turns < 10; turns++) {
		struct get g = {0};
		start(&g, url, 5 * USEC_PER_SEC);
		for (int i = 0; i < turns; i++)
			(void)loop_turn(fixture.loop, 10 * USEC_PER_MSEC);
		net_transfer_cancel(g.transfer);
		curl_easy_cleanup(g.easy);
		for (int i = 0; i < 3; i++)
			(void)loop_turn(fixture.loop, USEC_PER_MSEC);
		assert_int_equal(g.n_calls, 0);
	}
	net_get_stats(fixture.net, &stats);
	assert_int_equal(stats.n_running, 0);
}

static void ask(struct get *g, const char *path)
{
	auto_free char *url = url_of(path);

	g->done = false;
	g->n_bytes = 0;
	start(g, url, 5 * USEC_PER_SEC);
	wait_done(g);
}

static int n_unanswered(struct get *g)
{
	int n;

	ask(g, "/connections");
	assert_int_equal(g->result, CURLE_OK);
	assert_int_equal(sscanf(strstr(g->body, "closed"), "closed\": %d", &n), 1);
	return n;
}

/* A kept connection that ends without an answer: what is not safe goes out once. */
static void test_no_second_try(void **state)
{
	static const struct {
		const char *method;
		int n_sent;
	} rows[] = {{"GET", 2}, {"POST", 1}, {"PUT", 1}, {"DELETE", 1}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct get g = {0}, counter = {0};
		char error[CURL_ERROR_SIZE] = "";
		int before = n_unanswered(&counter);

		ask(&g, "/ok");
		assert_int_equal(g.result, CURLE_OK);
		(void)curl_easy_setopt(g.easy, CURLOPT_ERRORBUFFER, error);
		(void)curl_easy_setopt(g.easy, CURLOPT_CUSTOMREQUEST, rows[i].method);
		ask(&g, "/close");
		print_message("%s: %s\n", rows[i].method, error);
		assert_int_equal(g.result, CURLE_GOT_NOTHING);
		assert_null(strstr(error, "callback"));
		assert_int_equal(n_unanswered(&counter) - before, rows[i].n_sent);
		curl_easy_cleanup(g.easy);
		curl_easy_cleanup(counter.easy);
	}
}

static void test_bad_url(void **state)
{
	struct net_transfer *t = NULL;
	CURL *easy = curl_easy_init();

	assert_int_equal(net_transfer_start(fixture.net, easy, "no url at all", clock_now() + 1000,
				 on_end, NULL, &t),
		-EINVAL);
	assert_null(t);
	curl_easy_cleanup(easy);
}

static void test_unix_socket(void **state)
{
	struct get g = {.easy = curl_easy_init()};
	auto_free char *path = str_printf("%s/http.sock", fixture.dir);

	(void)curl_easy_setopt(g.easy, CURLOPT_UNIX_SOCKET_PATH, path);
	(void)curl_easy_setopt(g.easy, CURLOPT_URL, "http://anything.invalid/ok");
	assert_int_equal(net_transfer_start(fixture.net, g.easy, NULL,
				 clock_now() + 5 * USEC_PER_SEC, on_end, &g, &g.transfer),
		0);
	(void)curl_easy_setopt(g.easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(g.easy, CURLOPT_WRITEDATA, &g);
	wait_done(&g);
	assert_int_equal(g.result, CURLE_OK);
	assert_int_equal(g.status, 200);
	curl_easy_cleanup(g.easy);
}

static int setup(void **state)
{
	log_to_stderr();
	return fixture_open(&fixture) < 0 || fixture_serve(&fixture, HTTP_SERVER) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	fixture_close(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_second_address),
		cmocka_unit_test(test_from_callbacks),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_no_second_try),
		cmocka_unit_test(test_bad_url),
		cmocka_unit_test(test_unix_socket),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
