/* SPDX-License-Identifier: MIT */
/* Ports that something listens on, who and, where the kernel says so, in which unit. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "exec/look/look.h"
#include "exec/look/proc.h"
#include "exec/look/sockdiag.h"

enum { MAX_PORTS = 400, PROC_BYTES = 16 << 20, STATE_LISTEN = 10, STATE_CLOSE = 7 };

struct walk {
	const char *protocol;
	bool v6, tcp;
	json_t *ports;
	const json_t *units; /* {INODE: UNIT} */
};

static json_t *service_of(const struct walk *w, unsigned port)
{
	const struct servent *service = getservbyport(htons((uint16_t)port), w->protocol);

	return service ? look_string(service->s_name) : NULL;
}

static bool on_line(const char *line, void *data)
{
	struct walk *w = data;
	struct proc_socket s;
	char address[INET6_ADDRSTRLEN], inode[24];

	if (proc_socket_parse(line, w->v6, &s) < 0 || s.port == 0 || s.remote_port != 0 ||
		s.state != (w->tcp ? STATE_LISTEN : STATE_CLOSE) ||
		json_array_size(w->ports) >= MAX_PORTS)
		return true;
	(void)inet_ntop(s.v6 ? AF_INET6 : AF_INET, &s.local, address, sizeof(address));
	(void)snprintf(inode, sizeof(inode), "%llu", (unsigned long long)s.inode);
	(void)json_array_append_new(w->ports,
		json_pack("{s:i, s:s, s:s, s:o, s:o*, s:O*}", "port", (int)s.port, "protocol",
			w->protocol, "address", address, "user", look_user(s.uid), "service",
			service_of(w, s.port), "unit", json_object_get(w->units, inode)));
	return true;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	static const struct {
		const char *path, *protocol;
		bool v6, tcp;
	} files[] = {
		{"/proc/net/tcp", "tcp", false, true},
		{"/proc/net/tcp6", "tcp", true, true},
		{"/proc/net/udp", "udp", false, false},
		{"/proc/net/udp6", "udp", true, false},
	};
	auto_json json_t *units = sockdiag_units();
	json_t *ports = json_array();
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *text = NULL;
		struct walk w = {.protocol = files[i].protocol,
			.v6 = files[i].v6,
			.tcp = files[i].tcp,
			.ports = ports,
			.units = units};

		/* Without IPv6 its two are not there. */
		if (fs_read_file(files[i].path, PROC_BYTES, &text, NULL) < 0)
			continue;
		any = true;
		proc_each_line(text, on_line, &w);
	}
	if (!any) {
		json_decref(ports);
		return tend_error_set(err, -EIO, "/proc/net cannot be read");
	}
	*ret_doc =
		json_pack("{s:o, s:b}", "ports", ports, "cut", json_array_size(ports) >= MAX_PORTS);
	return 0;
}

static const struct look_arg rows[] = {{.name = NULL}};

const struct look_kind look_ports = {
	"ports", "ports that something listens on, and whose they are", rows, look};
