/* SPDX-License-Identifier: MIT */
/*
 * run/sanitizer.h: for the main.c files of programs that run with few rights (tend-run and its test
 * program, tend-look, tend-try): the leak check at exit forks and traces, which a filter or another
 * user's rights forbid, so builds with AddressSanitizer go without it.
 */
#ifndef RUN_SANITIZER_H
#define RUN_SANITIZER_H

#include "base/sanitized.h"

#if SANITIZED
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

#endif
