/* SPDX-License-Identifier: MIT */
/*
 * work/confine.h: what a tend-work process can read: what any library may want (itself, the
 * authorities of the system, names of services, zones, locales), and the files that the
 * configuration of its plugin names (rows with TEND_OPTION_FILE). For good, by Landlock, after the
 * plugin was loaded and before it is asked anything; where the kernel has none, what user tend can
 * read. Blocks on stat().
 */
#ifndef WORK_CONFINE_H
#define WORK_CONFINE_H

#include <tend/option.h>

/* The first call confines. Each other one must name the same files, and they must be the same
 * ones still, for a rule holds for a file and not for its name: else -ESTALE, and another process
 * will do. */
int confine(const struct tend_option *rows, const void *conf);

#endif
