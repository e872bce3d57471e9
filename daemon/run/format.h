/* SPDX-License-Identifier: MIT */
/*
 * run/format.h: a resident tend-run: one file of lua/formats that makes requests of notices and
 * judges answers. Reads `start` {"mode":"format","chunk","source","library"}, says `described` or
 * `failed`, then answers calls until its socket ends: `format` {"notice","options"} and `judge`
 * {"response":{"status","headers","body"},"options"}. Sandboxed as a run; the time of a call is the
 * daemon's to keep. Owns everything in its process and frees nothing. Blocks in read() only.
 */
#ifndef RUN_FORMAT_H
#define RUN_FORMAT_H

/* Never returns but when the sandbox cannot be made (-errno). */
int format_run(int fd);

#endif
