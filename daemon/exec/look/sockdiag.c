/* SPDX-License-Identifier: MIT */
#include "exec/look/sockdiag.h"
#include <errno.h>
#include <ftw.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "exec/look/look.h"

enum { STATE_LISTEN = 10, STATE_CLOSE = 7, MAX_GROUPS = 8192, DEPTH = 32 };

/* Of <linux/inet_diag.h> since 5.9. */
#ifndef INET_DIAG_CGROUP_ID
#define INET_DIAG_CGROUP_ID 21
#endif

struct found {
	uint64_t inode, group;
};

static struct found found[1024];
static size_t n_found;
static json_t *units; /* {GROUP: UNIT}: nftw() has no argument for it */
static size_t n_groups;

static void take(struct nlmsghdr *header)
{
	struct inet_diag_msg *message = NLMSG_DATA(header);
	struct rtattr *attribute = (void *)(message + 1);
	int left = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*message));

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == INET_DIAG_CGROUP_ID &&
			RTA_PAYLOAD(attribute) == sizeof(uint64_t) && n_found < ARRAY_SIZE(found)) {
			struct found *f = &found[n_found++];

			f->inode = message->idiag_inode;
			memcpy(&f->group, RTA_DATA(attribute), sizeof(f->group));
		}
}

/* False: that was the last of it. */
static bool take_all(char *buf, ssize_t n)
{
	size_t left = (size_t)n;

	for (struct nlmsghdr *header = (void *)buf; NLMSG_OK(header, left);
		header = NLMSG_NEXT(header, left)) {
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
			return false;
		if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			take(header);
	}
	return n > 0;
}

static void ask(int family, int protocol, unsigned states)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = (uint8_t)family,
			.sdiag_protocol = (uint8_t)protocol,
			.idiag_states = states},
	};
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	static char buf[1 << 16] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t n;

	if (fd < 0 || send(fd, &message, sizeof(message), 0) < 0)
		return;
	do
		n = recv(fd, buf, sizeof(buf), 0);
	while (n > 0 && take_all(buf, n));
}

/* A control group's number is the inode of its folder; its unit the last part that is one. */
static int on_group(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static const char *const ends[] = {".service", ".socket", ".scope"};
	const char *name = path + ftw->base, *dot = strrchr(name, '.');
	char number[24];

	if (type != FTW_D)
		return 0;
	for (size_t i = 0; dot && i < ARRAY_SIZE(ends); i++) {
		if (strcmp(dot, ends[i]) != 0)
			continue;
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)st->st_ino);
		(void)json_object_set_new(units, number, look_string(name));
	}
	return ++n_groups > MAX_GROUPS;
}

json_t *sockdiag_units(void)
{
	json_t *by_inode = json_object();

	ask(AF_INET, IPPROTO_TCP, 1u << STATE_LISTEN);
	ask(AF_INET6, IPPROTO_TCP, 1u << STATE_LISTEN);
	ask(AF_INET, IPPROTO_UDP, 1u << STATE_CLOSE);
	ask(AF_INET6, IPPROTO_UDP, 1u << STATE_CLOSE);
	units = json_object();
	if (n_found > 0 && nftw("/sys/fs/cgroup", on_group, DEPTH, FTW_PHYS | FTW_MOUNT) != 0)
		n_groups = 0;
	for (size_t i = 0; i < n_found; i++) {
		char inode[24], group[24];

		(void)snprintf(inode, sizeof(inode), "%llu", (unsigned long long)found[i].inode);
		(void)snprintf(group, sizeof(group), "%llu", (unsigned long long)found[i].group);
		if (json_object_get(units, group))
			(void)json_object_set(by_inode, inode, json_object_get(units, group));
	}
	json_decref(units);
	units = NULL;
	return by_inode;
}
