/* SPDX-License-Identifier: MIT */
#include "snmp/subagent.h"
#include <errno.h>
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/library/large_fd_set.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "base/log.h"
#include "snmp/library.h"
#include "snmp/mirror.h"

/* The session to snmpd and the library's own pipe to itself; nothing else is ever opened. */
enum { MAX_WATCHED = 8 };

static const char app[] = "tend-agentx";

static struct {
	struct loop *loop;
	struct loop_source *timer;
	struct watched {
		int fd;
		struct loop_source *io;
	} watched[MAX_WATCHED];
	size_t n_watched;
	bool started, connected, told;
	bool sessions_changed;
	usec_t due;
	void (*on_status)(bool connected, void *data);
	void *data;
} agent;

static int on_session(int major, int minor, void *server_arg, void *client_arg)
{
	agent.connected = minor == SNMPD_CALLBACK_INDEX_START;
	/* The number of a closed descriptor comes back as another's: watch everything anew. */
	agent.sessions_changed = true;
	return SNMPERR_SUCCESS;
}

static void on_readable(int fd, uint32_t events, void *data)
{
	netsnmp_large_fd_set set;

	netsnmp_large_fd_set_init(&set, FD_SETSIZE);
	netsnmp_large_fd_setfd(fd, &set);
	snmp_read2(&set);
	netsnmp_large_fd_set_cleanup(&set);
}

/* Requests' timeouts, here and not only when nothing was read: traffic must not starve them. */
static void on_timer(void *data)
{
	snmp_timeout();
	run_alarms();
}

static void unwatch_all(void)
{
	while (agent.n_watched > 0)
		loop_source_free(agent.watched[--agent.n_watched].io);
}

static void watch(int fd)
{
	struct watched *w = &agent.watched[agent.n_watched];

	if (agent.n_watched == MAX_WATCHED) {
		log_error("tend-agentx: net-snmp has too many descriptors open");
		return;
	}
	w->fd = fd;
	if (loop_io_new(agent.loop, fd, EPOLLIN, on_readable, NULL, &w->io) < 0)
		log_error("tend-agentx: cannot watch a descriptor");
	else
		agent.n_watched++;
}

static bool is_watched(int fd)
{
	for (size_t i = 0; i < agent.n_watched; i++)
		if (agent.watched[i].fd == fd)
			return true;
	return false;
}

static void watch_set(netsnmp_large_fd_set *set, int n_fds)
{
	size_t n = 0;
	bool same = !agent.sessions_changed;

	for (int fd = 0; fd < n_fds; fd++) {
		if (!netsnmp_large_fd_is_set(fd, set))
			continue;
		n++;
		same = same && is_watched(fd);
	}
	if (same && n == agent.n_watched)
		return;
	agent.sessions_changed = false;
	unwatch_all();
	for (int fd = 0; fd < n_fds; fd++)
		if (netsnmp_large_fd_is_set(fd, set))
			watch(fd);
}

void subagent_step(void)
{
	netsnmp_large_fd_set set;
	struct timeval tv = {0};
	int n_fds = 0, block = 1;

	if (!agent.started)
		return;
	netsnmp_check_outstanding_agent_requests();
	netsnmp_large_fd_set_init(&set, FD_SETSIZE);
	(void)snmp_select_info2(&n_fds, &set, &tv, &block);
	watch_set(&set, n_fds);
	netsnmp_large_fd_set_cleanup(&set);
	loop_timer_set(agent.timer,
		block ? USEC_INFINITY
		      : clock_now() + (usec_t)tv.tv_sec * USEC_PER_SEC + (usec_t)tv.tv_usec + 1000);
	if (agent.connected != agent.told) {
		agent.told = agent.connected;
		agent.on_status(agent.connected, agent.data);
	}
}

int subagent_start(struct loop *loop, const char *socket, usec_t ping,
	void (*on_status)(bool connected, void *data), void *data)
{
	int ping_sec = (int)MAX((ping + USEC_PER_SEC / 2) / USEC_PER_SEC, (usec_t)1), r;

	r = loop_timer_new(loop, on_timer, NULL, &agent.timer);
	if (r < 0)
		return r;
	agent.loop = loop;
	agent.on_status = on_status;
	agent.data = data;
	library_begin();
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
	/* A change of status is logged by us, once, not every ping. */
	netsnmp_ds_set_boolean(
		NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS, 1);
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, socket);
	snmp_register_callback(
		SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START, on_session, NULL);
	snmp_register_callback(
		SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP, on_session, NULL);
	if (init_agent(app) != 0)
		return -EIO;
	/* init_agent() sets its own default. */
	netsnmp_ds_set_int(
		NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL, ping_sec);
	r = mirror_register();
	if (r < 0)
		return r;
	library_start(app);
	agent.started = true;
	return 0;
}

void subagent_stop(void)
{
	if (!agent.started)
		return;
	agent.started = false;
	unwatch_all();
	agent.timer = loop_source_free(agent.timer);
	/* No farewell to snmpd: it may be frozen, and the end of file says the same. */
}
