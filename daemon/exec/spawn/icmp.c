/* SPDX-License-Identifier: MIT */
#include "exec/spawn/icmp.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "base/log.h"

static int attach(int fd, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog program = {.len = n, .filter = code};
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)) < 0)
		return -errno;
	return 0;
}

/* What a raw IPv4 socket gets begins with the IP header, on IPv6 it does not. */
static int attach_filter(int fd, int family, uint16_t echo_id)
{
	struct sock_filter v4[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, echo_id, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0x40000),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter v6[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_ECHO_REPLY, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, echo_id, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0x40000),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return family == AF_INET ? attach(fd, v4, ARRAY_SIZE(v4)) : attach(fd, v6, ARRAY_SIZE(v6));
}

static int open_one(int family, uint16_t echo_id)
{
	auto_close int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		family == AF_INET ? (int)IPPROTO_ICMP : (int)IPPROTO_ICMPV6);
	int r;

	if (fd < 0)
		return -errno;
	r = attach_filter(fd, family, echo_id);
	return r < 0 ? r : TAKE_FD(fd);
}

void icmp_sockets_open(struct icmp_sockets *ret_sockets)
{
	uint16_t id = 0;

	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint16_t)getpid();
	*ret_sockets = (struct icmp_sockets){
		.fd4 = open_one(AF_INET, id), .fd6 = open_one(AF_INET6, id), .echo_id = id};
	if (ret_sockets->fd4 < 0)
		log_notice("no socket for ICMP (%s): icmp checks need net.ipv4.ping_group_range",
			strerror(-ret_sockets->fd4));
}

void icmp_sockets_close(struct icmp_sockets *sockets)
{
	sockets->fd4 = safe_close(sockets->fd4);
	sockets->fd6 = safe_close(sockets->fd6);
}

int icmp_give_up_rights(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	unsigned bits = 1u << CAP_NET_RAW | 1u << CAP_SETGID;

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	if (!((data[0].effective | data[0].permitted | data[0].inheritable) & bits))
		return 0;
	data[0].effective &= ~bits;
	data[0].permitted &= ~bits;
	data[0].inheritable &= ~bits;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_RAW, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_SETGID, 0, 0);
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}
