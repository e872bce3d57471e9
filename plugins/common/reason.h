/* SPDX-License-Identifier: MIT */
/* common/reason.h: what errno means for a connection. Pure; the one place that knows. */
#ifndef COMMON_REASON_H
#define COMMON_REASON_H

#include <tend/reason.h>

/* Of connect(), and of sending or receiving what never got an answer. */
enum tend_reason connect_errno_reason(int error);
/* Which of two failures tells more of the target: the higher one. */
int connect_errno_rank(int error);

#endif
