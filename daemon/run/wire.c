/* SPDX-License-Identifier: MIT */
#include "run/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { FIRST_BYTES = 4096, KEEP_BYTES = 16384 };

static ssize_t fill(struct wire *wire)
{
	ssize_t n;

	do
		n = wire->fill ? wire->fill(wire, wire->buf + wire->len, wire->cap - wire->len)
			       : read(wire->fd, wire->buf + wire->len, wire->cap - wire->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	wire->len += (size_t)n;
	return n;
}

static int grow(struct wire *wire)
{
	size_t cap = wire->cap ? wire->cap * 2 : FIRST_BYTES;
	char *p;

	if (wire->len < wire->cap)
		return 0;
	/* One byte more than a line, for its newline. */
	if (wire->cap > WIRE_LINE_BYTES)
		return -EBADMSG;
	cap = MIN(cap, (size_t)WIRE_LINE_BYTES + 1);
	p = realloc(wire->buf, cap);
	if (!p)
		return -ENOMEM;
	wire->buf = p;
	wire->cap = cap;
	return 0;
}

/* What follows the line moves to the front; a waiting run keeps no large buffer. */
static void consume(struct wire *wire, size_t n)
{
	wire->len -= n;
	wire->seen = 0;
	memmove(wire->buf, wire->buf + n, wire->len);
	if (wire->len == 0 && wire->cap > KEEP_BYTES)
		wire_done(wire);
}

static int parse(const char *line, size_t len, json_t **ret_message)
{
	json_error_t err;
	json_t *message = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &err);

	if (!json_is_object(message)) {
		json_decref(message);
		return -EBADMSG;
	}
	*ret_message = message;
	return 1;
}

int wire_read(struct wire *wire, json_t **ret_message)
{
	for (;;) {
		size_t todo = wire->len - wire->seen;
		char *end = todo ? memchr(wire->buf + wire->seen, '\n', todo) : NULL;
		ssize_t n;
		int r;

		if (end) {
			size_t len = (size_t)(end - wire->buf);

			r = parse(wire->buf, len, ret_message);
			consume(wire, len + 1);
			return r;
		}
		wire->seen = wire->len;
		r = grow(wire);
		if (r < 0)
			return r;
		n = fill(wire);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return wire->len ? -EBADMSG : 0;
	}
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int wire_write(const struct wire *wire, const json_t *message)
{
	const size_t flags = JSON_COMPACT;
	size_t len = json_dumpb(message, NULL, 0, flags);
	auto_free char *line = NULL;

	if (len == 0)
		return -ENOMEM;
	if (len > WIRE_LINE_BYTES)
		return -EMSGSIZE;
	line = malloc(len + 1);
	if (!line || json_dumpb(message, line, len, flags) != len)
		return -ENOMEM;
	line[len] = '\n';
	return write_all(wire->fd, line, len + 1);
}

int wire_note(const struct wire *wire, const char *call, json_t *args)
{
	auto_json json_t *message = json_pack("{s:s, s:o}", "call", call, "args", args);

	return message ? wire_write(wire, message) : -ENOMEM;
}

void wire_done(struct wire *wire)
{
	free(wire->buf);
	wire->buf = NULL;
	wire->len = wire->cap = wire->seen = 0;
}
