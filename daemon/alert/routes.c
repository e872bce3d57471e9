/* SPDX-License-Identifier: MIT */
#include "alert/private.h"
#include "base/str.h"

static bool route_matches(const struct conf_route *route, const struct notice *notice)
{
	if ((int)notice->severity < route->min_severity)
		return false;
	if (!route->match_component)
		return true;
	for (char **p = route->match_component; notice->component && *p; p++)
		if (str_glob(*p, notice->component))
			return true;
	return false;
}

static int add_once(
	struct vec *receivers, const struct conf_receiver *receiver, const struct notice *notice)
{
	if ((int)notice->severity < receiver->min_severity)
		return 0;
	for (size_t i = 0; i < receivers->len; i++)
		if (receivers->items[i] == receiver)
			return 0;
	return vec_push(receivers, (void *)(uintptr_t)receiver);
}

static int add_all(const struct conf *conf, const struct notice *notice, struct vec *receivers)
{
	int r = 0;

	MAP_FOREACH (&conf->receivers, struct conf_receiver *, receiver) {
		r = add_once(receivers, receiver, notice);
		if (r < 0)
			break;
	}
	return r;
}

int routes_match(const struct conf *conf, const struct notice *notice, struct vec *ret_receivers)
{
	struct vec found = {0};
	bool matched = false;
	int r = 0;

	VEC_FOREACH (&conf->routes, struct conf_route *, route) {
		if (!route_matches(route, notice))
			continue;
		matched = true;
		for (char **name = route->receivers; name && *name && r == 0; name++) {
			const struct conf_receiver *receiver = map_get(&conf->receivers, *name);

			if (receiver)
				r = add_once(&found, receiver, notice);
		}
		if (r < 0 || !route->go_on)
			break;
	}
	/* Nobody said where notices go, or where those of the daemon itself go: better to all than
	 * to nobody. */
	if (r == 0 && !matched && (conf->routes.len == 0 || !notice->component))
		r = add_all(conf, notice, &found);
	if (r < 0) {
		vec_clear(&found);
		return r;
	}
	*ret_receivers = found;
	return 0;
}
