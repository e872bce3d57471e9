/* SPDX-License-Identifier: MIT */
/*
 * The calls of tend/plugin.h that are not marked [work]: they need tendd's loop. A plugin that
 * calls one inside work() is broken, and ends as a crash does. Types do not matter, as in
 * conf/host_stubs.c.
 */
#include <stdlib.h>
#include "base/log.h"

#define STUB(name)                                                                                 \
	void name(void);                                                                           \
	void name(void)                                                                            \
	{                                                                                          \
		log_error("tend-work: the plugin calls " #name "(), which only tendd has");        \
		abort();                                                                           \
	}

STUB(tend_io_new)
STUB(tend_io_set_events)
STUB(tend_io_free)
STUB(tend_timer_new)
STUB(tend_resolve)
STUB(tend_transfer_start)
STUB(tend_transfer_abort)
STUB(tend_unit_get)
STUB(tend_spawn)
STUB(tend_look)
STUB(tend_sql)
STUB(tend_ping)
STUB(tend_report_get)
STUB(tend_transfer_start_proxied)
STUB(tend_script_start)
STUB(tend_script_answer)
STUB(tend_attempt_progress)
