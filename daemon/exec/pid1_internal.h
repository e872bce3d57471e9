/* SPDX-License-Identifier: MIT */
/*
 * exec/pid1_internal.h: between pid1.c and transient.c, which writes the properties of a transient
 * unit. Nothing else may include it: it knows sd-bus.
 */
#ifndef EXEC_PID1_INTERNAL_H
#define EXEC_PID1_INTERNAL_H

#include <systemd/sd-bus.h>
#include "exec/pid1.h"

/* The arguments of StartTransientUnit. */
int transient_append(sd_bus_message *m, const struct pid1_transient *transient);

#endif
