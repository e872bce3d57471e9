/* SPDX-License-Identifier: MIT */
/*
 * plugins/exec/command.h: the option `command` as an argument vector. No shell: on one line, words
 * with 'quotes' or "quotes" around what has spaces; on several, one argument a line, as it stands.
 * Pure; the vector is freed by command_free().
 */
#ifndef PLUGIN_EXEC_COMMAND_H
#define PLUGIN_EXEC_COMMAND_H

#include <tend/error.h>

int command_parse(const char *text, char ***ret_argv, struct tend_error *err);
void command_free(char **argv); /* NULL is fine */

#endif
