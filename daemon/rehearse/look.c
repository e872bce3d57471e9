/* SPDX-License-Identifier: MIT */
#include "rehearse/look.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/str.h"
#include "policy/verbs.h"

enum { UNDO_LINES = 4, NAME_BYTES = 128 };

/* What tend-run itself has under `tend`. */
static const char *const own_names[] = {"null", "all", "any"};

struct looking {
	const struct tokens *t;
	look_fn fn;
	void *data;
};

__attribute__((format(printf, 4, 5))) static void say(
	const struct looking *lk, enum look_level level, unsigned line, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	lk->fn(level, line, text, lk->data);
}

static const struct token *at(const struct tokens *t, size_t i)
{
	return &t->list[i < t->n ? i : t->n - 1];
}

static bool is_kind(const struct tokens *t, size_t i, enum token_kind kind)
{
	return at(t, i)->kind == kind;
}

static bool is_symbol(const struct tokens *t, size_t i, const char *text)
{
	return is_kind(t, i, TOKEN_SYMBOL) && strcmp(at(t, i)->text, text) == 0;
}

/* ---- tend.x.y
 * ------------------------------------------------------------------------------------------------------
 */

/* At `tend' that is the global: the dotted name behind it; *ret_end is the token after it. */
static bool read_name(const struct tokens *t, size_t i, char name[NAME_BYTES], size_t *ret_end)
{
	size_t len = 0;

	if (!token_is(at(t, i), "tend") || !is_symbol(t, i + 1, "."))
		return false;
	if (i > 0 && (is_symbol(t, i - 1, ".") || is_symbol(t, i - 1, ":")))
		return false;
	name[0] = '\0';
	for (i++; is_symbol(t, i, ".") && is_kind(t, i + 1, TOKEN_NAME); i += 2) {
		int n = snprintf(
			name + len, NAME_BYTES - len, "%s%s", len ? "." : "", at(t, i + 1)->text);

		if (n < 0 || (size_t)n >= NAME_BYTES - len)
			return false;
		len += (size_t)n;
	}
	*ret_end = i;
	return len > 0;
}

static bool is_call(const struct tokens *t, size_t i)
{
	return is_symbol(t, i, "(") || is_symbol(t, i, "{") || is_kind(t, i, TOKEN_STRING);
}

static bool is_own(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_names); i++)
		if (strcmp(own_names[i], name) == 0)
			return true;
	return false;
}

/* `unit' of `unit.restart'. */
static bool is_group(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n_verbs; i++)
		if (strncmp(verbs[i].name, name, n) == 0 && verbs[i].name[n] == '.')
			return true;
	return false;
}

static void unknown_verb(const struct looking *lk, unsigned line, const char *name)
{
	auto_free const char **names = calloc(n_verbs, sizeof(*names));
	const char *near;
	size_t n = 0;

	for (size_t i = 0; names && i < n_verbs; i++)
		if (!verbs[i].internal)
			names[n++] = verbs[i].name;
	near = names ? str_nearest(name, names, n) : NULL;
	say(lk, LOOK_ERROR, line, "there is no verb tend.%s%s%s%s", name,
		near ? ", did you mean tend." : "", near ? near : "", near ? "?" : "");
}

/* ---- arguments
 * -----------------------------------------------------------------------------------------------------
 */

/* The token behind the expression that begins at i: a comma, a closing bracket or the end. */
static size_t skip_expression(const struct tokens *t, size_t i)
{
	int depth = 0;

	for (; !is_kind(t, i, TOKEN_END); i++) {
		const struct token *token = at(t, i);
		bool opens = token_is(token, "(") || token_is(token, "{") || token_is(token, "[") ||
			     (token->kind == TOKEN_NAME &&
				     (token_is(token, "function") || token_is(token, "do") ||
					     token_is(token, "then") || token_is(token, "repeat")));
		bool closes = token_is(token, ")") || token_is(token, "}") ||
			      token_is(token, "]") ||
			      (token->kind == TOKEN_NAME &&
				      (token_is(token, "end") || token_is(token, "until")));

		if (depth == 0 && (closes || token_is(token, ",") || token_is(token, ";")))
			return i;
		depth += opens - closes;
		/* `elseif ... then' has no `end' of its own. */
		if (token_is(token, "elseif"))
			depth--;
	}
	return i;
}

