/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include "store/private.h"

void values_clear(struct store_value *values, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(values[i].s);
}

static int value_read_text(struct store_value *value, char *text)
{
	if (!text)
		return -ENOMEM;
	value->s = text;
	value->len = strlen(text);
	return 0;
}

static int value_read_json(struct store_value *value, json_t *json)
{
	return json ? value_read_text(value, json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY)) : 0;
}

int values_read(struct store_values *values, const char *format, va_list ap)
{
	const char *text;
	int r = 0;

	assert(strlen(format) <= STORE_MAX_PARAMETERS);
	*values = (struct store_values){0};
	for (const char *p = format; *p && r == 0; p++) {
		struct store_value *value = &values->items[values->len++];

		value->type = *p;
		switch (*p) {
		case 's':
			text = va_arg(ap, const char *);
			r = text ? value_read_text(value, strdup(text)) : 0;
			break;
		case 'i':
			value->i = va_arg(ap, int64_t);
			break;
		case 'd':
			value->d = va_arg(ap, double);
			break;
		case 'j':
			r = value_read_json(value, va_arg(ap, json_t *));
			break;
		default:
			assert(!"a letter of the format");
		}
	}
	if (r < 0)
		values_clear(values->items, values->len);
	return r;
}

int values_bind(sqlite3_stmt *stmt, const struct store_value *values, unsigned n)
{
	int r = SQLITE_OK;

	for (unsigned i = 0; i < n && r == SQLITE_OK; i++) {
		const struct store_value *value = &values[i];
		int at = (int)i + 1;

		if (value->type == 'i')
			r = sqlite3_bind_int64(stmt, at, value->i);
		else if (value->type == 'd')
			r = sqlite3_bind_double(stmt, at, value->d);
		else if (value->s)
			r = sqlite3_bind_text64(
				stmt, at, value->s, value->len, SQLITE_STATIC, SQLITE_UTF8);
		else
			r = sqlite3_bind_null(stmt, at);
	}
	return r;
}

int store_batch_new(struct store_batch **ret_batch)
{
	struct store_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	*ret_batch = batch;
	return 0;
}

struct store_batch *store_batch_free(struct store_batch *batch)
{
	if (!batch)
		return NULL;
	for (size_t i = 0; i < batch->n_ops; i++) {
		values_clear(batch->ops[i].values, batch->ops[i].n_values);
		free(batch->ops[i].values);
	}
	free(batch->ops);
	free(batch);
	return NULL;
}

static int batch_append(struct store_batch *batch, enum store_statement statement,
	const struct store_values *values, size_t bytes)
{
	if (batch->n_ops == batch->cap) {
		size_t cap = batch->cap ? batch->cap * 2 : 4;
		struct store_op *ops = reallocarray(batch->ops, cap, sizeof(*ops));

		if (!ops)
			return -ENOMEM;
		batch->ops = ops;
		batch->cap = cap;
	}
	struct store_op op = {.statement = statement, .n_values = values->len};
	op.values = calloc(values->len ? values->len : 1, sizeof(*op.values));
	if (!op.values)
		return -ENOMEM;
	memcpy(op.values, values->items, values->len * sizeof(*op.values));
	batch->ops[batch->n_ops++] = op;
	batch->bytes += bytes;
	return 0;
}

int store_batch_add(
	struct store_batch *batch, enum store_statement statement, const char *format, ...)
{
	struct store_values values;
	size_t bytes = sizeof(struct store_op);
	va_list ap;
	int r;

	assert(statement < STORE_STATEMENT_MAX);
	assert(strcmp(format, store_statements[statement].format) == 0);
	va_start(ap, format);
	r = values_read(&values, format, ap);
	va_end(ap);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < values.len; i++)
		bytes += sizeof(values.items[i]) + values.items[i].len;
	r = batch->bytes + bytes > STORE_MAX_BATCH_BYTES
		    ? -EFBIG
		    : batch_append(batch, statement, &values, bytes);
	if (r < 0)
		values_clear(values.items, values.len);
	return r;
}
