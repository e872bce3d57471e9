/* SPDX-License-Identifier: MIT */
/* tend-work: waits for a call on its one socket, does it, answers, waits for the next. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "run/wire.h"
#include "work/attempt.h"
#include "work/harden.h"
#include "work/values.h"

enum { DAEMON_FD = 3, EXIT_USAGE = 64 };

static void say_phase(const char *reason, const char *text, void *data)
{
	json_t *args = json_pack("{s:s, s:s}", "reason", reason, "text", text);

	/* Of no moment if it fails: the answer will fail, too. */
	if (args)
		(void)wire_note(data, "phase", args);
}

static int answer_error(const struct wire *wire, json_int_t id, const char *code, const char *text)
{
	auto_json json_t *answer =
		json_pack("{s:I, s:{s:s, s:s}}", "id", id, "error", "code", code, "message", text);

	return answer ? wire_write(wire, answer) : -ENOMEM;
}

static int serve(const struct wire *wire, const json_t *message)
{
	json_int_t id = json_integer_value(json_object_get(message, "id"));
	const char *call = json_string_value(json_object_get(message, "call"));
	auto_json json_t *answer = NULL, *line = NULL;
	struct tend_error err = {.text = "no memory"};
	int r;

	if (id <= 0 || !call || strcmp(call, "attempt") != 0)
		return -EBADMSG;
	r = attempt_run(json_object_get(message, "args"), say_phase, (struct wire *)(uintptr_t)wire,
		&err, &answer);
	if (r < 0)
		return answer_error(wire, id, r == -ESTALE ? WORK_STALE : "failed", err.text);
	line = json_pack("{s:I, s:O}", "id", id, "ok", answer);
	r = line ? wire_write(wire, line) : -ENOMEM;
	if (r == -EMSGSIZE)
		r = answer_error(
			wire, id, "failed", "what it found is more than a message holds (1 MiB)");
	return r;
}

static int run(void)
{
	struct wire wire = {.fd = DAEMON_FD};
	int flags = fcntl(DAEMON_FD, F_GETFL);
	/* What waits in read() wants no EAGAIN; tendd's sockets are non-blocking from birth. */
	int r = flags < 0 ? -errno : fcntl(DAEMON_FD, F_SETFL, flags & ~O_NONBLOCK);

	while (r >= 0) {
		auto_json json_t *message = NULL;

		r = wire_read(&wire, &message);
		if (r <= 0)
			break;
		r = serve(&wire, message);
	}
	wire_done(&wire);
	return r;
}

int main(int argc, char **argv)
{
	struct stat st;
	int r;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("tend-work %s\n", TEND_VERSION) < 0;
	if (argc != 1 || fstat(DAEMON_FD, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		(void)fputs("tend-work runs probes that block for tendd, which starts it; see "
			    "tend-work(8)\n",
			stderr);
		return EXIT_USAGE;
	}
	log_open("tend-work", LOG_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	r = harden();
	if (r < 0) {
		log_error("tend-work: cannot give up its rights: %s, exiting", strerror(-r));
		return EXIT_FAILURE;
	}
	r = run();
	if (r < 0)
		log_error("tend-work: %s, exiting", strerror(-r));
	return r < 0;
}
