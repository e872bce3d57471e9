/* SPDX-License-Identifier: MIT */
/* The certfile probe: certificates as they lie on the component's machine, also of services that
 * cannot be asked. */
#include "certfile.h"
#include <errno.h>

static const struct tend_option certfile_options[] = {
	TEND_OPT(LIST, struct certfile_conf, paths, "paths", NULL,
		"Absolute paths of files (PEM or DER), or patterns as in "
		"/etc/letsencrypt/live/*/fullchain.pem.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(LIST, struct certfile_conf, names, "names", NULL,
		"Names and addresses that each of them must be for."),
	TEND_OPT(STRING, struct certfile_conf, key, "key", NULL,
		"The private key that they must belong to; the user tend-probe must be able to "
		"read it."),
	TEND_OPT(BOOL, struct certfile_conf, bundle, "bundle", "no",
		"They are lists of authorities, which do not follow on each other."),
	TEND_OPT(USEC, struct certfile_conf, expires_within, "expires_within", "14d",
		"One that expires within this time is told.", .max = 3.2e14, .unit = "s"),
	TEND_OPT(INT, struct certfile_conf, min_bits, "min_bits", "2048",
		"The least bits of an RSA key.", .min = 0, .max = 65536),
	TEND_OPTION_END,
};

static int certfile_check(void *conf, struct tend_error *err)
{
	const struct certfile_conf *c = conf;

	for (char **path = c->paths; path && *path; path++)
		if ((*path)[0] != '/')
			return tend_error_set(
				err, -EINVAL, "paths: '%s' is no absolute path", *path);
	if (c->key && c->key[0] != '/')
		return tend_error_set(err, -EINVAL, "key: '%s' is no absolute path", c->key);
	return 0;
}

static const struct machine_probe certfile_machine = {
	.kind = "certfile",
	.missing = TEND_REASON_FILE_MISSING,
	.judge = certfile_judge,
};

static int certfile_start(struct tend_attempt *a, const void *conf)
{
	const struct certfile_conf *c = conf;

	return machine_start(a, conf, &certfile_machine,
		json_pack("{s:o, s:o, s:s*}", "paths", doc_list(c->paths), "names",
			doc_list(c->names), "key", c->key));
}

static const struct tend_metric_doc certfile_metric_docs[] = {
	TEND_METRIC_OF("days_left", "", "of the one in its chain that ends first"),
	{0},
};

static const struct tend_reason_doc certfile_reason_docs[] = {
	{TEND_REASON_TLS_EXPIRED, "it, or one of its chain, has expired"},
	{TEND_REASON_TLS_EXPIRES, "it will within `expires_within'"},
	{TEND_REASON_TLS_UNTRUSTED, "not valid yet; the chain is not joined"},
	{TEND_REASON_TLS_NAME, "it is not for one of `names'"},
	{TEND_REASON_TLS_WEAK, "its key is too short, it is signed with SHA-1 or MD5"},
	{TEND_REASON_CONTENT_UNEXPECTED, "it does not belong to `key'"},
	{TEND_REASON_PROTOCOL, "no certificate in the file, or one that cannot be read"},
	{TEND_REASON_FILE_MISSING, "a path or pattern that fits nothing"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	MACHINE_REASONS,
	{0},
};

static size_t certfile_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(certfile_metric_docs, ret_names);
}

static const struct tend_probe certfile_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "certfile",
	.doc = "Looks at certificate files: until when, for which names, key and chain.",
	.options = certfile_options,
	.conf_size = sizeof(struct certfile_conf),
	.check = certfile_check,
	.start = certfile_start,
	.metrics = certfile_metrics,
	.metric_docs = certfile_metric_docs,
	.reason_docs = certfile_reason_docs,
	.example = "paths = /etc/letsencrypt/live/*/fullchain.pem\nexpires_within = 21d\n",
};
TEND_PROBE(certfile, &certfile_probe);
