/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include "base/log.h"
#include "base/str.h"
#include "exec/options.h"
#include "exec/peer.h"
#include "exec/relay.h"
#include "exec/spawn/icmp.h"
#include "exec/spawn/keeper.h"
#include "exec/spawn/server.h"

struct options {
	const char *config;
	bool check, delegated;
};

struct manager {
	struct options options;
	struct loop *loop;
	struct cgroups *cgroups;
	struct spawn_server *server;
	struct icmp_sockets icmp;
	struct keeper keeper;
	struct loop_source *keeper_end;
};

static const char help[] =
	"Usage: tend-spawn [OPTION...]\n"
	"Runs the foreign programs of tendd's exec checks.\n\n"
	"  --config FILE    what may be run (default /etc/tend/spawn.conf)\n"
	"  --delegated      the control group was handed over (Delegate=yes): one a\n"
	"                   program\n"
	"  --stdio          pass messages on between standard input and output and\n"
	"                   the socket for other hosts: for sshd\n"
	"  -t, --test       check the configuration and exit\n"
	"  -V, --version    print the version and exit\n"
	"  -h, --help       print this and exit\n";

static int parse_options(int argc, char **argv, struct options *o)
{
	const struct option_row rows[] = {
		{"config", .value = &o->config},
		{"delegated", .given = &o->delegated},
		{0},
	};

	return options_parse("tend-spawn", help, rows, argc, argv, &o->check);
}

static int check_config(const struct options *o)
{
	auto(spawn_rules_free) struct spawn_rules *rules = NULL;
	struct conf_errors errors = {0};
	int r = spawn_rules_load(o->config, 0, &errors, &rules);

	conf_errors_sort(&errors);
	conf_errors_print(&errors, stderr);
	conf_errors_clear(&errors);
	if (r < 0)
		return EXIT_FAILURE;
	for (char **p = rules->paths; p && *p; p++)
		(void)printf("programs beneath %s\n", *p);
	return EXIT_SUCCESS;
}

/* A bad file allows nothing. */
static struct spawn_rules *load_rules(const char *path, char *why, size_t why_size)
{
	struct spawn_rules *rules = NULL;
	struct conf_errors errors = {0};
	int r = spawn_rules_load(path, 0, &errors, &rules);

	conf_errors_sort(&errors);
	for (size_t i = 0; i < errors.len; i++)
		log_error("%s:%u: %s", errors.items[i].file, errors.items[i].line,
			errors.items[i].text);
	if (r < 0)
		(void)snprintf(why, why_size, "%.150s:%u: %.300s",
			errors.len ? errors.items[0].file : path,
			errors.len ? errors.items[0].line : 0,
			errors.len ? errors.items[0].text : strerror(-r));
	conf_errors_clear(&errors);
	return rules;
}

static void on_signal(int signo, void *data)
{
	struct manager *m = data;
	char why[512] = "";

	if (signo != SIGHUP) {
		loop_stop(m->loop, EXIT_SUCCESS);
		return;
	}
	struct spawn_rules *rules = load_rules(m->options.config, why, sizeof(why));
	spawn_server_set_rules(m->server, rules, why);
}

/* systemd ends all that is left in the unit, and starts it again. */
static void on_foul(void *data)
{
	struct manager *m = data;

	loop_stop(m->loop, EXIT_FAILURE);
}

static void on_keeper_end(pid_t pid, int code, int status, void *data)
{
	log_error("the process that looks at logs has ended, killed by a program: all programs are "
		  "ended");
	on_foul(data);
}

/* One socket for tendd, and one for other hosts if tend-spawn-remote.socket is in use. */
static int listen_all(struct manager *m)
{
	auto(strv_free) char **names = NULL;
	int n = sd_listen_fds_with_names(true, &names);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i, r;

		if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0 || i > 1 ||
			(i == 1 && strcmp(names[0], names[1]) == 0)) {
			log_error("what was handed over is not a listening unix socket for each "
				  "kind of peer");
			return -EINVAL;
		}
		r = spawn_server_listen(m->server, fd, strcmp(names[i], SPAWN_REMOTE_NAME) == 0);
		if (r < 0)
			return r;
	}
	if (n <= 0)
		log_error("no listening unix socket was handed over; start tend-spawn.socket");
	return n > 0 ? 0 : -EINVAL;
}

static int set_up(struct manager *m, struct loop_source *signals[3])
{
	static const int signos[3] = {SIGTERM, SIGINT, SIGHUP};
	char why[512] = "";
	struct spawn_server_deps deps = {.why_no_rules = why};
	int r = loop_new(&m->loop);

	for (int i = 0; r == 0 && i < 3; i++)
		r = loop_signal_new(m->loop, signos[i], on_signal, m, &signals[i]);
	if (r < 0)
		return r;
	if (m->options.delegated) {
		r = cgroups_new(&m->cgroups);
		if (r < 0)
			log_warning("no control groups for programs (%s): they are ended by "
				    "descent alone",
				strerror(-r));
	}
	deps.loop = m->loop;
	if (m->keeper.pid > 0) {
		r = loop_child_new(m->loop, m->keeper.pid, on_keeper_end, m, &m->keeper_end);
		if (r < 0)
			return r;
	}
	deps.icmp = &m->icmp;
	deps.keeper = &m->keeper;
	deps.on_foul = on_foul;
	deps.data = m;
	deps.cgroups = m->cgroups;
	deps.rules = load_rules(m->options.config, why, sizeof(why));
	r = spawn_server_new(&deps, &m->server);
	if (r == 0)
		r = listen_all(m);
	/* A program, of the same user, can stop this process. */
	return r < 0 ? r : loop_watchdog_start(m->loop, NULL, NULL);
}

static int run(const struct options *options)
{
	struct manager m = {.options = *options};
	struct loop_source *signals[3] = {NULL};
	int r;

	/* Programs run as the same user: none may look into this process. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	icmp_sockets_open(&m.icmp);
	r = keeper_start(TEND_LIBEXECDIR "/tend-look", &m.keeper);
	if (r < 0)
		log_error("cannot give up the unit's groups, which no plugin is to have: "
			  "AmbientCapabilities=CAP_SETGID?");
	else
		r = icmp_give_up_rights();
	if (r == 0)
		r = set_up(&m, signals);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
	} else {
		loop_notify("READY=1\nSTATUS=waiting for requests of " PEER_UNIT);
		r = loop_run(m.loop);
	}
	loop_notify("STOPPING=1");
	spawn_server_free(m.server);
	for (int i = 0; i < 3; i++)
		loop_source_free(signals[i]);
	loop_source_free(m.keeper_end);
	safe_close(m.keeper.fd);
	cgroups_free(m.cgroups);
	icmp_sockets_close(&m.icmp);
	loop_free(m.loop);
	return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	struct options options = {.config = "/etc/tend/spawn.conf"};
	int r;

	/* What sshd starts, for whoever: nothing else is parsed, and there is nothing to choose. */
	if (argc == 2 && strcmp(argv[1], RELAY_OPTION) == 0)
		return relay_run("tend-spawn", SPAWN_REMOTE_SOCKET);
	r = parse_options(argc, argv, &options);
	if (r <= 0)
		return r < 0 ? 2 : EXIT_SUCCESS;
	log_open("tend-spawn", LOG_INFO);
	return options.check ? check_config(&options) : run(&options);
}