/* The value of an expression of tokens [i, end) that is a literal; NULL: it is none. */
static json_t *literal(const struct tokens *t, size_t i, size_t end)
{
	const struct token *token = at(t, i);
	bool minus = end == i + 2 && token_is(token, "-");
	char *rest;

	if (end != i + 1 && !minus)
		return NULL;
	if (minus)
		token = at(t, i + 1);
	if (token->kind == TOKEN_STRING && !minus)
		return json_string(token->text);
	if (token->kind == TOKEN_NUMBER) {
		long long integer = strtoll(token->text, &rest, 0);

		if (!*rest)
			return json_integer(minus ? -integer : integer);
		return json_real(strtod(token->text, NULL) * (minus ? -1 : 1));
	}
	if (token_is(token, "true") || token_is(token, "false"))
		return json_boolean(token_is(token, "true"));
	return NULL;
}

/* Something that fits, for what is only known when it runs. */
static json_t *stand_in(enum verb_arg_type type)
{
	switch (type) {
	case ARG_INTEGER:
		return json_integer(1);
	case ARG_OBJECT:
		return json_object();
	case ARG_ARRAY:
		return json_array();
	case ARG_DURATION:
		return json_string("1s");
	case ARG_SEVERITY:
		return json_string("info");
	default:
		return json_string("x");
	}
}

static const struct verb_arg *arg_of(const struct verb *verb, const char *name)
{
	for (size_t i = 0; i < VERB_MAX_ARGS && verb->args[i].name; i++)
		if (strcmp(verb->args[i].name, name) == 0)
			return &verb->args[i];
	return NULL;
}

struct reading_args {
	const struct verb *verb;
	json_t *args;
	bool open; /* there may be more than is written here */
};

static void take_arg(
	struct reading_args *ra, const struct tokens *t, const char *name, size_t i, size_t end)
{
	const struct verb_arg *arg = arg_of(ra->verb, name);
	json_t *value = literal(t, i, end);

	/* nil is as good as not given. */
	if (end == i + 1 && token_is(at(t, i), "nil"))
		return;
	if (!value && is_symbol(t, i, "{") && arg &&
		(arg->type == ARG_STRING || arg->type == ARG_INTEGER))
		value = NULL; /* a table may stand for a name: ctx.component and the like do */
	if (!value)
		value = arg ? stand_in(arg->type) : json_true();
	(void)json_object_set_new(ra->args, name, value);
}

/* {name = expression, ...} at i. */
static size_t read_table(struct reading_args *ra, const struct tokens *t, size_t i)
{
	for (i++; !is_symbol(t, i, "}") && !is_kind(t, i, TOKEN_END);) {
		bool named = is_kind(t, i, TOKEN_NAME) && is_symbol(t, i + 1, "=");
		size_t end = skip_expression(t, named ? i + 2 : i);

		if (named)
			take_arg(ra, t, at(t, i)->text, i + 2, end);
		else
			ra->open = true;
		i = end + (is_symbol(t, end, ",") || is_symbol(t, end, ";"));
		if (end == i && !is_symbol(t, i, "}"))
			break; /* not as Lua has it */
	}
	return i;
}

