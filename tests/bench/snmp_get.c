/* SPDX-License-Identifier: MIT */
/*
 * One GET after the other by net-snmp's own client, for bench_snmp.py: snmp_get PORT ROUNDS N
 * V3USER AUTH PRIV OID... asks for each OID N times in turn, ROUNDS times, and prints a line a
 * round: the median time of each OID in microseconds. V3USER "": SNMPv2c with community public.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_OIDS = 8, FIRST_OID = 7 };

struct target {
	oid name[MAX_OID_LEN];
	size_t len;
};

static double now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool set_key(netsnmp_session *s, const char *auth, const char *priv)
{
	const oid *protocol = snmp_duplicate_objid(usmHMAC192SHA256AuthProtocol, 10);

	s->version = SNMP_VERSION_3;
	s->securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
	s->securityAuthProto = snmp_duplicate_objid(protocol, 10);
	s->securityAuthProtoLen = 10;
	s->securityPrivProto = snmp_duplicate_objid(usmAESPrivProtocol, 10);
	s->securityPrivProtoLen = 10;
	s->securityAuthKeyLen = sizeof(s->securityAuthKey);
	s->securityPrivKeyLen = sizeof(s->securityPrivKey);
	return generate_Ku(protocol, 10, (const u_char *)auth, strlen(auth), s->securityAuthKey,
		       &s->securityAuthKeyLen) == SNMPERR_SUCCESS &&
	       generate_Ku(protocol, 10, (const u_char *)priv, strlen(priv), s->securityPrivKey,
		       &s->securityPrivKeyLen) == SNMPERR_SUCCESS;
}

static netsnmp_session *open_session(char **argv)
{
	static char peer[64], community[] = "public";
	netsnmp_session s;

	snmp_sess_init(&s);
	snprintf(peer, sizeof(peer), "udp:127.0.0.1:%s", argv[1]);
	s.peername = peer;
	s.timeout = 5000000;
	s.version = SNMP_VERSION_2c;
	s.community = (u_char *)community;
	s.community_len = strlen(community);
	if (argv[4][0]) {
		s.securityName = argv[4];
		s.securityNameLen = strlen(argv[4]);
		if (!set_key(&s, argv[5], argv[6]))
			return NULL;
	}
	return snmp_open(&s);
}

/* Microseconds; negative: it was not answered with a value. */
static double get(netsnmp_session *s, const struct target *t)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET), *answer = NULL;
	double began = now_usec();
	int r;

	snmp_add_null_var(pdu, t->name, t->len);
	r = snmp_synch_response(s, pdu, &answer);
	if (r != STAT_SUCCESS || answer->errstat != SNMP_ERR_NOERROR ||
		answer->variables->type >= SNMP_NOSUCHOBJECT)
		began = 1e18;
	snmp_free_pdu(answer);
	return now_usec() - began;
}

static int run_round(netsnmp_session *s, const struct target *targets, int n_targets, int n)
{
	double *times = calloc((size_t)n, sizeof(*times));

	for (int t = 0; times && t < n_targets; t++) {
		for (int i = 0; i < n; i++) {
			times[i] = get(s, &targets[t]);
			if (times[i] < 0) {
				free(times);
				return -1;
			}
		}
		qsort(times, (size_t)n, sizeof(*times), compare);
		printf("%s%.1f", t ? " " : "", times[n / 2]);
	}
	putchar('\n');
	free(times);
	return 0;
}

int main(int argc, char **argv)
{
	static struct target targets[MAX_OIDS];
	int n_targets = argc - FIRST_OID, r = 0;
	netsnmp_session *s;

	if (n_targets < 1 || n_targets > MAX_OIDS)
		return 2;
	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	init_snmp("snmp_get");
	for (int i = 0; i < n_targets; i++) {
		targets[i].len = MAX_OID_LEN;
		if (!read_objid(argv[FIRST_OID + i], targets[i].name, &targets[i].len))
			return 2;
	}
	s = open_session(argv);
	if (!s)
		return 1;
	for (int round = 0; r == 0 && round < atoi(argv[2]); round++)
		r = run_round(s, targets, n_targets, atoi(argv[3]));
	snmp_close(s);
	return r == 0 ? 0 : 1;
}
