/* SPDX-License-Identifier: MIT */
#include "flow.h"

const struct tend_option flow_options[] = {
	TEND_OPT(STRING, struct flow_conf, file, "file", NULL,
		"The Lua file of the steps: an absolute path, or the name of a shipped one "
		"(tryton, "
		"form-login, token-api).",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(MAP, struct flow_conf, params, "param", NULL,
		"param.NAME = VALUE sets a parameter that the file declares; `tendctl flow check "
		"FILE` lists them."),
	TEND_OPT(SECRET_MAP, struct flow_conf, secrets, "secret", NULL,
		"secret.NAME = VALUE sets a secret that the file uses as ${secret:NAME}; the value "
		"is "
		"file:PATH or cred:NAME. The steps send it and never see it."),
	TEND_OPT(INT, struct flow_conf, cleanup_share, "cleanup_share", "25",
		"The part of the check's timeout that is kept for the clean-up, if the file has "
		"one: "
		"steps must be over before.",
		.min = 5, .max = 80, .unit = "%"),
	TEND_OPT(BOOL, struct flow_conf, verify_tls, "verify_tls", "yes",
		"Whether certificates must be trusted and for the right name."),
	TEND_OPT(STRING, struct flow_conf, ca_file, "ca_file", NULL,
		"Certificates to trust instead of the system's, in PEM."),
	TEND_OPTION_END,
};

const struct tend_metric_doc flow_metrics[] = {
	{"step_seconds", "s", "How long each step took, waits of its own counted.", true},
	{"total_seconds", "s", "How long the flow took, the clean-up counted.", TEND_COMES_ALWAYS},
	{"requests", "", "HTTP requests that were made, redirects counted.", TEND_COMES_ALWAYS},
	{"METRIC", "", "Whatever the file measures by flow.metric().", true},
	{0},
};

const struct tend_reason_doc flow_reasons[] = {
	{TEND_REASON_STEP_FAILED, "a step failed in a way that no other reason names"},
	{TEND_REASON_DNS_FAILED, "the server's name does not resolve"},
	{TEND_REASON_CONNECT_REFUSED, "the server refuses the connection"},
	{TEND_REASON_CONNECT_TIMEOUT, "no connection in the step's time"},
	{TEND_REASON_CONNECT_FAILED, "the server cannot be reached, or the connection breaks"},
	{TEND_REASON_TOO_SLOW, "no answer in time, or no time is left for the next step"},
	{TEND_REASON_TLS_EXPIRED, "the server's certificate has expired"},
	{TEND_REASON_TLS_NAME, "the server's certificate is for another name"},
	{TEND_REASON_TLS_UNTRUSTED, "the server's certificate is not trusted"},
	{TEND_REASON_TLS_REVOKED, "the server's certificate is revoked"},
	{TEND_REASON_TLS_WEAK, "the server's protocol or keys are too weak"},
	{TEND_REASON_TLS_FAILED, "the TLS handshake fails"},
	{TEND_REASON_PROTOCOL, "the answer is no HTTP, or not the JSON that was to come"},
	{TEND_REASON_STATUS_UNEXPECTED, "a status that the step does not expect"},
	{TEND_REASON_AUTH_FAILED, "a step with login = true is refused"},
	{TEND_REASON_ACCESS_DENIED, "logged in, but the right to do this is missing"},
	{TEND_REASON_CONTENT_UNEXPECTED, "the answer is not what the step expects"},
	{TEND_REASON_OBJECT_MISSING, "what is asked for does not exist: a table, a record"},
	{TEND_REASON_DATABASE_MISSING, "the database does not exist"},
	{TEND_REASON_READ_ONLY, "it can be read, not written"},
	{TEND_REASON_LOCKED, "a write waits for a lock"},
	{TEND_REASON_CONNECTIONS_FULL, "no free connection to the database"},
	{TEND_REASON_QUOTA, "the server says that too much was asked, or the quota is used up"},
	{TEND_REASON_QUERY_FAILED, "the CRM could not ask its database"},
	{TEND_REASON_STARTING, "the CRM or its database starts, stops or is in maintenance"},
	{TEND_REASON_NO_EVIDENCE,
		"a file of certificates cannot be read, or more than 64 flows run at once"},
	{TEND_REASON_INTERNAL, "the file cannot be loaded, or its process failed"},
	{0},
};