/* (a, b, {name = c}) at i. */
static void read_list(struct reading_args *ra, const struct tokens *t, size_t i)
{
	for (size_t n = 0; (i++, !is_symbol(t, i, ")")) && !is_kind(t, i, TOKEN_END); n++) {
		size_t end = skip_expression(t, i);
		bool last = is_symbol(t, end, ")");

		if (last && is_symbol(t, i, "{")) {
			(void)read_table(ra, t, i);
		} else if (n < VERB_MAX_ARGS && ra->verb->args[n].name) {
			auto_json json_t *value = literal(t, i, end);

			take_arg(ra, t, ra->verb->args[n].name, i, end);
			/* What is no literal may be a table of named arguments, or several. */
			ra->open = ra->open || (last && !value);
		}
		i = end;
		if (!is_symbol(t, i, ","))
			return;
	}
}

static void check_call(const struct looking *lk, const struct verb *verb, size_t i, unsigned line)
{
	const struct tokens *t = lk->t;
	struct reading_args ra = {.verb = verb, .args = json_object()};
	struct tend_error why = {0};

	if (is_symbol(t, i, "{"))
		(void)read_table(&ra, t, i);
	else if (is_symbol(t, i, "("))
		read_list(&ra, t, i);
	else if (verb->args[0].name)
		take_arg(&ra, t, verb->args[0].name, i, i + 1);
	for (size_t k = 0; ra.open && k < VERB_MAX_ARGS && verb->args[k].name; k++)
		if (!json_object_get(ra.args, verb->args[k].name))
			(void)json_object_set_new(
				ra.args, verb->args[k].name, stand_in(verb->args[k].type));
	if (verb_check_args(verb, ra.args, &why) < 0)
		say(lk, LOOK_ERROR, line, "%s", why.text);
	json_decref(ra.args);
}

/* A `tend' that is no call written out: what is called through it is only known when it runs. */
static void say_computed(const struct looking *lk, size_t i)
{
	const struct tokens *t = lk->t;
	unsigned line = at(t, i)->line;
	char name[NAME_BYTES] = "";
	size_t end = i + 1;
	bool dotted;

	if (!token_is(at(t, i), "tend") || is_symbol(t, i - (i > 0), ".") ||
		is_symbol(t, i - (i > 0), ":"))
		return;
	dotted = read_name(t, i, name, &end);
	if (is_own(name) || is_call(t, end) || (dotted && !verb_find(name) && !is_group(name)))
		return;
	if (is_symbol(t, end, "["))
		say(lk, LOOK_WARNING, line,
			"the verb of tend%s%s is computed: neither it nor its arguments could be "
			"checked",
			dotted ? "." : "", name);
	else
		say(lk, LOOK_WARNING, line,
			"tend%s%s is used as a value: what is called through it could not be "
			"checked",
			dotted ? "." : "", name);
}

void look_at_names(const struct tokens *tokens, look_fn fn, void *data)
{
	const struct looking lk = {tokens, fn, data};

	for (size_t i = 0; i < tokens->n; i++) {
		const struct token *before = at(tokens, i - (i > 0));

		if (!token_is(at(tokens, i), "policy") || !is_symbol(tokens, i + 1, "(") ||
			token_is(before, ".") || token_is(before, ":") ||
			token_is(before, "function"))
			continue;
		if (!is_kind(tokens, i + 2, TOKEN_STRING) || !is_symbol(tokens, i + 3, ")"))
			say(&lk, LOOK_WARNING, at(tokens, i)->line,
				"the name of this policy is computed: a rehearsal finds it only if "
				"its file bears its name");
	}
}

void look_at_verbs(const struct tokens *tokens, look_fn fn, void *data)
{
	const struct looking lk = {tokens, fn, data};
	char name[NAME_BYTES];
	size_t end;

	for (size_t i = 0; i < tokens->n; i++) {
		const struct verb *verb;
		unsigned line = at(tokens, i)->line;

		say_computed(&lk, i);
		if (!read_name(tokens, i, name, &end))
			continue;
		verb = verb_find(name);
		if (verb && !verb->internal && is_call(tokens, end))
			check_call(&lk, verb, end, line);
		else if (!verb && !is_own(name) && !is_group(name))
			unknown_verb(&lk, line, name);
		else if (!verb && is_group(name) && is_call(tokens, end))
			say(&lk, LOOK_ERROR, line, "tend.%s is a group of verbs, not a verb", name);
	}
}

