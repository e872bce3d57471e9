/* SPDX-License-Identifier: MIT */
/*
 * store/reader.c: the thread that reads, on a connection of its own, one short query at a time, so
 * that the log never waits long for a reader. Answers are JSON arrays of rows, made on this thread.
 */
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "store/private.h"

struct request_list {
	struct store_request *head, *tail;
	size_t len;
};

struct reader {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, answered;
	int event_fd;
	struct request_list queue, done;
	bool stopping;
	/* the thread's own */
	sqlite3 *db;
	sqlite3_stmt *stmts[STORE_QUERY_MAX];
};

static void list_push(struct request_list *list, struct store_request *request)
{
	request->next = NULL;
	if (list->tail)
		list->tail->next = request;
	else
		list->head = request;
	list->tail = request;
	list->len++;
}

static struct store_request *list_pop(struct request_list *list)
{
	struct store_request *request = list->head;

	if (!request)
		return NULL;
	list->head = request->next;
	if (!list->head)
		list->tail = NULL;
	list->len--;
	request->next = NULL;
	return request;
}

struct store_request *store_request_free(struct store_request *request)
{
	if (!request)
		return NULL;
	values_clear(request->values.items, request->values.len);
	json_decref(request->rows);
	free(request);
	return NULL;
}

static json_t *column_json(sqlite3_stmt *stmt, int i, size_t *n_bytes)
{
	const char *text;
	json_t *value = NULL;
	size_t len;

	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(stmt, i));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(stmt, i));
	case SQLITE_TEXT:
		break;
	default:
		return json_null();
	}
	text = (const char *)sqlite3_column_text(stmt, i);
	if (!text)
		return NULL;
	len = (size_t)sqlite3_column_bytes(stmt, i);
	*n_bytes += len;
	if (str_endswith(sqlite3_column_name(stmt, i), "_json"))
		value = json_loadb(text, len, JSON_DECODE_ANY, NULL);
	else
		value = json_stringn(text, len);
	/* Text that is not UTF-8, or no JSON after all, must not hide the row. */
	return value ? value : json_null();
}

static int row_append(sqlite3_stmt *stmt, json_t *rows, size_t *n_bytes)
{
	auto_json json_t *row = json_object();
	int n = sqlite3_column_count(stmt);

	for (int i = 0; i < n; i++)
		if (json_object_set_new(
			    row, sqlite3_column_name(stmt, i), column_json(stmt, i, n_bytes)) < 0)
			return -ENOMEM;
	return json_array_append(rows, row) < 0 ? -ENOMEM : 0;
}

/* All of it or -E2BIG: half an answer looks like a whole one. */
static int rows_collect(sqlite3 *db, sqlite3_stmt *stmt, bool at_start, json_t *rows)
{
	size_t max_rows = at_start ? STORE_MAX_ROWS_NOW : STORE_MAX_ROWS;
	size_t max_bytes = at_start ? STORE_MAX_ROWS_NOW_BYTES : STORE_MAX_ROWS_BYTES;
	size_t n_bytes = 0;
	int code, r = 0;

	while (r == 0) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			return sqlite_errno(db, code);
		if (json_array_size(rows) >= max_rows)
			return -E2BIG;
		r = row_append(stmt, rows, &n_bytes);
		if (r == 0 && n_bytes > max_bytes)
			r = -E2BIG;
	}
	return r;
}

