/* SPDX-License-Identifier: MIT */
/*
 * Plugins that must be refused; built several times, each with one of the BROKEN_* macros and its
 * name in BROKEN_NAME.
 */
#include <tend/plugin.h>

struct broken_conf {
	char *text;
};

#if !defined(BROKEN_START)
static int broken_start(struct tend_attempt *a, const void *conf)
{
	(void)a;
	(void)conf;
	return 0;
}
#endif

static const struct tend_option broken_options[] = {
#if defined(BROKEN_DEFAULT)
	{.name = "count", .type = TEND_OPT_INT, .def = "many", .help = "Cannot be."},
#elif defined(BROKEN_CORE_KEY)
	TEND_OPT(STRING, struct broken_conf, text, "interval", NULL, "The core's."),
#elif defined(BROKEN_OFFSET)
	{.name = "text", .type = TEND_OPT_STRING, .offset = 4096, .help = "Out of bounds."},
#else
	TEND_OPT(STRING, struct broken_conf, text, "text", NULL, "Text."),
#endif
	TEND_OPTION_END,
};

static const struct tend_probe broken_probe = {
#if defined(BROKEN_ABI)
	.abi = TEND_PLUGIN_ABI + 1,
#else
	.abi = TEND_PLUGIN_ABI,
#endif
#if defined(BROKEN_CALLED)
	.name = "somebody_else",
#else
	.name = BROKEN_NAME,
#endif
	.doc = "Is refused.",
	.options = broken_options,
	.conf_size = sizeof(struct broken_conf),
#if !defined(BROKEN_START)
	.start = broken_start,
#endif
};

#if defined(BROKEN_SYMBOL)
TEND_PROBE(other_symbol, &broken_probe);
#else
#define EXPORT(name) TEND_PROBE(name, &broken_probe)
EXPORT(BROKEN_IDENT);
#endif
