/* SPDX-License-Identifier: MIT */
#include "snmp/identity.h"
#include <string.h>
#include "base/hash.h"
#include "base/str.h"
#include "snmp/sink.h"

enum { PASSWORD_MIN_CHARS = 8, NAME_MAX_BYTES = 32, PASSWORD_MAX_BYTES = 256 };

struct protocol {
	const char *name;
	const oid *id;
	size_t len;
};

/* Weaker ones (MD5, SHA-1, SHA-224, DES) are left out on purpose. */
static const struct protocol auth_protocols[] = {
	{"SHA-256", usmHMAC192SHA256AuthProtocol, OID_LENGTH(usmHMAC192SHA256AuthProtocol)},
	{"SHA-512", usmHMAC384SHA512AuthProtocol, OID_LENGTH(usmHMAC384SHA512AuthProtocol)},
	{"SHA-384", usmHMAC256SHA384AuthProtocol, OID_LENGTH(usmHMAC256SHA384AuthProtocol)},
};
static const struct protocol priv_protocols[] = {
	{"AES", usmAESPrivProtocol, OID_LENGTH(usmAESPrivProtocol)},
	{"AES-128", usmAESPrivProtocol, OID_LENGTH(usmAESPrivProtocol)},
	/* Of a draft that never became a standard; with -C as Cisco and others lengthen keys. */
	{"AES-192", usmAES192PrivProtocol, OID_LENGTH(usmAES192PrivProtocol)},
	{"AES-256", usmAES256PrivProtocol, OID_LENGTH(usmAES256PrivProtocol)},
	{"AES-192-C", usmAES192CiscoPrivProtocol, OID_LENGTH(usmAES192CiscoPrivProtocol)},
	{"AES-256-C", usmAES256CiscoPrivProtocol, OID_LENGTH(usmAES256CiscoPrivProtocol)},
};

static int find_protocol(const struct protocol *table, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return (int)i;
	return -EINVAL;
}

void identity_wipe(void *data, size_t len)
{
	explicit_bzero(data, len);
}

static char *free_secret(char *secret)
{
	if (secret)
		identity_wipe(secret, strlen(secret));
	free(secret);
	return NULL;
}

static bool usable_password(const char *password)
{
	size_t len = password ? strlen(password) : 0;

	return len >= PASSWORD_MIN_CHARS && len <= PASSWORD_MAX_BYTES;
}

/* Hashes a megabyte: once an identity, not once an inform (RFC 3414, 2.6). */
static int make_keys(struct identity *id)
{
	const struct protocol *auth = &auth_protocols[id->auth];

	id->auth_key_len = sizeof(id->auth_key);
	id->priv_key_len = sizeof(id->priv_key);
	if (generate_Ku(auth->id, (u_int)auth->len, (const u_char *)id->auth_password,
		    strlen(id->auth_password), id->auth_key,
		    &id->auth_key_len) != SNMPERR_SUCCESS ||
		generate_Ku(auth->id, (u_int)auth->len, (const u_char *)id->priv_password,
			strlen(id->priv_password), id->priv_key,
			&id->priv_key_len) != SNMPERR_SUCCESS)
		return -EIO;
	/* It tells keys apart, it does not protect them. */
	id->mark = hash_bytes(HASH_INIT, &id->auth, sizeof(id->auth));
	id->mark = hash_bytes(id->mark, &id->priv, sizeof(id->priv));
	id->mark = hash_bytes(id->mark, id->auth_key, id->auth_key_len);
	id->mark = hash_bytes(id->mark, id->priv_key, id->priv_key_len);
	return 0;
}

int identity_init(struct identity *id, const struct sink_spec *spec, struct tend_error *err)
{
	int auth = find_protocol(auth_protocols, ARRAY_SIZE(auth_protocols), spec->auth_protocol);
	int priv = find_protocol(priv_protocols, ARRAY_SIZE(priv_protocols), spec->priv_protocol);

	if (auth < 0 || priv < 0)
		return tend_error_set(err, -EINVAL, "%s_protocol is missing or not served; %s is",
			auth < 0 ? "auth" : "priv", auth < 0 ? "SHA-256" : "AES");
	if (!spec->user || !*spec->user || strlen(spec->user) > NAME_MAX_BYTES)
		return tend_error_set(err, -EINVAL, "user must have 1 to %d bytes", NAME_MAX_BYTES);
	if (!usable_password(spec->auth_password) || !usable_password(spec->priv_password))
		return tend_error_set(err, -EINVAL, "passwords must have %d to %d bytes",
			PASSWORD_MIN_CHARS, PASSWORD_MAX_BYTES);
	*id = (struct identity){
		.user = strdup(spec->user),
		.auth_password = strdup(spec->auth_password),
		.priv_password = strdup(spec->priv_password),
		.auth = auth,
		.priv = priv,
	};
	if (!id->user || !id->auth_password || !id->priv_password)
		return tend_error_set(err, -ENOMEM, "out of memory");
	if (make_keys(id) < 0)
		return tend_error_set(err, -EIO, "cannot make keys of the passwords");
	return 0;
}

void identity_clear(struct identity *id)
{
	free(id->user);
	free_secret(id->auth_password);
	free_secret(id->priv_password);
	identity_wipe(id, sizeof(*id));
}

bool identity_is(const struct identity *id, const struct sink_spec *spec)
{
	return str_eq(id->user, spec->user) &&
	       str_eq(auth_protocols[id->auth].name, spec->auth_protocol) &&
	       str_eq(priv_protocols[id->priv].name, spec->priv_protocol) &&
	       str_eq(id->auth_password, spec->auth_password) &&
	       str_eq(id->priv_password, spec->priv_password);
}

