/* SPDX-License-Identifier: MIT */
#include "policy/hosts.h"
#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "policy/private.h"

struct host {
	char *name, *address, *user, *identity_file, *known_hosts;
	int64_t port;
	struct exec_client *client;
};

static struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	exec_client_free(host->client);
	free(host->name);
	free(host->address);
	free(host->user);
	free(host->identity_file);
	free(host->known_hosts);
	free(host);
	return NULL;
}
DEFINE_AUTO(struct host *, host_free)

static bool same(const struct host *host, const struct conf_host *conf)
{
	return str_eq(host->address, conf->address) && str_eq(host->user, conf->user) &&
	       str_eq(host->identity_file, conf->identity_file) &&
	       str_eq(host->known_hosts, conf->known_hosts) && host->port == conf->port;
}

static int host_new(struct policies *p, const struct conf_host *conf)
{
	auto(host_free) struct host *host = calloc(1, sizeof(*host));
	struct ssh_host ssh = {
		.address = conf->address,
		.user = conf->user,
		.identity_file = conf->identity_file,
		.known_hosts = conf->known_hosts,
		.port = conf->port,
	};
	int r;

	if (!host)
		return -ENOMEM;
	host->name = strdup(conf->name);
	host->address = strdup(conf->address);
	host->user = strdup(conf->user);
	host->identity_file = strdup(conf->identity_file);
	host->known_hosts = strdup(conf->known_hosts);
	host->port = conf->port;
	if (!host->name || !host->address || !host->user || !host->identity_file ||
		!host->known_hosts)
		return -ENOMEM;
	r = exec_client_new_ssh(p->deps.loop, &ssh, feed_on_progress, p, &host->client);
	if (r == 0)
		r = map_put(&p->hosts, host->name, host);
	if (r == 0)
		TAKE(host);
	return r;
}

/* True if it went; an outcome that is still awaited must not be lost. */
static bool let_go(struct policies *p, struct host *host, const char *what)
{
	if (exec_client_n_open(host->client) > 0) {
		log_warning("host %s: %s, but an action there is open: it counts from the next "
			    "reload on",
			host->name, what);
		return false;
	}
	(void)map_remove(&p->hosts, host->name);
	host_free(host);
	return true;
}

int hosts_apply(struct policies *p)
{
	for (size_t i = p->hosts.len; i-- > 0;) {
		struct host *host = p->hosts.slots[i].value;

		if (!map_get(&p->conf->hosts, host->name))
			(void)let_go(p, host, "it is not configured any more");
	}
	MAP_FOREACH (&p->conf->hosts, const struct conf_host *, conf) {
		struct host *host = map_get(&p->hosts, conf->name);
		int r = 0;

		if (host && same(host, conf))
			continue;
		if (!host || let_go(p, host, "its settings have changed"))
			r = host_new(p, conf);
		if (r < 0)
			return r;
	}
	return 0;
}

void hosts_free(struct policies *p)
{
	MAP_FOREACH (&p->hosts, struct host *, host)
		host_free(host);
	map_clear(&p->hosts);
}

struct exec_client *hosts_client(const struct policies *p, const char *host)
{
	const struct host *found = host ? map_get(&p->hosts, host) : NULL;

	if (!host)
		return p->exec;
	return found ? found->client : NULL;
}

struct exec_client *hosts_client_of(
	const struct policies *p, const struct conf_component *component)
{
	return hosts_client(p, component && component->host ? component->host->name : NULL);
}

static json_t *client_to_json(
	const char *name, const char *address, const struct exec_client *client)
{
	json_t *hello = client ? exec_client_hello(client) : NULL;

	return json_pack("{s:s?, s:s?, s:b, s:s, s:O?}", "host", name, "address", address,
		"connected", client && exec_client_connected(client), "trouble",
		client ? exec_client_trouble(client) : "", "version",
		json_object_get(hello, "version"));
}

json_t *hosts_to_json(const struct policies *p)
{
	json_t *list = json_array();

	(void)json_array_append_new(list, client_to_json(NULL, NULL, p->exec));
	MAP_FOREACH (&p->hosts, const struct host *, host)
		(void)json_array_append_new(
			list, client_to_json(host->name, host->address, host->client));
	return list;
}
