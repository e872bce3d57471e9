/* SPDX-License-Identifier: MIT */
#include "run/sandbox.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "base/sanitized.h"

struct sandbox {
	struct sock_fprog program;
};

/* AddressSanitizer gives memory back and, on a finding, writes a report; its builds are for tests.
 */
static const int sanitizer_calls[] = {SCMP_SYS(madvise), SCMP_SYS(mprotect), SCMP_SYS(futex),
	SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(sched_yield), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(clock_gettime), SCMP_SYS(prctl),
	SCMP_SYS(write), SCMP_SYS(readlink), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64)};

static int allow_list(scmp_filter_ctx ctx, bool clock)
{
	static const int calls[] = {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall)};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(read), 1,
			SCMP_A0(SCMP_CMP_EQ, SANDBOX_FD, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
			SCMP_A0(SCMP_CMP_EQ, SANDBOX_FD, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
			SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
	/* Where the kernel's clock source is one that user space cannot read it is a call. */
	if (r == 0 && clock && !SANITIZED)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clock_gettime), 0);
	for (size_t i = 0; SANITIZED && i < ARRAY_SIZE(sanitizer_calls) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, sanitizer_calls[i], 0);
	return r;
}

/* libseccomp 2.5 hands the program out by a file only. */
static int export_program(scmp_filter_ctx ctx, struct sock_fprog *ret_program)
{
	auto_close int fd = memfd_create("filter", MFD_CLOEXEC);
	auto_free struct sock_filter *code = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > (off_t)(BPF_MAXINSNS * sizeof(*code)))
		return -EFBIG;
	code = malloc((size_t)st.st_size);
	if (!code)
		return -ENOMEM;
	if (pread(fd, code, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	ret_program->len = (unsigned short)((size_t)st.st_size / sizeof(*code));
	ret_program->filter = TAKE(code);
	return 0;
}

int sandbox_new(bool clock, struct sandbox **ret_sandbox)
{
	auto(sandbox_free) struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
	scmp_filter_ctx ctx;
	int r;

	if (!sandbox)
		return -ENOMEM;
	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = allow_list(ctx, clock);
	if (r == 0)
		r = export_program(ctx, &sandbox->program);
	seccomp_release(ctx);
	if (r < 0)
		return r;
	*ret_sandbox = TAKE(sandbox);
	return 0;
}

struct sandbox *sandbox_free(struct sandbox *sandbox)
{
	if (sandbox)
		free(sandbox->program.filter);
	free(sandbox);
	return NULL;
}

static int keep_only(int fd)
{
	if (fd != SANDBOX_FD && dup2(fd, SANDBOX_FD) < 0)
		return -errno;
	if (close_range(SANDBOX_FD + 1, ~0u, 0) < 0)
		return -errno;
	/* Under the sanitizers stderr stays, for their reports. */
	if (close_range(0, SANITIZED ? 1 : 2, 0) < 0)
		return -errno;
	return 0;
}

static int limit(__rlimit_resource_t what, rlim_t most)
{
	/* One second more for CPU time: at its soft limit comes SIGXCPU, which tells the daemon
	 * why; at the hard one SIGKILL, which looks like anybody's. */
	struct rlimit limit = {.rlim_cur = most,
		.rlim_max = what == RLIMIT_CPU && most != RLIM_INFINITY ? most + 1 : most};

	return setrlimit(what, &limit) < 0 ? -errno : 0;
}

uint64_t sandbox_cpu_sec(uint64_t wall_msec)
{
	uint64_t wall_sec = wall_msec / 1000 + (wall_msec % 1000 != 0);

	return wall_sec ? MIN(wall_sec, (uint64_t)SANDBOX_CPU_SEC) : SANDBOX_CPU_SEC;
}

static int limit_all(uint64_t wall_msec)
{
	const struct {
		__rlimit_resource_t what;
		rlim_t most;
	} limits[] = {
		{RLIMIT_CPU,
			wall_msec == SANDBOX_RESIDENT ? RLIM_INFINITY : sandbox_cpu_sec(wall_msec)},
		/* The sanitizers map terabytes of shadow; Lua's allocator has its own limit. */
		{RLIMIT_AS, SANITIZED ? RLIM_INFINITY : SANDBOX_AS_BYTES},
		{RLIMIT_NOFILE, 0},
		{RLIMIT_NPROC, 0},
		{RLIMIT_FSIZE, 0},
		{RLIMIT_CORE, 0},
		{RLIMIT_MEMLOCK, 0},
		{RLIMIT_MSGQUEUE, 0},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(limits) && r == 0; i++)
		r = limit(limits[i].what, limits[i].most);
	return r;
}

int sandbox_make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int sandbox_apply(const struct sandbox *sandbox, int fd, uint64_t wall_msec)
{
	int r;

	/* A run never outlives tendd, whose child it is, even when it reads no end of file. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* A busy run yields to the daemon and to the CRM. */
	if (wall_msec != SANDBOX_RESIDENT)
		(void)setpriority(PRIO_PROCESS, 0, 5);
	r = keep_only(fd);
	if (r == 0)
		r = limit_all(wall_msec);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &sandbox->program, 0, 0) < 0)
		return -errno;
	return 0;
}
