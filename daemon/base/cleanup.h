/* SPDX-License-Identifier: MIT */
/*
 * base/cleanup.h: what a scope gives back when it ends. auto_free, auto_close, auto_file and
 * auto(x_free) for locals, TAKE(p) to hand over. None may be live across a Lua call that can raise
 * (longjmp passes them by).
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_free  __attribute__((cleanup(cleanup_free)))
#define auto_close __attribute__((cleanup(cleanup_close)))
#define auto_file  __attribute__((cleanup(cleanup_file)))
#define auto_json  __attribute__((cleanup(cleanup_json)))

/* DEFINE_AUTO(struct foo *, foo_free) makes auto(foo_free) usable; foo_free takes NULL. */
#define DEFINE_AUTO(type, func)                                                                    \
	static inline void cleanup_##func(type *p)                                                 \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
	}
#define auto(func) __attribute__((cleanup(cleanup_##func)))

#define TAKE(p)                                                                                    \
	__extension__({                                                                            \
		__typeof__(p) take_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})
#define TAKE_FD(fd)                                                                                \
	__extension__({                                                                            \
		int take_ = (fd);                                                                  \
		(fd) = -EBADF;                                                                     \
		take_;                                                                             \
	})

#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b)                                                                                  \
	__extension__({                                                                            \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	__extension__({                                                                            \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

static inline void cleanup_free(void *p)
{
	void **pp = p;
	free(*pp);
}

/* Closes if open, keeps errno; returns -EBADF to assign back. */
static inline int safe_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;
		(void)close(fd);
		errno = saved;
	}
	return -EBADF;
}

static inline void cleanup_close(int *fd)
{
	safe_close(*fd);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void cleanup_json(json_t **j)
{
	json_decref(*j);
}

#endif
