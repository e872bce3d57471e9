/* SPDX-License-Identifier: MIT */
#include "exec/peer.h"
#include <errno.h>
#include <pwd.h>
#include <sys/socket.h>

struct peer_ask {
	struct pid1_call *call;
	long pid;
	peer_fn fn;
	void *data;
};

int peer_credentials(int fd, long *ret_pid, long *ret_uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*ret_pid = cred.pid;
	*ret_uid = (long)cred.uid;
	return 0;
}

/* The uid is asked for each time: the user may have been made after us. */
static bool is_peer_user(long uid)
{
	const struct passwd *user = getpwnam(PEER_USER);

	return user && user->pw_uid != 0 && (long)user->pw_uid == uid;
}

static void on_peer_unit(const struct pid1_reply *reply, void *data)
{
	struct peer_ask *ask = data;
	peer_fn fn = ask->fn;
	void *fn_data = ask->data;
	char why[128] = "";

	ask->call = NULL;
	if (reply->r == 0 &&
		(reply->unit->main_pid == 0 || reply->unit->main_pid != (uint32_t)ask->pid))
		(void)snprintf(why, sizeof(why), "the main process of " PEER_UNIT " is %u",
			(unsigned)reply->unit->main_pid);
	free(ask);
	fn(reply->r < 0 ? reply->message : why[0] ? why : NULL, fn_data);
}

int peer_ask_new(
	struct pid1 *pid1, long pid, long uid, peer_fn fn, void *data, struct peer_ask **ret_ask)
{
	struct peer_ask *ask;
	int r;

	if (pid <= 0 || !is_peer_user(uid))
		return -EPERM;
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct peer_ask){.pid = pid, .fn = fn, .data = data};
	r = pid1_get_unit(pid1, PEER_UNIT, on_peer_unit, ask, &ask->call);
	if (r < 0) {
		free(ask);
		return r;
	}
	*ret_ask = ask;
	return 0;
}

struct peer_ask *peer_ask_free(struct peer_ask *ask)
{
	if (!ask)
		return NULL;
	pid1_call_cancel(ask->call);
	free(ask);
	return NULL;
}

void peer_tell_refused(int fd)
{
	static const char note[] =
		"{\"call\":\"refused\",\"args\":{\"message\":\"only the main process "
		"of " PEER_UNIT ", as user " PEER_USER ", is listened to\"}}\n";
	char unread[4096];

	/* Unread bytes would turn the close into a reset, and the note would be lost. */
	(void)!recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
	(void)!send(fd, note, sizeof(note) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}
