/* SPDX-License-Identifier: MIT */
/*
 * run/flow.h: `tend-run --flow`: one file of lua/flows, described or run once. Reads `start`
 * {"mode":"describe"|"run","file":PATH,"library":FOLDER,"start":{...}}, then the file and the
 * library FOLDER/tend/, and gives up all rights before any of it is run. What it then needs of the
 * world it asks for by calls of its own, one at a time; at the end it says `described`, `ended` or
 * `failed` {"message"}. Owns everything in its process and frees nothing.
 */
#ifndef RUN_FLOW_H
#define RUN_FLOW_H

/* Never returns but when the sandbox cannot be made (-errno). */
int flow_run(int fd);

#endif
