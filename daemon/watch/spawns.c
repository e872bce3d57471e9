/* SPDX-License-Identifier: MIT */
#include "watch/spawns.h"
#include <errno.h>
#include "base/map.h"
#include "base/str.h"
#include "exec/ssh.h"

struct spawns {
	struct loop *loop;
	struct spawn_client *local;
	struct map hosts; /* struct spawn_client *, by the name of the host */
};

int spawns_new(struct loop *loop, struct spawns **ret_spawns)
{
	struct spawns *spawns = calloc(1, sizeof(*spawns));

	if (!spawns)
		return -ENOMEM;
	spawns->loop = loop;
	*ret_spawns = spawns;
	return 0;
}

struct spawns *spawns_free(struct spawns *spawns)
{
	if (!spawns)
		return NULL;
	spawn_client_free(spawns->local);
	MAP_FOREACH (&spawns->hosts, struct spawn_client *, client)
		spawn_client_free(client);
	map_clear(&spawns->hosts);
	free(spawns);
	return NULL;
}

static int apply_host(struct spawns *spawns, const struct conf_host *conf)
{
	struct spawn_client *client = map_get(&spawns->hosts, conf->name);
	const struct ssh_host host = {
		.address = conf->address,
		.user = conf->user,
		.identity_file = conf->spawn_identity_file,
		.known_hosts = conf->known_hosts,
		.port = conf->port,
	};
	auto(strv_free) char **argv = ssh_argv(&host);
	int r;

	if (!argv)
		return -ENOMEM;
	if (client)
		return spawn_client_set_ssh(client, argv);
	r = spawn_client_new_ssh(spawns->loop, argv, &client);
	if (r == 0) {
		r = map_put(&spawns->hosts, conf->name, client);
		if (r < 0)
			spawn_client_free(client);
	}
	return r;
}

int spawns_apply(struct spawns *spawns, const struct conf *conf)
{
	const char *path = conf->daemon.spawn_socket;
	int r = 0;

	if (path && spawns->local)
		r = spawn_client_set_path(spawns->local, path);
	else if (path)
		r = spawn_client_new(spawns->loop, path, &spawns->local);
	MAP_FOREACH (&conf->hosts, const struct conf_host *, host) {
		if (r < 0)
			return r;
		if (host->spawn_identity_file)
			r = apply_host(spawns, host);
	}
	return r;
}

struct spawn_client *spawns_of(const struct spawns *spawns, const struct conf_component *component)
{
	if (!component || !component->host)
		return spawns->local;
	/* A client of before a reload that took the key away is not used any more. */
	return component->host->spawn_identity_file ? map_get(&spawns->hosts, component->host->name)
						    : NULL;
}
