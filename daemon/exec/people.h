/* SPDX-License-Identifier: MIT */
/*
 * exec/people.h: people who are at this host: packages that are being installed, a maintenance
 * login. tendd asks it of its own host (policy/operators.c), tend-exec when a tendd on another host
 * wants something done here. The only user of sd-login. Owns nothing. Reads small files of /proc
 * and /run and, for logins, asks the name service, which may block. What cannot be read counts as
 * people at work.
 */
#ifndef EXEC_PEOPLE_H
#define EXEC_PEOPLE_H

#include <stdbool.h>
#include <sys/types.h>

/* False: somebody is at it, `why` says who. `logins`: users and @groups; NULL = no login counts. */
bool people_away(bool dpkg, char *const *logins, char why[256]);

/* Does /proc/locks (given as text) show a lock on the inode, by a process that `ours` is not? */
bool people_lock_held(const char *locks, unsigned long inode, bool (*ours)(int pid));
/* Is the user one of these users and @groups? Asks the name service. */
bool people_named(char *const *names, const char *user, gid_t primary);

#endif
