/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include "base/log.h"
#include "base/str.h"
#include "exec/launch.h"
#include "exec/options.h"
#include "exec/peer.h"
#include "exec/relay.h"
#include "exec/server.h"
#include "watch/units.h"

struct options {
	const char *manifest_dir, *state_dir, *socket;
	bool check;
};

struct manager {
	struct options options;
	struct loop *loop;
	struct ledger *ledger;
	struct fences *fences;
	struct tend_units *units;
	struct jobs *jobs;
	struct pid1 *pid1;
	struct server *server, *remote;
	int listen_fd, remote_fd;
	char self[PATH_MAX];
};

static const char help[] =
	"Usage: tend-exec [OPTION...]\n"
	"Carries out the closed list of actions that tendd may ask for.\n\n"
	"  --manifest-dir DIR  what may be done (default /etc/tend/commands.d)\n"
	"  --state-dir DIR     the ledger (default /var/lib/tend-exec)\n"
	"  --socket PATH       listen here when not started by a socket unit\n"
	"  --stdio             pass messages on between standard input and output "
	"and the tend-exec\n"
	"                      that runs here; for sshd, see tend-exec(8)\n"
	"  -t, --test          check the manifest and exit\n"
	"  -V, --version       print the version and exit\n"
	"  -h, --help          print this and exit\n";

static int parse_options(int argc, char **argv, struct options *o)
{
	const struct option_row rows[] = {
		{"manifest-dir", .value = &o->manifest_dir},
		{"state-dir", .value = &o->state_dir},
		{"socket", .value = &o->socket},
		{0},
	};

	return options_parse("tend-exec", help, rows, argc, argv, &o->check);
}

static int check_manifest(const struct options *o)
{
	auto(manifest_free) struct manifest *manifest = NULL;
	struct conf_errors errors = {0};
	int r = manifest_load(o->manifest_dir, 0, &errors, &manifest);

	conf_errors_sort(&errors);
	conf_errors_print(&errors, stderr);
	if (r == 0)
		(void)printf("manifest ok: %zu units, %zu commands, %zu statements\n",
			manifest->units.len, manifest->commands.len, manifest->sql.len);
	else if (errors.len == 0)
		(void)fprintf(stderr, "tend-exec: %s\n", strerror(-r));
	conf_errors_clear(&errors);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A bad manifest allows nothing, but what was begun under a good one is still looked after. */
static void load_manifest(struct manager *m)
{
	struct manifest *manifest = NULL;
	struct conf_errors errors = {0};
	int r = manifest_load(m->options.manifest_dir, 0, &errors, &manifest);
	char why[TEND_ERROR_TEXT_BYTES + 300];

	conf_errors_sort(&errors);
	for (size_t i = 0; i < errors.len; i++)
		log_error("manifest: %s:%u: %s", errors.items[i].file, errors.items[i].line,
			errors.items[i].text);
	if (r == 0) {
		log_info("manifest: %zu units, %zu commands, %zu statements", manifest->units.len,
			manifest->commands.len, manifest->sql.len);
		jobs_set_manifest(m->jobs, manifest, NULL);
	} else {
		if (errors.len > 0)
			(void)snprintf(why, sizeof(why), "%s:%u: %s", errors.items[0].file,
				errors.items[0].line, errors.items[0].text);
		else
			(void)snprintf(why, sizeof(why), "%s", strerror(-r));
		log_error("manifest: not usable, every action is refused until it is mended and "
			  "tend-exec.service reloaded");
		jobs_set_manifest(m->jobs, NULL, why);
	}
	conf_errors_clear(&errors);
	server_tell_manifest(m->server);
	server_tell_manifest(m->remote);
}

static void on_signal(int signo, void *data)
{
	struct manager *m = data;

	if (signo == SIGHUP)
		load_manifest(m);
	else
		loop_stop(m->loop, EXIT_SUCCESS);
}

static void on_ready(void *data)
{
	struct manager *m = data;
	int r;

	r = jobs_reconcile(m->jobs);
	if (r == 0)
		r = server_new(m->loop, TAKE_FD(m->listen_fd), false, m->pid1, m->jobs, &m->server);
	if (r == 0 && m->remote_fd >= 0)
		r = server_new(m->loop, TAKE_FD(m->remote_fd), true, m->pid1, m->jobs, &m->remote);
	if (r < 0) {
		log_error("cannot begin: %s", strerror(-r));
		loop_stop(m->loop, EXIT_FAILURE);
		return;
	}
	loop_notify("READY=1\nSTATUS=waiting for requests of " PEER_UNIT);
}

static void on_job_removed(uint32_t job, const char *unit, const char *result, void *data)
{
	struct manager *m = data;

	jobs_on_job_removed(m->jobs, job, result);
}

/* One socket for tendd, and one for other hosts if tend-exec-remote.socket is in use. */
static int sort_sockets(struct manager *m, int n, char *const *names, struct tend_error *err)
{
	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		bool remote = strcmp(names[i], SERVER_REMOTE_NAME) == 0;
		int *place = remote ? &m->remote_fd : &m->listen_fd;

		if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
			return tend_error_set(err, -EINVAL,
				"what was handed over is not a listening unix stream socket");
		if (*place >= 0)
			return tend_error_set(
				err, -EINVAL, "two sockets '%s' were handed over", names[i]);
		*place = fd;
	}
	return 0;
}