/* ---- changes
 * -------------------------------------------------------------------------------------------------------
 */

/* Functions of the file in whose bodies something is verified. */
struct verifiers {
	json_t *names; /* {NAME: true} */
};

/* A call of something that is named verify, of check.run, or of a function that does so. */
static bool is_verification(const struct tokens *t, size_t i, const struct verifiers *v)
{
	const char *text = at(t, i)->text;

	if (!is_kind(t, i, TOKEN_NAME) || !is_call(t, i + 1) ||
		(i > 0 && token_is(at(t, i - 1), "function")))
		return false;
	if (strstr(text, "verify") || strstr(text, "healthy") || strstr(text, "probe"))
		return true;
	if (strcmp(text, "run") == 0 && i >= 2 && token_is(at(t, i - 2), "check"))
		return true;
	return json_object_get(v->names, text) && !(i > 0 && is_symbol(t, i - 1, "."));
}

/* At `function': the token behind its `end'. */
static size_t skip_function(const struct tokens *t, size_t i)
{
	int depth = 0;

	for (; !is_kind(t, i, TOKEN_END); i++) {
		const struct token *token = at(t, i);

		if (token->kind != TOKEN_NAME)
			continue;
		/* `for' and `while' have a `do', `elseif' has a `then' but no `end' of its own. */
		if (token_is(token, "function") || token_is(token, "do") || token_is(token, "if") ||
			token_is(token, "repeat"))
			depth++;
		else if ((token_is(token, "end") || token_is(token, "until")) && --depth == 0)
			return i + 1;
	}
	return i;
}

static bool verifies_between(
	const struct tokens *t, size_t from, size_t to, const struct verifiers *v)
{
	for (size_t i = from; i < to; i++)
		if (is_verification(t, i, v))
			return true;
	return false;
}

/* In the order of the file: a function is known before those that call it. */
static struct verifiers find_verifiers(const struct tokens *t)
{
	struct verifiers v = {json_object()};

	for (size_t i = 0; i + 1 < t->n; i++)
		if (token_is(at(t, i), "function") && is_kind(t, i + 1, TOKEN_NAME) &&
			is_symbol(t, i + 2, "(") &&
			verifies_between(t, i + 2, skip_function(t, i), &v))
			(void)json_object_set_new(v.names, at(t, i + 1)->text, json_true());
	return v;
}

/* `-- undo: ...' shortly before the line, or in it. */
static bool has_undo_note(const struct tokens *t, unsigned line)
{
	for (size_t i = 0; i < t->n_comments; i++) {
		const struct token *c = &t->comments[i];
		const char *text = c->text + strspn(c->text, "- \t");

		if (c->line <= line && c->line + UNDO_LINES >= line &&
			str_startswith(text, "undo:"))
			return true;
	}
	return false;
}

/* A policy, or a function beside them: as far as a look goes that follows a change. */
struct region {
	size_t from, to;
	const char *name; /* of a function; NULL = a policy, or it has none */
	enum { CALLERS_UNKNOWN, CALLERS_ASKED, CALLERS_LOOK, CALLERS_DO_NOT } callers;
};
struct regions {
	struct region *list;
	size_t n;
	const struct tokens *t;
	const struct verifiers *v;
};

/* At the bracket that opens: the token behind the one that closes it. */
static size_t skip_brackets(const struct tokens *t, size_t i)
{
	int depth = 0;

	for (; !is_kind(t, i, TOKEN_END); i++) {
		if (is_symbol(t, i, "{") || is_symbol(t, i, "("))
			depth++;
		else if ((is_symbol(t, i, "}") || is_symbol(t, i, ")")) && --depth == 0)
			return i + 1;
	}
	return i;
}

