/* SPDX-License-Identifier: MIT */
/*
 * work/harden.h: what a tend-work process can no longer do: no capability, no new privilege, no
 * program started, no file written, nobody else's process touched, no core dump. What the kernel
 * does not offer (Landlock) is left out; the rest fails closed. For good; before any plugin is
 * loaded.
 */
#ifndef WORK_HARDEN_H
#define WORK_HARDEN_H

int harden(void);

#endif
