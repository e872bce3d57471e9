/* SPDX-License-Identifier: MIT */
/*
 * tend-verbs: prints lua/VERBS.md from the verb table. Never installed; `contrib/dev docs` writes
 * the file anew, and the test lua/verbs fails when it is not what this prints.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy/verbs.h"

static const char *const arg_types[ARG_TYPE_MAX] = {
	[ARG_STRING] = "text",
	[ARG_INTEGER] = "integer",
	[ARG_DURATION] = "duration",
	[ARG_OBJECT] = "table",
	[ARG_ARRAY] = "list",
	[ARG_SEVERITY] = "severity",
	[ARG_ANY] = "any value",
};

static const char *const resumes[RESUME_MAX] = {
	[RESUME_AGAIN] = "is done again",
	[RESUME_ATTACH] = "is asked for at the executor, whose ledger knows; never done again",
	[RESUME_DONE] = "was done with its entry in the journal",
};

static const char head[] =
	"<!-- SPDX-License-Identifier: MIT -->\n"
	"<!-- Made from daemon/policy/verbs.c by `contrib/dev docs`; do not edit. -->\n"
	"# The verbs\n"
	"What a policy may ask for: `tend.NAME{argument = value, ...}`. The first argument may "
	"stand\n"
	"without its name: `tend.unit.restart(\"x.service\")`, `tend.verify(check, { ok = 3 })`. A "
	"verb\n"
	"gives its value, or `true` if it has none, when it was done; else `nil, message, outcome` "
	"with\n"
	"the outcome `failed`, `refused` (nothing was begun) or `unknown` (it may have happened). "
	"A wrong\n"
	"name or type is an error with the line. See README.md.\n"
	"\n"
	"- **observe** changes nothing; **notify** tells people; **change** and **destroy** act on "
	"a\n"
	"  system and pass the gates: mode, window, limits, fresh evidence, approval.\n"
	"- The time limit is that of one call; of a unit or a command it is the `timeout` of the\n"
	"  executor's manifest (and 5 min) where that is longer.\n"
	"- *After a crash* says what becomes of a call whose outcome was not recorded when Tend "
	"died.\n"
	"- A dry run does not do what acts or tells, and says what it would have done.\n"
	"\n";

static void print_signature(const struct verb *verb)
{
	printf("    tend.%s{", verb->name);
	for (size_t i = 0; i < VERB_MAX_ARGS && verb->args[i].name; i++)
		printf("%s%s", i ? ", " : "", verb->args[i].name);
	printf("}\n\n");
}

static void print_arguments(const struct verb *verb)
{
	if (!verb->args[0].name)
		return;
	printf("| argument | type | |\n|---|---|---|\n");
	for (size_t i = 0; i < VERB_MAX_ARGS && verb->args[i].name; i++)
		printf("| %s | %s | %s |\n", verb->args[i].name, arg_types[verb->args[i].type],
			verb->args[i].required ? "" : "may be left out");
	printf("\n");
}

static void print_verb(const struct verb *verb)
{
	char span[CLOCK_TEXT_BYTES];

	printf("## %s\n\n%s\n\n", verb->name, verb->doc);
	print_signature(verb);
	print_arguments(verb);
	printf("Risk: %s. Time limit: %s. After a crash it %s.", verb_risk_names[verb->risk],
		clock_format_span(verb->timeout, span), resumes[verb->resume]);
	if (verb->risk >= RISK_CHANGE)
		printf(" Undo: %s.", verb->undo);
	if (verb->pretend && verb->risk < RISK_NOTIFY)
		printf(" Not done in a dry run.");
	printf("\n\n");
}

static void print_index(void)
{
	printf("| verb | risk | arguments |\n|---|---|---|\n");
	for (size_t i = 0; i < n_verbs; i++) {
		if (verbs[i].internal)
			continue;
		printf("| [%s](#", verbs[i].name);
		/* Headings lose their dots in anchors. */
		for (const char *p = verbs[i].name; *p; p++)
			if (*p != '.')
				putchar(*p);
		printf(") | %s |", verb_risk_names[verbs[i].risk]);
		for (size_t k = 0; k < VERB_MAX_ARGS && verbs[i].args[k].name; k++)
			printf(verbs[i].args[k].required ? " %s" : " [%s]", verbs[i].args[k].name);
		printf(" |\n");
	}
	printf("\n");
}

int main(void)
{
	fputs(head, stdout);
	print_index();
	for (size_t i = 0; i < n_verbs; i++)
		if (!verbs[i].internal)
			print_verb(&verbs[i]);
	return ferror(stdout) || fflush(stdout) != 0;
}
