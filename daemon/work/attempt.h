/* SPDX-License-Identifier: MIT */
/*
 * work/attempt.h: one attempt inside tend-work: the calls of tend/plugin.h marked [work], as far as
 * they need no tendd. attempt_run() takes the arguments of the call `attempt` and gives its answer;
 * it loads the plugin, reads the configuration, and blocks as long as the plugin does. `phase` is
 * called from within.
 *
 *   {"plugin":PATH,"probe":NAME,"check":NAME,"method":NAME|null,"args":ANY,"conf":{...},
 *    "memory":ANY|null,"addresses":[["127.0.0.1",SCOPE],...],
 *    "started":USEC,"deadline":USEC}            the times are of clock_now(): one machine, one
 * clock
 *   -> {"reason":NAME,"text":TEXT,"metrics":[[NAME,INSTANCE,VALUE,UNIT],...],
 *       "outcome":ANY|null,"memory":ANY|null}
 */
#ifndef WORK_ATTEMPT_H
#define WORK_ATTEMPT_H

#include <jansson.h>
#include <tend/plugin.h>

typedef void (*attempt_phase_fn)(const char *reason, const char *text, void *data);

/* -ESTALE: of confine(): nothing was begun, another process will do. -EBADMSG: the arguments are
 * not what they should be; -ENOMEM; or the plugin cannot be used: `err` says why. */
int attempt_run(const json_t *args, attempt_phase_fn phase, void *data, struct tend_error *err,
	json_t **ret_answer);

/* For names.c: the addresses of the attempt under way; 0: none. */
size_t attempt_current_addresses(const struct tend_address **ret_addresses);

#endif