/* At `function': of `function a.b(' and of `b = function(' it is b. */
static const char *function_name(const struct tokens *t, size_t i)
{
	const char *name = i >= 2 && is_symbol(t, i - 1, "=") && is_kind(t, i - 2, TOKEN_NAME)
				   ? at(t, i - 2)->text
				   : NULL;

	for (i++; !is_symbol(t, i, "(") && !is_kind(t, i, TOKEN_END); i++)
		name = is_kind(t, i, TOKEN_NAME) ? at(t, i)->text : name;
	return name;
}

static bool region_at(const struct tokens *t, size_t i, struct region *ret_region)
{
	size_t table = i + 2;

	if (token_is(at(t, i), "function")) {
		*ret_region = (struct region){
			.from = i, .to = skip_function(t, i), .name = function_name(t, i)};
		return true;
	}
	if (!token_is(at(t, i), "policy") || !is_call(t, i + 1))
		return false;
	if (is_symbol(t, i + 1, "("))
		table = skip_brackets(t, i + 1);
	if (!is_symbol(t, table, "{") && !is_symbol(t, table, "("))
		return false;
	*ret_region = (struct region){.from = i, .to = skip_brackets(t, table)};
	return true;
}

static struct regions find_regions(const struct tokens *t, const struct verifiers *v)
{
	struct regions regions = {.list = calloc(t->n, sizeof(struct region)), .t = t, .v = v};

	for (size_t i = 0; regions.list && i < t->n;) {
		struct region *region = &regions.list[regions.n];

		if (!region_at(t, i, region)) {
			i++;
			continue;
		}
		regions.n++;
		i = MAX(region->to, i + 1);
	}
	return regions;
}

static bool callers_look(const struct regions *regions, struct region *region);

/* What is done at i says how it is undone, or is looked at further down in its policy, or in its
 * function, or wherever that is called. */
static bool is_looked_after(const struct regions *regions, size_t i)
{
	struct region *region = NULL;

	if (has_undo_note(regions->t, at(regions->t, i)->line))
		return true;
	for (size_t k = 0; k < regions->n && !region; k++)
		if (regions->list[k].from <= i && i < regions->list[k].to)
			region = &regions->list[k];
	return verifies_between(regions->t, i, region ? region->to : regions->t->n, regions->v) ||
	       (region && region->name && callers_look(regions, region));
}

static bool callers_look(const struct regions *regions, struct region *region)
{
	const struct tokens *t = regions->t;
	bool any = false, all = true;

	if (region->callers != CALLERS_UNKNOWN)
		return region->callers == CALLERS_LOOK;
	region->callers = CALLERS_ASKED;
	for (size_t i = 0; i < t->n && all; i++) {
		if ((region->from <= i && i < region->to) || !is_kind(t, i, TOKEN_NAME) ||
			is_symbol(t, i + 1, "=") || strcmp(at(t, i)->text, region->name) != 0)
			continue;
		any = true;
		all = is_looked_after(regions, i);
	}
	region->callers = any && all ? CALLERS_LOOK : CALLERS_DO_NOT;
	return any && all;
}

void look_at_changes(const struct tokens *tokens, look_fn fn, void *data)
{
	const struct looking lk = {tokens, fn, data};
	struct verifiers v = find_verifiers(tokens);
	struct regions regions = find_regions(tokens, &v);
	char name[NAME_BYTES];
	size_t end;

	for (size_t i = 0; i < tokens->n; i++) {
		const struct verb *verb = read_name(tokens, i, name, &end) ? verb_find(name) : NULL;
		unsigned line = at(tokens, i)->line;

		if (!verb || verb->risk < RISK_CHANGE || !is_call(tokens, end) ||
			is_looked_after(&regions, i))
			continue;
		say(&lk, LOOK_ERROR, line,
			"tend.%s is followed by no tend.verify: see that it helped, or say in a "
			"comment before it how it is undone (-- undo: ..., -- undo: none)",
			name);
	}
	free(regions.list);
	json_decref(v.names);
}