static int get_socket(struct manager *m, struct tend_error *err)
{
	auto(strv_free) char **names = NULL;
	int n = sd_listen_fds_with_names(true, &names);
	int r = n > 0 ? sort_sockets(m, n, names, err) : 0;

	if (r < 0 || m->listen_fd >= 0)
		return r;
	if (!m->options.socket)
		return tend_error_set(err, -EINVAL,
			"no socket was handed over; start tend-exec.socket, or say --socket PATH");
	return server_listen(m->options.socket, &m->listen_fd, err);
}

static int find_self(struct manager *m, struct tend_error *err)
{
	ssize_t n = readlink("/proc/self/exe", m->self, sizeof(m->self) - 1);

	if (n < 0)
		return tend_error_set(
			err, -errno, "cannot read /proc/self/exe: %s", strerror(errno));
	m->self[n] = '\0';
	return 0;
}

static int set_up(struct manager *m, struct loop_source *signals[3], struct tend_error *err)
{
	static const int signos[3] = {SIGTERM, SIGINT, SIGHUP};
	const struct pid1_handlers handlers = {
		.ready = on_ready, .job_removed = on_job_removed, .data = m};
	int r = get_socket(m, err);

	if (r == 0)
		r = find_self(m, err);
	if (r == 0)
		r = loop_new(&m->loop);
	for (int i = 0; r == 0 && i < 3; i++)
		r = loop_signal_new(m->loop, signos[i], on_signal, m, &signals[i]);
	if (r == 0)
		r = ledger_open(m->options.state_dir, &m->ledger, err);
	if (r == 0)
		r = fences_open(m->options.state_dir, &m->fences, err);
	if (r == 0)
		r = units_new(m->loop, NULL, &m->units);
	if (r < 0)
		return r;
	r = jobs_new(
		&(struct jobs_deps){m->loop, m->ledger, m->fences, m->units, m->self}, &m->jobs);
	if (r < 0)
		return tend_error_set(err, r, "cannot tell which boot this is: %s", strerror(-r));
	load_manifest(m);
	r = pid1_new(m->loop, &handlers, &m->pid1, err);
	if (r == 0)
		jobs_set_pid1(m->jobs, m->pid1);
	return r;
}

static int run(const struct options *options)
{
	struct manager m = {.options = *options, .listen_fd = -EBADF, .remote_fd = -EBADF};
	struct loop_source *signals[3] = {NULL};
	struct tend_error err = {0};
	int r = set_up(&m, signals, &err);

	if (r < 0)
		log_error("cannot start: %s", err.code ? err.text : strerror(-r));
	else
		r = loop_run(m.loop);
	loop_notify("STOPPING=1");
	server_free(m.server);
	server_free(m.remote);
	jobs_free(m.jobs);
	pid1_free(m.pid1);
	units_free(m.units);
	fences_free(m.fences);
	ledger_free(m.ledger);
	for (int i = 0; i < 3; i++)
		loop_source_free(signals[i]);
	loop_free(m.loop);
	safe_close(m.listen_fd);
	safe_close(m.remote_fd);
	return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	struct options options = {
		.manifest_dir = "/etc/tend/commands.d",
		.state_dir = "/var/lib/tend-exec",
	};
	int r;

	/* Not an option for people: the way of a command, run as its user; nothing else is parsed.
	 */
	if (argc > 1 && strcmp(argv[1], LAUNCH_OPTION) == 0)
		return launch_run(argv + 2);
	if (argc == 2 && strcmp(argv[1], RELAY_OPTION) == 0)
		return relay_run("tend-exec", SERVER_REMOTE_SOCKET);
	r = parse_options(argc, argv, &options);

	if (r <= 0)
		return r < 0 ? 2 : EXIT_SUCCESS;
	log_open("tend-exec", LOG_INFO);
	if (options.check)
		return check_manifest(&options);
	return run(&options);
}
