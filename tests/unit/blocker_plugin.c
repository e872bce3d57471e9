/* SPDX-License-Identifier: MIT */
/* A plugin that blocks, crashes or tells what it was given, as its options say: for test_work.c.
 * Built twice, by two names. */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>
#include <jansson.h>
#include <tend/plugin.h>

#ifndef BLOCKER
#define BLOCKER blocker
#endif
#define NAME_OF_(x) #x
#define NAME_OF(x)  NAME_OF_(x)

enum act {
	ACT_TELL,
	ACT_HANG,
	ACT_CRASH,
	ACT_EXIT,
	ACT_NOTHING,
	ACT_NAMES,
	ACT_TRY,
	ACT_BIG,
	ACT_LOOP,
	ACT_CLOSE,
	ACT_READ
};
static const char *const acts[] = {"tell", "hang", "crash", "exit", "nothing", "names", "try",
	"big", "loop", "close", "read", NULL};

struct blocker_conf {
	char *host, *text, *file, *secret, **list, **map, **secrets, *prepared;
	bool yes;
	int act;
	int64_t number;
	double real;
	usec_t span;
	uint64_t bytes;
};

static const struct tend_option rows[] = {
	TEND_OPT(ENUM, struct blocker_conf, act, "act", "tell", "What to do.", .names = acts),
	TEND_OPT(STRING, struct blocker_conf, host, "host", NULL, "The host."),
	TEND_OPT(STRING, struct blocker_conf, file, "file", NULL, "A file to read.",
		.flags = TEND_OPTION_FILE),
	TEND_OPT(STRING, struct blocker_conf, text, "text", "täxt", "A text."),
	TEND_OPT(SECRET, struct blocker_conf, secret, "secret", NULL, "A secret."),
	TEND_OPT(LIST, struct blocker_conf, list, "list", "a, b", "A list."),
	TEND_OPT(MAP, struct blocker_conf, map, "map", NULL, "A map."),
	TEND_OPT(SECRET_MAP, struct blocker_conf, secrets, "secrets", NULL, "Secrets."),
	TEND_OPT(BOOL, struct blocker_conf, yes, "yes", "yes", "Yes or no."),
	TEND_OPT(INT, struct blocker_conf, number, "number", "-7", "A number."),
	TEND_OPT(DOUBLE, struct blocker_conf, real, "real", "0.125", "A real number."),
	TEND_OPT(USEC, struct blocker_conf, span, "span", "90s", "A span."),
	TEND_OPT(BYTES, struct blocker_conf, bytes, "bytes", "3M", "A size."),
	TEND_OPTION_END,
};

static int check(void *conf, struct tend_error *err)
{
	struct blocker_conf *c = conf;

	c->prepared = strdup("prepared");
	return 0;
}

static void clear(void *conf)
{
	struct blocker_conf *c = conf;

	free(c->prepared);
}

static const char *first(char **list)
{
	return list && *list ? *list : "-";
}

static void tell(struct tend_attempt *a, const struct blocker_conf *c, const char *method,
	const json_t *args)
{
	const json_t *memory = tend_attempt_memory(a);
	json_int_t n = json_integer_value(json_object_get(memory, "n")) + 1;

	(void)tend_attempt_metric(a, "n", (double)n, "c");
	(void)tend_attempt_metric_of(a, "free_bytes", "/srv\n", 1.5, "B");
	(void)tend_attempt_remember(a, json_pack("{s:I}", "n", n));
	if (method)
		tend_attempt_outcome(a, json_pack("{s:s, s:O?}", "method", method, "args",
						(json_t *)(uintptr_t)args));
	tend_attempt_finish(a, TEND_REASON_OK, "%s %s %s %s %s %s %d %lld %g %llu %llu %s",
		c->prepared, c->text, c->secret ? c->secret : "-", first(c->list), first(c->map),
		first(c->secrets), c->yes, (long long)c->number, c->real,
		(unsigned long long)c->span, (unsigned long long)c->bytes, tend_attempt_name(a));
}

static void append(char *text, size_t size, const char *word)
{
	size_t n = strlen(text);

	(void)snprintf(text + n, size - n, " %s", word);
}

