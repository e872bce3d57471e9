/* SPDX-License-Identifier: MIT */
/*
 * watch/depend.h: which component is to blame. Pure reads of struct component and struct check;
 * nothing is changed, nothing blocks. A component is down when one of its checks says critical just
 * now (one failing answer of a parent is enough to locate a fault that a child has confirmed), and
 * until its recovery is confirmed. A group is down while too few of its members are well; what lies
 * behind its members counts only then.
 */
#ifndef WATCH_DEPEND_H
#define WATCH_DEPEND_H

#include "watch/watch.h"

/* Finds the runtime component of a configured one. */
typedef struct component *(*depend_lookup_fn)(const struct conf_component *conf, void *data);

bool depend_is_down(const struct component *component);
/* Of a group: how many of its members are well; `bad` (may be NULL) gets the names of the others.
 * `confirmed`: a failure counts when it is hard, else already when it is seen. */
size_t depend_n_well(const struct component *group, bool confirmed, struct str *bad);
/* The failing ancestor that has no failing ancestor itself, NULL if none is down. Of several, the
 * first in order of configuration, depth first. */
struct component *depend_culprit(
	const struct component *component, depend_lookup_fn lookup, void *data);
/* The failing check of a component whose reason is nearest to a cause (a unit that has failed says
 * more than a connection that is refused); NULL if none fails. */
struct check *depend_root_check(const struct component *component);
/* All ancestors, nearest first, each once. */
int depend_ancestors(const struct component *component, depend_lookup_fn lookup, void *data,
	struct vec *ret_components);
bool depend_is_ancestor(const struct conf_component *ancestor, const struct conf_component *of);

#endif
