/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include <string.h>

const char *const fault_class_names[FAULT_CLASS_MAX] = {
	[FAULT_HARDWARE] = "hardware",
	[FAULT_SOFTWARE] = "software",
	[FAULT_BUSINESS] = "business",
	[FAULT_SECURITY] = "security",
};

/* Where the reason itself does not tell, the kind of the component does. */
static enum fault_class class_of_kind(const char *kind)
{
	if (kind && (strcmp(kind, "host") == 0 || strcmp(kind, "storage") == 0))
		return FAULT_HARDWARE;
	return FAULT_SOFTWARE;
}

enum fault_class fault_class_of(enum tend_reason reason, const char *kind)
{
	switch (reason) {
	case TEND_REASON_TLS_EXPIRED:
	case TEND_REASON_TLS_UNTRUSTED:
	case TEND_REASON_TLS_NAME:
	case TEND_REASON_TLS_EXPIRES:
	case TEND_REASON_TLS_WEAK:
	case TEND_REASON_TLS_REVOKED:
	case TEND_REASON_AUTH_FAILED:
	case TEND_REASON_ACCESS_DENIED:
	case TEND_REASON_UNDECLARED:
		return FAULT_SECURITY;
	case TEND_REASON_CONTENT_UNEXPECTED:
	case TEND_REASON_REPORTED_WARNING:
	case TEND_REASON_REPORTED_CRITICAL:
	case TEND_REASON_REPORTED_UNKNOWN:
	case TEND_REASON_REPORT_MISSING:
	case TEND_REASON_REPORT_AWAITED:
	case TEND_REASON_JOB_STUCK:
	case TEND_REASON_ROWS_LOST:
	case TEND_REASON_STALE:
	case TEND_REASON_DATA_QUALITY:
	case TEND_REASON_OUT_OF_SYNC:
	case TEND_REASON_NOT_RUN:
		return FAULT_BUSINESS;
	default:
		return class_of_kind(kind);
	}
}
