/* SPDX-License-Identifier: MIT */
/*
 * What a plugin takes from tendd (tend/plugin.h), for programs that load plugins for their rows and
 * checks only: the manual, the tests of conf/. Nothing here may ever be called, so that types do
 * not matter and the header is left out.
 */
#include <stdlib.h>

#define STUB(name)                                                                                 \
	void name(void);                                                                           \
	void name(void)                                                                            \
	{                                                                                          \
		abort();                                                                           \
	}

STUB(tend_attempt_finish)
STUB(tend_attempt_metric)
STUB(tend_attempt_outcome)
STUB(tend_attempt_set_data)
STUB(tend_attempt_data)
STUB(tend_attempt_name)
STUB(tend_attempt_started)
STUB(tend_attempt_deadline)
STUB(tend_now)
STUB(tend_io_new)
STUB(tend_io_set_events)
STUB(tend_io_free)
STUB(tend_timer_new)
STUB(tend_resolve)
STUB(tend_transfer_start)
STUB(tend_transfer_start_proxied)
STUB(tend_transfer_abort)
STUB(tend_unit_get)
STUB(tend_spawn)
STUB(tend_look)
STUB(tend_report_get)
STUB(tend_attempt_metric_of)
STUB(tend_attempt_memory)
STUB(tend_attempt_remember)
STUB(tend_attempt_addresses)
STUB(tend_attempt_phase)
STUB(tend_sql)
STUB(tend_ping)
STUB(tend_script_start)
STUB(tend_script_answer)
STUB(tend_attempt_progress)
