/* SPDX-License-Identifier: MIT */
#include "common/reason.h"
#include <errno.h>

enum tend_reason connect_errno_reason(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ENOENT: /* no such unix socket */
		return TEND_REASON_CONNECT_REFUSED;
	case ETIMEDOUT:
		return TEND_REASON_CONNECT_TIMEOUT;
	case EACCES:
	case EPERM: /* a unix socket's mode, or a packet filter of our own host */
		return TEND_REASON_ACCESS_DENIED;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return TEND_REASON_INTERNAL;
	default:
		return TEND_REASON_CONNECT_FAILED;
	}
}

int connect_errno_rank(int error)
{
	switch (error) {
	case 0:
		return 0;
	case ENETUNREACH: /* this host has no such family, most often */
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return 1;
	case EHOSTUNREACH:
		return 2;
	case ETIMEDOUT:
		return 3;
	default:
		return 4;
	}
}
