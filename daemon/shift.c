/* SPDX-License-Identifier: MIT */
#include "shift.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"

/* A century: what is added to a time of day must stay one. */
#define SHIFT_MAX_SEC 3.2e9

struct shift {
	const char *path;
	struct loop_source *timer;
	void (*jumped)(void *data);
	void *data;
	bool sick; /* it could not be read, and that was logged */
};

/* The clock has no argument to find it by. */
static int64_t offset_usec;

static usec_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t shifted_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static usec_t shifted_wall(void)
{
	return read_clock(CLOCK_REALTIME) + (usec_t)offset_usec;
}

static const struct clock_source shifted = {shifted_now, shifted_wall};

static int read_offset(const char *path, int64_t *ret_usec)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[64], *end;
	ssize_t n;
	double sec;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	sec = strtod(text, &end);
	/* A later moment than the start of 1970, whatever the machine's clock says. */
	if (end == text || end[strspn(end, " \t\n")] || !(sec > -1e9 && sec < SHIFT_MAX_SEC))
		return -EINVAL;
	*ret_usec = (int64_t)(sec * 1e6);
	return 0;
}

void shift_look(struct shift *shift)
{
	int64_t usec = offset_usec;
	int r = read_offset(shift->path, &usec);
	char text[CLOCK_TEXT_BYTES];

	if (r < 0 && !shift->sick)
		log_warning("%s: no offset in seconds (%s), the calendar stays as it is",
			shift->path, strerror(-r));
	shift->sick = r < 0;
	if (usec == offset_usec)
		return;
	offset_usec = usec;
	log_notice("the calendar says %s", clock_format(clock_wall(), text));
	if (shift->jumped)
		shift->jumped(shift->data);
}

static void on_second(void *data)
{
	struct shift *shift = data;

	loop_timer_set(shift->timer, clock_now() + USEC_PER_SEC);
	shift_look(shift);
}

int shift_new(const char *path, struct shift **ret_shift, struct tend_error *err)
{
	auto(shift_free) struct shift *shift = calloc(1, sizeof(*shift));
	int r;

	if (!shift)
		return -ENOMEM;
	shift->path = path;
	r = read_offset(path, &offset_usec);
	if (r < 0)
		return tend_error_set(err, r, "--calendar %s: %s", path,
			r == -EINVAL ? "a number of seconds is wanted" : strerror(-r));
	clock_set_source(&shifted);
	*ret_shift = TAKE(shift);
	return 0;
}

int shift_start(struct shift *shift, struct loop *loop, void (*jumped)(void *data), void *data)
{
	int r = loop_timer_new(loop, on_second, shift, &shift->timer);

	if (r < 0)
		return r;
	loop_source_name(shift->timer, "calendar");
	shift->jumped = jumped;
	shift->data = data;
	loop_timer_set(shift->timer, clock_now() + USEC_PER_SEC);
	return 0;
}

struct shift *shift_free(struct shift *shift)
{
	if (!shift)
		return NULL;
	loop_source_free(shift->timer);
	clock_set_source(NULL);
	offset_usec = 0;
	free(shift);
	return NULL;
}
