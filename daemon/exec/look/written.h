/* SPDX-License-Identifier: MIT */
/*
 * exec/look/written.h: whether the journal is being written: something new in it, or, where nothing
 * is (mark.h), a marker that is sent to systemd-journald and read back from the files: the whole
 * way. Blocks for at most `wait`.
 */
#ifndef EXEC_LOOK_WRITTEN_H
#define EXEC_LOOK_WRITTEN_H

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-journal.h>
#include <tend/option.h>

/* `before`: what it told the look before, {} for none. Without `mark` nothing is sent, and only a
 * journald that takes no messages is found out. The journal's matches and place are lost. */
int written_look(sd_journal *j, const json_t *before, bool mark, usec_t wait, json_t **ret_written);

/* Is the current entry a marker? It may come without its unit, if journald was frozen. */
bool written_is_marker(sd_journal *j);

#endif
