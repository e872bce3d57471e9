/* SPDX-License-Identifier: MIT */
#include "snmp/library.h"
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* A place that cannot even be made: root could make a missing folder, and net-snmp tries. */
#define NOWHERE "/dev/null/none"

enum { LOG_LINES_PER_SEC = 20, LOG_LINE_BYTES = 300 };

/* Hostile packets make the library talk: a bound, and what was held back is counted. */
static int on_log(int major, int minor, void *server_arg, void *client_arg)
{
	static usec_t window;
	static unsigned n_lines, n_dropped;
	const struct snmp_log_message *m = server_arg;
	char text[LOG_LINE_BYTES];
	size_t len = strlen(m->msg);
	usec_t now = clock_now();

	if (now - window >= USEC_PER_SEC) {
		if (n_dropped)
			log_warning("net-snmp: %u more messages were not logged", n_dropped);
		window = now;
		n_lines = n_dropped = 0;
	}
	if (n_lines++ >= LOG_LINES_PER_SEC) {
		n_dropped++;
		return SNMPERR_SUCCESS;
	}
	while (len > 0 && m->msg[len - 1] == '\n')
		len--;
	str_sanitize(text, sizeof(text), m->msg, len);
	log_at(m->priority, NULL, "net-snmp: %s", text);
	return SNMPERR_SUCCESS;
}

void library_begin(void)
{
	static const int off[] = {
		NETSNMP_DS_LIB_DONT_READ_CONFIGS,
		NETSNMP_DS_LIB_DONT_PERSIST_STATE,
		NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD,
		NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE,
		/* Else it uses SIGALRM and setitimer. */
		NETSNMP_DS_LIB_ALARM_DONT_USE_SIG,
		NETSNMP_DS_LIB_PRINT_NUMERIC_OIDS,
	};

	/* Keys live in this process: no core, no ptrace by the same user. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setenv("MIBS", "", 1);
	(void)setenv("MIBDIRS", NOWHERE, 1);
	(void)setenv("SNMPCONFPATH", NOWHERE, 1);
	/* It would make folders for certificates there, which nothing here uses. */
	(void)setenv("SNMP_PERSISTENT_DIR", NOWHERE, 1);
	for (size_t i = 0; i < ARRAY_SIZE(off); i++)
		netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, off[i], 1);
	snmp_disable_log();
	snmp_enable_calllog();
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, on_log, NULL);
}

void library_start(const char *app)
{
	init_snmp(app);
	snmp_disable_stderrlog();
	snmp_enable_calllog();
}

void library_stop(const char *app)
{
	snmp_shutdown(app);
}

int library_parse_oid(const char *text, oid *ret_oid, size_t max, size_t *ret_len)
{
	oid parts[MAX_OID_LEN];
	size_t n = 0;

	for (const char *p = text;; p++) {
		uint64_t part = 0;

		if (*p < '0' || *p > '9' || n == MIN(max, (size_t)MAX_OID_LEN))
			return -EINVAL;
		for (; *p >= '0' && *p <= '9'; p++) {
			part = part * 10 + (uint64_t)(*p - '0');
			if (part > UINT32_MAX)
				return -EINVAL;
		}
		parts[n++] = (oid)part;
		if (*p == '\0')
			break;
		if (*p != '.')
			return -EINVAL;
	}
	/* The first two parts share one byte on the wire (X.690, 8.19.4). */
	if (n < 2 || parts[0] > 2 || (parts[0] < 2 && parts[1] > 39))
		return -EINVAL;
	memcpy(ret_oid, parts, n * sizeof(oid));
	*ret_len = n;
	return 0;
}
