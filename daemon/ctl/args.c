/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "ctl/ctl.h"

const struct ctl_option ctl_options[CTL_OPT_MAX] = {
#define X(id, short_letter, long_name, value_name, text)                                           \
	[CTL_OPT_##id] = {.letter = (short_letter),                                                \
		.name = (long_name),                                                               \
		.value = (value_name),                                                             \
		.help = (text)},
	CTL_OPTIONS(X)
#undef X
};

static const uint64_t global_options =
	CTL_BIT(OUTPUT) | CTL_BIT(SOCKET) | CTL_BIT(NO_COLOR) | CTL_BIT(HELP) | CTL_BIT(VERSION);

static int option_of_letter(char letter)
{
	for (int i = 0; i < CTL_OPT_MAX; i++)
		if (letter && ctl_options[i].letter == letter)
			return i;
	return -1;
}

static int option_of_name(const char *name, size_t len)
{
	for (int i = 0; i < CTL_OPT_MAX; i++)
		if (strlen(ctl_options[i].name) == len &&
			strncmp(ctl_options[i].name, name, len) == 0)
			return i;
	return -1;
}

static int unknown_option(const char *arg, struct tend_error *err)
{
	const char *names[CTL_OPT_MAX], *nearest, *word = arg + strspn(arg, "-");
	char plain[64];

	for (int i = 0; i < CTL_OPT_MAX; i++)
		names[i] = ctl_options[i].name;
	(void)snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(word, "="), word);
	nearest = str_startswith(arg, "--") ? str_nearest(plain, names, CTL_OPT_MAX) : NULL;
	if (nearest)
		return tend_error_set(err, -EINVAL, "there is no option '%s', did you mean '--%s'?",
			arg, nearest);
	return tend_error_set(err, -EINVAL, "there is no option '%s': see 'tendctl help'", arg);
}

/* argv[*i] is an option; takes its value from behind '=', from the rest of a short one, or from the
 * next argument. */
static int parse_option(
	int argc, char *const *argv, int *i, struct tend_error *err, struct ctl_args *args)
{
	const char *arg = argv[*i], *value = NULL;
	bool is_long = arg[1] == '-';
	int id;

	if (is_long) {
		size_t len = strcspn(arg + 2, "=");

		id = option_of_name(arg + 2, len);
		value = arg[2 + len] == '=' ? arg + 2 + len + 1 : NULL;
	} else {
		id = option_of_letter(arg[1]);
		value = arg[2] ? arg + 2 : NULL;
	}
	if (id < 0)
		return unknown_option(arg, err);
	if (!ctl_options[id].value) {
		if (value)
			return tend_error_set(
				err, -EINVAL, "option '--%s' takes no value", ctl_options[id].name);
		args->values[id] = "";
		return 0;
	}
	if (!value && *i + 1 < argc)
		value = argv[++*i];
	if (!value)
		return tend_error_set(err, -EINVAL, "option '--%s' needs a value: --%s=%s",
			ctl_options[id].name, ctl_options[id].name, ctl_options[id].value);
	args->values[id] = value;
	return 0;
}

static int find_command(struct ctl_args *args, const char *name, struct tend_error *err)
{
	const char *names[64], *nearest;
	size_t n = 0;

	for (const struct ctl_command *const *c = ctl_commands; *c && n < ARRAY_SIZE(names); c++) {
		names[n++] = (*c)->name;
		if (strcmp((*c)->name, name) == 0) {
			args->command = *c;
			return 0;
		}
	}
	nearest = str_nearest(name, names, n);
	if (nearest)
		return tend_error_set(err, -EINVAL, "there is no command '%s', did you mean '%s'?",
			name, nearest);
	return tend_error_set(err, -EINVAL, "there is no command '%s': see 'tendctl help'", name);
}

static int find_verb(struct ctl_args *args, const char *name, struct tend_error *err)
{
	const struct ctl_command *command = args->command;
	const char *names[16], *nearest;
	char list[256] = "";
	size_t n = 0;

	for (const struct ctl_verb *v = command->verbs; v->run && n < ARRAY_SIZE(names); v++) {
		size_t len = strlen(list);

		names[n++] = v->name;
		(void)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", v->name);
		if (strcmp(v->name, name) == 0) {
			args->verb = v;
			return 0;
		}
	}
	nearest = str_nearest(name, names, n);
	if (nearest)
		return tend_error_set(err, -EINVAL, "'%s' cannot '%s', did you mean '%s'?",
			command->name, name, nearest);
	return tend_error_set(
		err, -EINVAL, "'%s' cannot '%s', only: %s", command->name, name, list);
}

