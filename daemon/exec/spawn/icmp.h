/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/icmp.h: the sockets for ICMP that tend-spawn hands to tendd. Opened at the start, with
 * CAP_NET_RAW, which is given up right after: no program that is run later has it. A filter in the
 * kernel, which nobody can take off again, lets through echo replies with one id only, so whoever
 * has the socket sees no other traffic of the host. Never blocks.
 */
#ifndef EXEC_SPAWN_ICMP_H
#define EXEC_SPAWN_ICMP_H

#include <stdint.h>

struct icmp_sockets {
	int fd4, fd6; /* -EBADF: it could not be opened */
	uint16_t echo_id;
};
void icmp_sockets_open(struct icmp_sockets *ret_sockets);
void icmp_sockets_close(struct icmp_sockets *sockets);
int icmp_give_up_rights(void); /* CAP_NET_RAW and CAP_SETGID (keeper.h), for good */

#endif