static void request_run(struct reader *reader, struct store_request *request)
{
	const struct store_sql *sql = &store_queries[request->query];
	sqlite3_stmt **stmt = &reader->stmts[request->query];
	int r = 0;

	if (!*stmt)
		r = sqlite_errno(reader->db, sqlite3_prepare_v3(reader->db, sql->sql, -1,
						     SQLITE_PREPARE_PERSISTENT, stmt, NULL));
	if (r == 0)
		r = sqlite_errno(
			reader->db, values_bind(*stmt, request->values.items, request->values.len));
	request->rows = json_array();
	if (r == 0)
		r = request->rows
			    ? rows_collect(reader->db, *stmt, request->waited_for, request->rows)
			    : -ENOMEM;
	if (r < 0)
		log_warning("store: query %s: %s (%s)", sql->name, sqlite3_errmsg(reader->db),
			strerror(-r));
	if (*stmt) {
		(void)sqlite3_reset(*stmt);
		(void)sqlite3_clear_bindings(*stmt);
	}
	request->result = r;
}

static void report(struct reader *reader, struct store_request *request)
{
	uint64_t one = 1;

	if (request->waited_for) {
		request->done = true;
		pthread_cond_broadcast(&reader->answered);
		return;
	}
	list_push(&reader->done, request);
	if (write(reader->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("store: cannot wake the loop: %s", strerror(errno));
}

static void *reader_thread(void *data)
{
	struct reader *reader = data;

	pthread_mutex_lock(&reader->lock);
	for (;;) {
		struct store_request *request;

		while (!reader->queue.head && !reader->stopping)
			pthread_cond_wait(&reader->wake, &reader->lock);
		if (reader->stopping)
			break;
		request = list_pop(&reader->queue);
		pthread_mutex_unlock(&reader->lock);
		request_run(reader, request);
		pthread_mutex_lock(&reader->lock);
		report(reader, request);
	}
	pthread_mutex_unlock(&reader->lock);
	return NULL;
}

/* ---- called from the loop ------------------------------------------------------------------- */

static void reader_dispose(struct reader *reader)
{
	struct store_request *request;

	while ((request = list_pop(&reader->queue)) || (request = list_pop(&reader->done)))
		store_request_free(request);
	for (size_t i = 0; i < STORE_QUERY_MAX; i++)
		(void)sqlite3_finalize(reader->stmts[i]);
	database_close(reader->db);
	pthread_cond_destroy(&reader->wake);
	pthread_cond_destroy(&reader->answered);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

int reader_new(sqlite3 *db, int event_fd, struct reader **ret_reader)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader) {
		database_close(db);
		return -ENOMEM;
	}
	reader->db = db;
	reader->event_fd = event_fd;
	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->wake, NULL);
	pthread_cond_init(&reader->answered, NULL);
	r = store_thread_start(&reader->thread, "store-reader", reader_thread, reader);
	if (r < 0) {
		reader_dispose(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

struct reader *reader_free(struct reader *reader)
{
	if (!reader)
		return NULL;
	pthread_mutex_lock(&reader->lock);
	reader->stopping = true;
	pthread_cond_signal(&reader->wake);
	pthread_mutex_unlock(&reader->lock);
	if (store_thread_join(reader->thread, USEC_PER_SEC))
		reader_dispose(reader);
	return NULL;
}

int reader_submit(struct reader *reader, struct store_request *request)
{
	int r = 0;

	pthread_mutex_lock(&reader->lock);
	if (reader->queue.len >= STORE_MAX_READS)
		r = -ENOBUFS;
	else
		list_push(&reader->queue, request);
	pthread_cond_signal(&reader->wake);
	pthread_mutex_unlock(&reader->lock);
	return r;
}

int reader_run(struct reader *reader, struct store_request *request)
{
	int r;

	request->waited_for = true;
	r = reader_submit(reader, request);
	if (r < 0)
		return r;
	pthread_mutex_lock(&reader->lock);
	while (!request->done)
		pthread_cond_wait(&reader->answered, &reader->lock);
	pthread_mutex_unlock(&reader->lock);
	return request->result;
}

struct store_request *reader_take_done(struct reader *reader)
{
	struct store_request *requests;

	pthread_mutex_lock(&reader->lock);
	requests = reader->done.head;
	reader->done = (struct request_list){0};
	pthread_mutex_unlock(&reader->lock);
	return requests;
}
