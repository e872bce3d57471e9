/* SPDX-License-Identifier: MIT */
/* Certificate files: until when, for which names, whether chain and key belong together. */
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "exec/look/look.h"

enum { MAX_FILES = 100, MAX_FILE_BYTES = 1 << 20, MAX_CHAIN = 400, MAX_NAMES = 40 };

/* No password is asked for on a terminal. */
static int no_password(char *buf, int size, int writing, void *data)
{
	return 0;
}

static time_t time_of(const ASN1_TIME *at)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(at, &tm) ? timegm(&tm) : 0;
}

static json_t *name_of(X509_NAME *name)
{
	char text[256] = "";

	if (X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof(text)) <= 0)
		(void)X509_NAME_oneline(name, text, sizeof(text));
	return look_string(text);
}

static json_t *address_text(const ASN1_OCTET_STRING *ip)
{
	char text[INET6_ADDRSTRLEN] = "";
	int len = ASN1_STRING_length(ip);

	if (len == 4 || len == 16)
		(void)inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), text,
			sizeof(text));
	return json_string(text);
}

static json_t *names_of(X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	json_t *list = json_array();

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < MAX_NAMES; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			(void)json_array_append_new(list,
				look_string((const char *)ASN1_STRING_get0_data(name->d.dNSName)));
		else if (name->type == GEN_IPADD)
			(void)json_array_append_new(list, address_text(name->d.iPAddress));
	}
	GENERAL_NAMES_free(names);
	return list;
}

static bool is_for(X509 *cert, const char *name)
{
	return X509_check_host(cert, name, 0, 0, NULL) == 1 ||
	       X509_check_ip_asc(cert, name, 0) == 1;
}

static void add_leaf(json_t *doc, X509 *cert, const json_t *wanted)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	json_t *missing = json_array();
	const json_t *name;
	size_t i;

	json_array_foreach (wanted, i, name)
		if (!is_for(cert, json_string_value(name)))
			(void)json_array_append_new(missing, look_string(json_string_value(name)));
	(void)json_object_update_new(doc,
		json_pack("{s:o, s:o, s:I, s:o, s:o, s:i, s:s, s:s, s:b}", "subject",
			name_of(X509_get_subject_name(cert)), "issuer",
			name_of(X509_get_issuer_name(cert)), "not_before",
			(json_int_t)time_of(X509_get0_notBefore(cert)), "names", names_of(cert),
			"names_missing", missing, "bits", key ? EVP_PKEY_get_bits(key) : 0, "key",
			key && EVP_PKEY_get0_type_name(key) ? EVP_PKEY_get0_type_name(key) : "?",
			"signature", OBJ_nid2sn(X509_get_signature_nid(cert)), "self_signed",
			(X509_get_extension_flags(cert) & EXFLAG_SS) != 0));
}

/* The chain is as good as the one of it that ends first. */
static void add_chain(json_t *doc, X509 *const *chain, size_t n)
{
	time_t first = time_of(X509_get0_notAfter(chain[0]));
	bool joined = true;
	size_t which = 0;

	for (size_t i = 1; i < n; i++) {
		time_t ends = time_of(X509_get0_notAfter(chain[i]));

		if (ends < first) {
			first = ends;
			which = i;
		}
		joined = joined && X509_check_issued(chain[i], chain[i - 1]) == X509_V_OK;
	}
	(void)json_object_update_new(
		doc, json_pack("{s:I, s:o, s:i, s:b}", "not_after", (json_int_t)first, "ends_first",
			     name_of(X509_get_subject_name(chain[which])), "chain", (int)n,
			     "joined", joined));
}

static void add_key(json_t *doc, X509 *cert, const char *path)
{
	auto_free char *text = NULL;
	size_t len = 0;
	BIO *bio;
	EVP_PKEY *key = NULL;
	int r = fs_read_file(path, MAX_FILE_BYTES, &text, &len);

	if (r < 0) {
		(void)json_object_set_new(doc, "key_error", json_string(strerror(-r)));
		return;
	}
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (key)
		(void)json_object_set_new(
			doc, "key_matches", json_boolean(X509_check_private_key(cert, key) == 1));
	else
		(void)json_object_set_new(
			doc, "key_error", json_string("no private key, or one with a password"));
	EVP_PKEY_free(key);
	BIO_free(bio);
	explicit_bzero(text, len);
}

/* `broken`: there is more, but it cannot be read, or is too much. */
static size_t read_chain(const char *text, size_t len, X509 **ret_chain, bool *ret_broken)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	size_t n = 0;
	X509 *cert;

	ERR_clear_error();
	while (bio && (cert = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL))) {
		if (n == MAX_CHAIN) {
			X509_free(cert);
			break;
		}
		ret_chain[n++] = cert;
	}
	*ret_broken = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
	/* DER has no lines to begin with. */
	if (bio && n == 0 && BIO_reset(bio) == 1 && (ret_chain[0] = d2i_X509_bio(bio, NULL))) {
		n = 1;
		*ret_broken = false;
	}
	BIO_free(bio);
	ERR_clear_error();
	return n;
}

static json_t *look_at(const char *path, const json_t *args)
{
	json_t *doc = json_pack("{s:o}", "path", look_string(path));
	auto_free char *text = NULL;
	X509 *chain[MAX_CHAIN];
	size_t len = 0, n;
	bool broken = false;
	int r = fs_read_file(path, MAX_FILE_BYTES, &text, &len);

	if (r < 0) {
		(void)json_object_set_new(doc, "error", json_string(strerror(-r)));
		(void)json_object_set_new(doc, "errno",
			json_string(r == -ENOENT   ? "missing"
				    : r == -EACCES ? "denied"
						   : "other"));
		return doc;
	}
	n = read_chain(text, len, chain, &broken);
	if (n == 0) {
		(void)json_object_set_new(doc, "error", json_string("no certificate in it"));
		return doc;
	}
	add_leaf(doc, chain[0], json_object_get(args, "names"));
	add_chain(doc, chain, n);
	(void)json_object_set_new(doc, "broken", json_boolean(broken));
	if (look_text(args, "key"))
		add_key(doc, chain[0], look_text(args, "key"));
	for (size_t i = 0; i < n; i++)
		X509_free(chain[i]);
	explicit_bzero(text, len); /* there may be a key in it */
	return doc;
}

static void look_at_all(const char *pattern, const json_t *args, json_t *docs)
{
	glob_t found = {0};

	/* What fits nothing stays as it is, and is told as missing. */
	if (glob(pattern, GLOB_NOCHECK, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && json_array_size(docs) < MAX_FILES; i++)
			(void)json_array_append_new(docs, look_at(found.gl_pathv[i], args));
	globfree(&found);
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	json_t *docs = json_array();
	const json_t *pattern;
	size_t i;

	json_array_foreach (json_object_get(args, "paths"), i, pattern)
		look_at_all(json_string_value(pattern), args, docs);
	*ret_doc = json_pack("{s:I, s:o}", "now", (json_int_t)time(NULL), "files", docs);
	return 0;
}

static const struct look_arg rows[] = {
	{"paths", LOOK_TEXTS, true, "absolute paths or patterns of them"},
	{"names", LOOK_TEXTS, false, "names and addresses that they must be for"},
	{"key", LOOK_TEXT, false, "the private key that they must belong to"},
	{.name = NULL},
};

const struct look_kind look_certfile = {
	"certfile", "certificate files: until when, for whom, chain and key", rows, look};
