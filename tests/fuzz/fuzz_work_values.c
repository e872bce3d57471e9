/* SPDX-License-Identifier: MIT */
/* A plugin's configuration as tend-work gets it: what is taken is what would be sent again.
 * Parser: daemon/work/values.c.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "conf/options.h"
#include "work/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct conf {
	char *text, *secret, **list, **map, **secrets;
	bool yes;
	int choice;
	int64_t number;
	double real;
	usec_t span;
	uint64_t bytes;
};
static const char *const names[] = {"one", "two", NULL};
static const struct tend_option rows[] = {
	TEND_OPT(STRING, struct conf, text, "t", NULL, "A text."),
	TEND_OPT(SECRET, struct conf, secret, "s", NULL, "A secret."),
	TEND_OPT(LIST, struct conf, list, "l", NULL, "A list."),
	TEND_OPT(MAP, struct conf, map, "m", NULL, "A map."),
	TEND_OPT(SECRET_MAP, struct conf, secrets, "x", NULL, "Secrets."),
	TEND_OPT(BOOL, struct conf, yes, "y", NULL, "Yes or no."),
	TEND_OPT(ENUM, struct conf, choice, "e", NULL, "A word.", .names = names),
	TEND_OPT(INT, struct conf, number, "n", NULL, "A number."),
	TEND_OPT(DOUBLE, struct conf, real, "r", NULL, "A real number."),
	TEND_OPT(USEC, struct conf, span, "u", NULL, "A span."),
	TEND_OPT(BYTES, struct conf, bytes, "b", NULL, "A size."),
	TEND_OPTION_END,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *values = json_loadb((const char *)data, size, 0, NULL), *again = NULL;
	struct conf conf = {0}, copy = {0};

	if (work_values_unpack(rows, values, &conf) == 0) {
		if (work_values_pack(rows, &conf, &again) < 0 ||
			work_values_unpack(rows, again, &copy) < 0 ||
			!conf_options_same(rows, &conf, &copy))
			__builtin_trap();
	}
	conf_options_free(rows, &conf);
	conf_options_free(rows, &copy);
	json_decref(again);
	json_decref(values);
	return 0;
}
