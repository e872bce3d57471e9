/* SPDX-License-Identifier: MIT */
/*
 * run/sanitizer.h: for the main.c files of programs that run with few rights (tend-run and its test
 * program, tend-look, tend-try): the leak check at exit forks and traces, which a filter or another
 * user's rights forbid, so builds with AddressSanitizer go without it.
 */
#ifndef RUN_SANITIZER_H
#define RUN_SANITIZER_H

#ifdef __SANITIZE_ADDRESS__
#define RUN_WITH_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RUN_WITH_ASAN
#endif
#endif

#ifdef RUN_WITH_ASAN
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

#endif
