/* SPDX-License-Identifier: MIT */
/*
 * exec/relay.h: `--stdio`: what sshd starts for the key of a tendd on another host. A pipe between
 * standard input and output and the socket for such peers of the program that runs on this host, so
 * that there is one ledger and one count of rates. Holds no rights and reads nothing of what
 * passes. Blocks until one side ends.
 */
#ifndef EXEC_RELAY_H
#define EXEC_RELAY_H

#define RELAY_OPTION "--stdio"

/* An exit status. */
int relay_run(const char *program, const char *socket_path);

#endif
