/* SPDX-License-Identifier: MIT */
/*
 * base/sanitized.h: SANITIZED is 1 in builds with AddressSanitizer, which are for tests: it
 * reserves terabytes of addresses and calls what a filter or a limit would forbid. Else 0.
 */
#ifndef BASE_SANITIZED_H
#define BASE_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
