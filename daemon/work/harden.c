/* SPDX-License-Identifier: MIT */
#include "work/harden.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/sanitized.h"

/* A client library, its TLS, and rows up to the bound of a message, several times over. */
#define MEMORY_MAX_BYTES (UINT64_C(512) << 20)
enum { FILES_MAX = 64 };

static int limit_all(void)
{
	const struct {
		__rlimit_resource_t what;
		rlim_t most;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_NOFILE, FILES_MAX},
		{RLIMIT_MEMLOCK, 0},
		{RLIMIT_MSGQUEUE, 0},
		/* The sanitizers map terabytes of shadow. */
		{RLIMIT_AS, SANITIZED ? RLIM_INFINITY : MEMORY_MAX_BYTES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit = {limits[i].most, limits[i].most};

		if (limits[i].most != RLIM_INFINITY && setrlimit(limits[i].what, &limit) < 0)
			return -errno;
	}
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct has[2], none[2];

	memset(none, 0, sizeof(none));
	if (syscall(SYS_capget, &header, has) < 0)
		return -errno;
	/* As tendd's unit has it; there capset() itself is deadly. */
	if (memcmp(has, none, sizeof(none)) == 0)
		return 0;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* A rule set without a rule: what it handles is allowed nowhere. Not known to the kernel: no harm,
 * files are also guarded by their owners and by tendd's unit. */
static void forbid_writing(void)
{
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	auto_close int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0u);

	if (fd >= 0)
		(void)syscall(SYS_landlock_restrict_self, fd, 0u);
}

/* What no client library needs; it is refused, not deadly: some libraries try and go on. */
static int refuse_calls(void)
{
	static const int refused[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
		SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev), SCMP_SYS(kill), SCMP_SYS(pidfd_open),
		SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(bind),
		SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(mount),
		SCMP_SYS(umount2), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
		SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
		SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(io_uring_setup),
		SCMP_SYS(chroot), SCMP_SYS(pivot_root)};
	/* abort() and raise() send one to themselves; nobody else gets any. */
	static const int own[] = {SCMP_SYS(tkill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo),
		SCMP_SYS(rt_tgsigqueueinfo)};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(refused) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(own) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), own[i], 1,
			SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid(), 0));
	/* libc names the process itself as 0. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
			SCMP_A0(SCMP_CMP_NE, 0, 0));
	/* A thread may be made, a process not; of clone3() a filter cannot tell, libc then goes
	 * back to clone(). */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int harden(void)
{
	int r;

	/* It never outlives tendd, whose child it is, even while it waits for a server. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = limit_all();
	if (r == 0)
		r = drop_capabilities();
	/* The sanitizers look for leaks by a process that traces this one. */
	if (r < 0 || SANITIZED)
		return r;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	forbid_writing();
	return refuse_calls();
}