static int check_options(const struct ctl_args *args, struct tend_error *err)
{
	uint64_t allowed = global_options | args->verb->options;

	for (int i = 0; i < CTL_OPT_MAX; i++)
		if (args->values[i] && !(allowed & (UINT64_C(1) << i)))
			return tend_error_set(err, -EINVAL,
				"option '--%s' means nothing to '%s%s%s': see 'tendctl help %s'",
				ctl_options[i].name, args->command->name,
				args->verb->name ? " " : "",
				args->verb->name ? args->verb->name : "", args->command->name);
	return 0;
}

static int resolve(struct ctl_args *args, struct tend_error *err)
{
	const struct ctl_verb *verb;
	int r, used = 1;

	r = find_command(args, args->args[0], err);
	if (r < 0 || !args->command)
		return r;
	verb = args->command->verbs;
	if (verb->name && args->n_args > 1) {
		r = find_verb(args, args->args[1], err);
		if (r < 0)
			return r;
		used = 2;
	} else {
		args->verb = verb;
	}
	verb = args->verb;
	memmove(args->args, args->args + used,
		sizeof(args->args[0]) * (size_t)(args->n_args - used + 1));
	args->n_args -= used;
	if (args->values[CTL_OPT_HELP])
		return 0;
	if (args->n_args < verb->min_args || args->n_args > verb->max_args)
		return tend_error_set(err, -EINVAL, "too %s arguments: tendctl %s%s%s %s",
			args->n_args < verb->min_args ? "few" : "many", args->command->name,
			verb->name ? " " : "", verb->name ? verb->name : "", verb->args);
	return check_options(args, err);
}

int ctl_parse(int argc, char *const *argv, struct tend_error *err, struct ctl_args *ret_args)
{
	struct ctl_args args = {0};
	bool options = true;
	int r;

	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			r = parse_option(argc, argv, &i, err, &args);
			if (r < 0)
				return r;
		} else {
			if (args.n_args >= CTL_MAX_ARGS)
				return tend_error_set(
					err, -E2BIG, "more than %d arguments", CTL_MAX_ARGS);
			args.args[args.n_args++] = argv[i];
		}
	}
	if (args.n_args > 0) {
		r = resolve(&args, err);
		if (r < 0)
			return r;
	}
	*ret_args = args;
	return 0;
}

static void print_options(FILE *out, uint64_t mask)
{
	for (int i = 0; i < CTL_OPT_MAX; i++) {
		const struct ctl_option *o = &ctl_options[i];
		char left[64], letter[8] = "    ";

		if (!(mask & (UINT64_C(1) << i)))
			continue;
		if (o->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name,
			o->value ? "=" : "", o->value ? o->value : "");
		(void)fprintf(out, "  %-24s %s\n", left, o->help);
	}
}

static void print_verbs(FILE *out, const struct ctl_command *command)
{
	for (const struct ctl_verb *v = command->verbs; v->run; v++) {
		char left[96];

		(void)snprintf(left, sizeof(left), "%s%s%s%s%s", command->name, v->name ? " " : "",
			v->name ? v->name : "", *v->args ? " " : "", v->args);
		(void)fprintf(out, "  %-44s %s\n", left, v->help);
	}
}

void ctl_print_help(FILE *out, const struct ctl_command *command)
{
	uint64_t mask = 0;

	(void)fprintf(out, "tendctl [OPTION...] COMMAND [ARGUMENT...]\n\n");
	if (command) {
		(void)fprintf(out, "%s\n\n", command->help);
		print_verbs(out, command);
		for (const struct ctl_verb *v = command->verbs; v->run; v++)
			mask |= v->options;
	} else {
		for (const struct ctl_command *const *c = ctl_commands; *c; c++)
			print_verbs(out, *c);
		mask = CTL_BIT(MAX) - 1;
	}
	(void)fprintf(out, "\nOptions:\n");
	print_options(out, mask | global_options);
	(void)fprintf(out, "\nExit status: 0 fine (of status and check run: ok), 1 failed "
			   "(warning), 2 critical,\n"
			   "3 unknown, 64 wrong usage, 69 tendd cannot be reached, 77 your role "
			   "does not allow it.\n"
			   "The manual: tendctl(1).\n");
}