static void names(struct tend_attempt *a)
{
	static const char *const hosts[] = {"this", "192.0.2.7"};
	char text[400] = "", host[64];
	const struct tend_address *addresses;
	size_t n = tend_attempt_addresses(a, &addresses);

	for (int i = 0; i < 2; i++) {
		struct addrinfo *list = NULL;
		int r = getaddrinfo(hosts[i], "389", NULL, &list);

		for (struct addrinfo *p = r == 0 ? list : NULL; p; p = p->ai_next) {
			(void)getnameinfo(p->ai_addr, p->ai_addrlen, host, sizeof(host), NULL, 0,
				NI_NUMERICHOST);
			append(text, sizeof(text), host);
		}
		if (r == 0)
			freeaddrinfo(list);
	}
	tend_attempt_finish(a, TEND_REASON_OK, "%zu:%s", n, text);
}

/* What must not be possible. */
static void try(struct tend_attempt *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in any = {.sin_family = AF_INET};
	struct rlimit limit;
	char text[200] = "";

	if (fork() >= 0)
		append(text, sizeof(text), "fork");
	if (execl("/bin/true", "true", (char *)NULL) == 0)
		append(text, sizeof(text), "exec");
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0)
		append(text, sizeof(text), "bind");
	if (kill(getppid(), 0) == 0)
		append(text, sizeof(text), "kill");
	if (syscall(SYS_tkill, getppid(), 0) == 0 ||
		syscall(SYS_tgkill, getppid(), getppid(), 0) == 0)
		append(text, sizeof(text), "tgkill");
	if (sigqueue(getppid(), 0, (union sigval){0}) == 0)
		append(text, sizeof(text), "sigqueue");
	if (prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit) == 0)
		append(text, sizeof(text), "prlimit");
	if (raise(0) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		append(text, sizeof(text), "less than it needs");
	if (open("/tmp/blocker-wrote-this", O_WRONLY | O_CREAT, 0600) >= 0)
		append(text, sizeof(text), "write");
	tend_attempt_finish(a, TEND_REASON_OK, "possible:%s", text);
}

/* The file of its configuration, and one that only `text` names; and what libraries read. */
static void read_all(struct tend_attempt *a, const struct blocker_conf *c)
{
	const char *const paths[] = {
		c->file, c->text, "/etc/hosts", "/usr/bin/true", "/proc/self/maps"};
	char text[200] = "";

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = paths[i] ? open(paths[i], O_RDONLY) : -1;

		append(text, sizeof(text), fd >= 0 ? "read" : "not");
		if (fd >= 0)
			(void)close(fd);
	}
	tend_attempt_finish(a, TEND_REASON_OK, "%s:", text);
}

static void big(struct tend_attempt *a)
{
	char *text = malloc(2 << 20);

	memset(text, 'x', 2 << 20);
	tend_attempt_outcome(a, json_stringn(text, 2 << 20));
	free(text);
	tend_attempt_finish(a, TEND_REASON_OK, "big");
}

static void on_signal(int signal)
{
	(void)close(3);
	(void)raise(SIGSTOP); /* the test sees it, and it stays */
}

static void work(struct tend_attempt *a, const void *conf, const char *method, const json_t *args)
{
	const struct blocker_conf *c = conf;

	switch (c->act) {
	case ACT_HANG:
		tend_attempt_phase(a, TEND_REASON_CONNECT_TIMEOUT, "nobody\nthere");
		for (;;)
			(void)pause();
	case ACT_LOOP:
		for (volatile unsigned long i = 0;; i++)
			;
	case ACT_CRASH:
		(void)raise(SIGUSR1); /* the sanitizers catch others */
		return;
	case ACT_EXIT:
		_exit(7);
	case ACT_NOTHING:
		return;
	case ACT_NAMES:
		names(a);
		return;
	case ACT_TRY:
		try(a);
		return;
	case ACT_READ:
		read_all(a, c);
		return;
	case ACT_CLOSE: /* when it is told to, later */
		(void)signal(SIGUSR2, on_signal);
		tend_attempt_finish(a, TEND_REASON_OK, "%d", (int)getpid());
		return;
	case ACT_BIG:
		big(a);
		return;
	default:
		tell(a, c, method, args);
	}
}

static const char *work_host(const void *conf)
{
	return ((const struct blocker_conf *)conf)->host;
}

static const char *const methods[] = {"ask", NULL};
static const struct tend_probe probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = NAME_OF(BLOCKER),
	.doc = "Blocks, for tests.",
	.options = rows,
	.conf_size = sizeof(struct blocker_conf),
	.check = check,
	.clear = clear,
	.work = work,
	.work_host = work_host,
	.work_methods = methods,
};
#define PROBE(ident) TEND_PROBE(ident, &probe)
PROBE(BLOCKER);