/* ---- parameters
 * ----------------------------------------------------------------------------------------------------
 */

/* .NAME, or "NAME" as a key. */
static bool is_read(const struct tokens *t, const char *name)
{
	for (size_t i = 1; i < t->n; i++) {
		if (strcmp(at(t, i)->text, name) != 0)
			continue;
		if (is_kind(t, i, TOKEN_NAME) && is_symbol(t, i - 1, "."))
			return true;
		if (is_kind(t, i, TOKEN_STRING) && is_symbol(t, i - 1, "["))
			return true;
	}
	return false;
}

/* All of them are gone through, or reached by a name that is only known when it runs. */
static bool are_all_read(const struct tokens *t)
{
	for (size_t i = 2; i < t->n; i++) {
		if (!token_is(at(t, i), "params") || !is_symbol(t, i - 1, "."))
			continue;
		if (is_symbol(t, i + 1, "[") && !is_kind(t, i + 2, TOKEN_STRING))
			return true;
		for (size_t k = i; k-- > 0 && i - k < 6;)
			if (token_is(at(t, k), "pairs"))
				return true;
	}
	return false;
}

static unsigned line_of_param(const struct tokens *t, const char *name, unsigned fallback)
{
	for (size_t i = 0; i + 1 < t->n; i++)
		if (token_is(at(t, i), name) && is_symbol(t, i + 1, "=") &&
			at(t, i)->line >= fallback)
			return at(t, i)->line;
	return fallback;
}

void look_at_params(const struct tokens *tokens, const json_t *declared,
	const struct tokens *library, size_t n_library, look_fn fn, void *data)
{
	const struct looking lk = {tokens, fn, data};
	const char *policy = json_string_value(json_object_get(declared, "name"));
	const char *name;
	json_t *param;
	bool all = are_all_read(tokens);

	for (size_t i = 0; i < n_library; i++)
		all = all || are_all_read(&library[i]);
	json_object_foreach (json_object_get(declared, "params"), name, param) {
		bool read = all || is_read(tokens, name);

		for (size_t i = 0; i < n_library && !read; i++)
			read = is_read(&library[i], name);
		if (!read)
			say(&lk, LOOK_ERROR,
				line_of_param(tokens, name, look_line_of(tokens, policy)),
				"the parameter '%s' of policy '%s' is never read", name, policy);
	}
}

unsigned look_line_of_key(const struct tokens *tokens, const char *policy, const char *key)
{
	unsigned line = look_line_of(tokens, policy);

	for (size_t i = 0; i < tokens->n; i++) {
		struct region region;

		if (at(tokens, i)->line != line || !token_is(at(tokens, i), "policy") ||
			!region_at(tokens, i, &region))
			continue;
		for (; i < region.to; i++)
			if (token_is(at(tokens, i), key) && is_symbol(tokens, i + 1, "="))
				return at(tokens, i)->line;
		break;
	}
	return line;
}

unsigned look_line_of(const struct tokens *tokens, const char *policy)
{
	for (size_t i = 0; i + 1 < tokens->n; i++)
		if (token_is(at(tokens, i), "policy")) {
			size_t k = i + 1 + is_symbol(tokens, i + 1, "(");

			if (is_kind(tokens, k, TOKEN_STRING) && str_eq(at(tokens, k)->text, policy))
				return at(tokens, i)->line;
		}
	return 1;
}

json_t *look_requires(const struct tokens *tokens)
{
	json_t *list = json_array();

	for (size_t i = 0; i + 1 < tokens->n; i++) {
		size_t k = i + 1 + is_symbol(tokens, i + 1, "(");

		if (token_is(at(tokens, i), "require") && is_kind(tokens, k, TOKEN_STRING))
			(void)json_array_append_new(list, json_string(at(tokens, k)->text));
	}
	return list;
}