void identity_fill(const struct identity *id, netsnmp_session *session)
{
	const struct protocol *auth = &auth_protocols[id->auth];
	const struct protocol *priv = &priv_protocols[id->priv];

	session->version = SNMP_VERSION_3;
	session->securityModel = SNMP_SEC_MODEL_USM;
	session->securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
	session->securityName = id->user;
	session->securityNameLen = strlen(id->user);
	session->securityAuthProto = snmp_duplicate_objid(auth->id, auth->len);
	session->securityAuthProtoLen = auth->len;
	session->securityPrivProto = snmp_duplicate_objid(priv->id, priv->len);
	session->securityPrivProtoLen = priv->len;
	memcpy(session->securityAuthKey, id->auth_key, id->auth_key_len);
	session->securityAuthKeyLen = id->auth_key_len;
	memcpy(session->securityPrivKey, id->priv_key, id->priv_key_len);
	session->securityPrivKeyLen = id->priv_key_len;
}

void identity_clear_session(netsnmp_session *session)
{
	SNMP_FREE(session->securityAuthProto);
	SNMP_FREE(session->securityPrivProto);
	identity_wipe(session, sizeof(*session));
}

int engine_set(struct engine *engine, const unsigned char *id, size_t len)
{
	if (!id || len < 5 || len > sizeof(engine->id))
		return -EINVAL;
	memcpy(engine->id, id, len);
	engine->len = len;
	return 0;
}

void engine_use(netsnmp_session *session, const struct engine *engine)
{
	SNMP_FREE(session->securityEngineID);
	SNMP_FREE(session->contextEngineID);
	session->securityEngineIDLen = session->contextEngineIDLen = 0;
	if (!engine)
		return;
	session->securityEngineID = netsnmp_memdup(engine->id, engine->len);
	session->contextEngineID = netsnmp_memdup(engine->id, engine->len);
	if (session->securityEngineID)
		session->securityEngineIDLen = engine->len;
	if (session->contextEngineID)
		session->contextEngineIDLen = engine->len;
}

static struct usmUser *find_user(const struct identity *id, const struct engine *engine)
{
	struct usmUser *user = usm_get_user(engine->id, engine->len, id->user);

	/* The list is searched by name; an entry of another engine must not be taken for ours. */
	if (!user || user->engineIDLen != engine->len ||
		memcmp(user->engineID, engine->id, engine->len) != 0)
		return NULL;
	return user;
}

/* Each user we make bears its mark in a field that nothing else here uses. */
static bool is_ours(const struct usmUser *user, const struct identity *id)
{
	return user->userPublicString && user->userPublicStringLen == sizeof(id->mark) &&
	       memcmp(user->userPublicString, &id->mark, sizeof(id->mark)) == 0;
}

static void drop_user(struct usmUser *user)
{
	usm_remove_user(user);
	user->next = user->prev = NULL;
	usm_free_user(user);
}

void engine_forget(struct identity *id, struct engine *engine)
{
	struct usmUser *user = id->user && engine->len ? find_user(id, engine) : NULL;

	if (user && is_ours(user, id))
		drop_user(user);
	if (engine->len)
		free_enginetime(engine->id, engine->len);
	engine->len = 0;
}

int engine_install(struct identity *id, const struct engine *engine, netsnmp_session *session)
{
	struct usmUser *user = find_user(id, engine);

	if (session->securityEngineIDLen != engine->len ||
		memcmp(session->securityEngineID, engine->id, engine->len) != 0)
		engine_use(session, engine);
	if (user && is_ours(user, id))
		return 0;
	if (user)
		drop_user(user);
	session->flags &= ~(u_long)SNMP_FLAGS_USER_CREATED;
	if (create_user_from_session(session) != SNMPERR_SUCCESS)
		return -EIO;
	user = find_user(id, engine);
	if (!user)
		return -EIO;
	user->userPublicString = netsnmp_memdup(&id->mark, sizeof(id->mark));
	user->userPublicStringLen = user->userPublicString ? sizeof(id->mark) : 0;
	return 0;
}

bool engine_conflict(const struct identity *a, const struct engine *a_engine,
	const struct identity *b, const struct engine *b_engine)
{
	if (a_engine->len == 0 || a_engine->len != b_engine->len ||
		memcmp(a_engine->id, b_engine->id, a_engine->len) != 0 ||
		strcmp(a->user, b->user) != 0)
		return false;
	return a->mark != b->mark; /* with the same keys one user serves both */
}

netsnmp_pdu *engine_discovery_pdu(void)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);

	if (!pdu)
		return NULL;
	pdu->version = SNMP_VERSION_3;
	pdu->securityModel = SNMP_SEC_MODEL_USM;
	pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	pdu->securityName = strdup("");
	pdu->securityNameLen = 0;
	if (!pdu->securityName) {
		snmp_free_pdu(pdu);
		return NULL;
	}
	return pdu;
}

const char *engine_report_text(int report)
{
	switch (report) {
	case SNMPERR_UNSUPPORTED_SEC_LEVEL:
		return "usmStatsUnsupportedSecLevels: it does not take authPriv from this user";
	case SNMPERR_NOT_IN_TIME_WINDOW:
		return "usmStatsNotInTimeWindows: its clock or its boots do not fit";
	case SNMPERR_UNKNOWN_USER_NAME:
		return "usmStatsUnknownUserNames: it does not know this user";
	case SNMPERR_UNKNOWN_ENG_ID:
		return "usmStatsUnknownEngineIDs: it is another engine each time it is asked";
	case SNMPERR_AUTHENTICATION_FAILURE:
		return "usmStatsWrongDigests: another authentication password or protocol";
	case SNMPERR_DECRYPTION_ERR:
		return "usmStatsDecryptionErrors: another privacy password or protocol";
	default:
		return "a report that is not known";
	}
}
