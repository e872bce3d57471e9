/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "alert/format.h"
#include "base/clock.h"
#include "base/str.h"
#include "loop/child.h"

#define CHECK_USEC (10 * USEC_PER_SEC)

static bool all_known(const struct formats *formats, const struct conf *conf)
{
	MAP_FOREACH (&conf->receivers, const struct conf_receiver *, receiver) {
		const struct format *f = formats_find(formats, receiver);

		if (f && format_get_state(f) == FORMAT_STARTING)
			return false;
	}
	return true;
}

static void add_error(struct conf_errors *errors, const struct conf_receiver *receiver,
	const char *key, const char *text)
{
	(void)conf_errors_add(errors, receiver->where.file, receiver->where.line, -EINVAL,
		"[receiver %s] %s%s%s", receiver->name, key ? key : "", key ? ": " : "", text);
}

static void check_one(
	const struct format *f, const struct conf_receiver *receiver, struct conf_errors *errors)
{
	const struct format_spec *spec = format_get_spec(f);
	struct tend_error err = {0};
	const char *key;

	if (!spec)
		add_error(errors, receiver, "format",
			format_get_state(f) == FORMAT_BAD ? format_get_error(f)
							  : "its process does not start");
	else if (format_check_receiver(spec, receiver, &key, &err) < 0)
		add_error(errors, receiver, NULL, err.text);
}

int format_check_all(const struct conf *conf, struct conf_errors *errors)
{
	auto(loop_free) struct loop *loop = NULL;
	auto(formats_free) struct formats *formats = NULL;
	usec_t until = clock_now() + CHECK_USEC;
	int r = loop_new(&loop);

	if (r == 0)
		r = formats_new(loop, NULL, NULL, &formats);
	if (r == 0)
		r = formats_apply(formats, conf);
	while (r >= 0 && clock_now() < until && !all_known(formats, conf))
		r = loop_turn(loop, 100 * USEC_PER_MSEC);
	if (r < 0)
		return r;
	MAP_FOREACH (&conf->receivers, const struct conf_receiver *, receiver) {
		const struct format *f = formats_find(formats, receiver);

		if (f)
			check_one(f, receiver, errors);
	}
	formats = formats_free(formats);
	children_drain(USEC_PER_SEC);
	return 0;
}
