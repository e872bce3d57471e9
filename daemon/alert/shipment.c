/* SPDX-License-Identifier: MIT */
#include "alert/shipment.h"
#include <string.h>
#include "alert/private.h"
#include "alert/request.h"
#include "conf/rows.h"

const char *const verdict_names[VERDICT_MAX] = {
	[VERDICT_DELIVERED] = "delivered",
	[VERDICT_RETRY] = "retry",
	[VERDICT_FAILED] = "failed",
	[VERDICT_GONE] = "gone",
};

static const struct try_type try_types[RECEIVER_TYPE_MAX] = {
	[RECEIVER_WEBHOOK] = {.start = webhook_start,
		.cancel = webhook_cancel,
		.window = 8,
		.can_group = webhook_can_group,
		.max_notices = webhook_max_notices,
		.rate_per_minute = webhook_rate},
	[RECEIVER_SNMP] = {.start = snmp_start,
		.cancel = snmp_cancel,
		.window = 64,
		.is_ready = snmp_is_ready,
		.rate_per_minute = snmp_rate},
	[RECEIVER_SMTP] = {.start = mail_start,
		.cancel = mail_cancel,
		.window = 2,
		.can_group = mail_can_group,
		.rate_per_minute = mail_rate},
	[RECEIVER_EXEC] = {.start = exec_start,
		.cancel = exec_cancel,
		.window = 4,
		.can_group = exec_can_group,
		.max_notices = exec_max_notices,
		.rate_per_minute = exec_rate},
};

const struct try_type *try_type_of(const struct conf_receiver *conf)
{
	return &try_types[conf->type];
}

/* ---- secrets -------------------------------------------------------------------------------- */

enum { SECRET_MIN_BYTES = 4 }; /* what is shorter would blot out everything */

struct text {
	char *bytes;
	size_t len;
};

static void blot(const struct text *text, const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	char *at = text->bytes, *end = at + text->len;

	if (len < SECRET_MIN_BYTES)
		return;
	for (; (at = memmem(at, (size_t)(end - at), secret, len)); at += len)
		memset(at, '*', len);
}

static void blot_map(const struct text *text, char *const *map)
{
	for (; map && *map; map++) {
		const char *value = strchr(*map, '=');

		if (value)
			blot(text, value + 1);
	}
}

/* What is behind the host: the whole of it, and each part of the path, as answers cite them. */
static void blot_url(const struct text *text, const char *url)
{
	const char *path = url ? strstr(url, "://") : NULL;

	path = path ? path + 3 + strcspn(path + 3, "/?#") : NULL;
	if (!path)
		return;
	blot(text, path);
	for (const char *part = path; *part;) {
		auto_free char *one = NULL;
		size_t len;

		part += strspn(part, "/?#&=");
		len = strcspn(part, "/?#&=");
		/* Words like `services' or `api' are no secret; tokens are long. */
		one = len >= 12 ? strndup(part, len) : NULL;
		if (one)
			blot(text, one);
		part += len;
	}
}

void secrets_redact_bytes(const struct conf_receiver *conf, char *bytes, size_t len)
{
	const struct text text = {.bytes = bytes, .len = len};
	auto_free char *token = request_token(conf);

	blot(&text, token);
	for (const struct tend_option *row = conf_receiver_rows; row->name && len > 0; row++) {
		const void *member = (const char *)conf + row->offset;

		if (row->type == TEND_OPT_SECRET)
			blot(&text, *(char *const *)member);
		else if (row->type == TEND_OPT_SECRET_MAP)
			blot_map(&text, *(char **const *)member);
		else if (row->type == TEND_OPT_STRING && row->flags & TEND_OPTION_PRIVATE_URL)
			blot_url(&text, *(char *const *)member);
	}
}

void secrets_redact(const struct conf_receiver *conf, char *text)
{
	secrets_redact_bytes(conf, text, strlen(text));
}
