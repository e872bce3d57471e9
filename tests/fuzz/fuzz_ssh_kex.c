/* SPDX-License-Identifier: MIT */
/* What an SSH server says in a key exchange, in two pieces; or a host key, a signature and what was
 * signed.
 * Parser: plugins/ssh/kex.c plugins/ssh/hostkey.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/ssh/hostkey.h"
#include "../../plugins/ssh/kex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void exchange(const uint8_t *data, size_t size, size_t cut)
{
	unsigned char out[KEX_OUT_BYTES];
	struct kex *kex = kex_new("SSH-2.0-Tend", "SSH-2.0-other");
	enum kex_what what = KEX_SEND;
	size_t at = 0, have = cut;

	if (!kex || kex_begin(kex, out) > sizeof(out))
		__builtin_trap();
	while (what == KEX_SEND || (what == KEX_MORE && have < size)) {
		size_t used = 0, n_out = 0;

		have = what == KEX_MORE ? size : have;
		what = kex_feed(kex, data + at, have - at, &used, out, &n_out);
		if (used > have - at || n_out > sizeof(out))
			__builtin_trap();
		at += used;
	}
	/* Nobody can have signed with our random numbers. */
	if (what == KEX_DONE || (what == KEX_BROKEN) != (kex_why(kex) != NULL))
		__builtin_trap();
	kex_free(kex);
}

static void key(const uint8_t *data, size_t size)
{
	struct fields f = {data, size, false};
	struct field blob = fields_string(&f), signature = fields_string(&f);
	char fingerprint[KEX_FINGERPRINT_BYTES];

	if (f.bad)
		return;
	hostkey_fingerprint(blob, fingerprint, sizeof(fingerprint));
	if (strlen(fingerprint) != 50)
		__builtin_trap();
	(void)hostkey_verify(blob, signature, f.data, f.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		exchange(data + 2, size - 2, data[1] < size - 2 ? data[1] : size - 2);
	else
		key(data + 2, size - 2);
	return 0;
}
