/* SPDX-License-Identifier: MIT */
/*
 * run/wire.h: newline-delimited JSON over a blocking socket, as loop/rpc.h speaks it, without a
 * loop: tend-run waits in read() and so needs neither libsystemd nor more than two system calls.
 * Owns its buffer, not its fd; wire_done() frees. Blocks. A line is at most 1 MiB; a longer or a
 * broken one fails with -EBADMSG and the connection is of no more use.
 */
#ifndef RUN_WIRE_H
#define RUN_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { WIRE_LINE_BYTES = 1 << 20 };

struct wire {
	int fd;
	/* Like read(2), NULL for read(2) itself. The parent receives descriptors here. */
	ssize_t (*fill)(struct wire *wire, void *buf, size_t size);
	void *data; /* for fill */
	char *buf;
	size_t len, cap;
	size_t seen; /* bytes known to hold no newline */
};

/* 1: a message (an object, a new reference); 0: end of file; -EBADMSG, -ENOMEM, or of read(2). */
int wire_read(struct wire *wire, json_t **ret_message);
/* -EMSGSIZE (nothing was sent), -ENOMEM, or of write(2). Keys keep the order of the object. */
int wire_write(const struct wire *wire, const json_t *message);
/* A note: {"call":...,"args":...}; steals `args`. */
int wire_note(const struct wire *wire, const char *call, json_t *args);
void wire_done(struct wire *wire);

#endif
