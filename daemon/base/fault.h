/* SPDX-License-Identifier: MIT */
/*
 * base/fault.h: the class of a fault, the one of routes, labels, triggers and the API: whose matter
 * it is. (The group of its reason alone, network, tls, ..., is its category: tend/reason.h.)
 * Pure: nothing is allocated, nothing blocks, nothing can fail.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <tend/reason.h>

/* The values of TEND-MIB: never renumber. */
enum fault_class {
	FAULT_HARDWARE,
	FAULT_SOFTWARE,
	FAULT_BUSINESS,
	FAULT_SECURITY,
	FAULT_CLASS_MAX,
};
extern const char *const fault_class_names[FAULT_CLASS_MAX];

/* `kind`: of the component that fails ("host", ...), NULL if there is none. */
enum fault_class fault_class_of(enum tend_reason reason, const char *kind);

#endif
