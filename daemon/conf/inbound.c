/* SPDX-License-Identifier: MIT */
/* What is told from outside (heartbeats, sources), and groups, that are told by other components.
 */
#include <errno.h>
#include <string.h>
#include "conf/conf_internal.h"
#include "conf/options.h"
#include "conf/rows.h"

enum { MIN_TOKEN_BYTES = 16, MAX_TOKEN_BYTES = 256, MAX_SOURCE_NAME_BYTES = 40 };
enum { MAX_MEMBERS = 1000 };
#define GRACE_USEC (15 * 60 * USEC_PER_SEC)

#define TOKEN_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=.~+"

const struct tend_probe conf_group_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "group",
	.doc = "Says whether enough members of a group are well; made by `needs' of a component.",
	.options = (const struct tend_option[]){TEND_OPTION_END},
};

/* ---- heartbeats ----------------------------------------------------------------------------- */

static void check_token(struct builder *b, const struct conf_section *section, const char *key,
	const char *token, const char *letters)
{
	size_t n = strlen(token);

	if (n < MIN_TOKEN_BYTES || n > MAX_TOKEN_BYTES || strspn(token, letters) < n)
		conf_section_error(section, key, b->errors,
			"%s: what it leads to is no token: %d to %d letters, digits, '-', '_', "
			"'=', '.', '~' and '+' are wanted",
			key, MIN_TOKEN_BYTES, MAX_TOKEN_BYTES);
}

static void check_token_is_ours(
	struct builder *b, const struct conf_section *section, const struct conf_check *check)
{
	MAP_FOREACH (&b->conf->checks, const struct conf_check *, other)
		if (other != check && other->heartbeat_token &&
			strcmp(other->heartbeat_token, check->heartbeat_token) == 0)
			conf_section_error(section, "heartbeat_token", b->errors,
				"heartbeat_token: %s has the same token", other->name);
}

/* What is said is said once: nobody reports a failure twice to have it believed. */
static void believe_at_once(const struct conf_section *section, struct conf_check *check)
{
	if (!conf_section_key(section, "confirm"))
		check->confirm_failures = check->confirm_window = 1;
}

static void check_report_token(
	struct builder *b, const struct conf_section *section, struct conf_check *check)
{
	if (!check->report_token)
		return;
	check_token(b, section, "report_token", check->report_token, TOKEN_LETTERS "/");
	if (!str_eq(check->probe_name, "passive"))
		conf_section_error(section, "report_token", b->errors,
			"report_token: only a check with probe = passive is told from outside");
	if (check->heartbeat_token)
		conf_section_error(section, "report_token", b->errors,
			"report_token: a heartbeat says start, ok and fail, by its "
			"heartbeat_token; make it two checks");
	believe_at_once(section, check);
}

static void refuse_heartbeat_keys(struct builder *b, const struct conf_section *section)
{
	static const char *const keys[] = {"every", "cron", "timezone", "grace", "max_runtime"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (conf_section_key(section, keys[i]))
			conf_section_error(section, keys[i], b->errors,
				"%s: it is for heartbeats, and there is no heartbeat_token",
				keys[i]);
}

static int parse_schedule(
	const struct conf_check *check, struct conf_heartbeat *heartbeat, struct tend_error *err)
{
	int r;

	if (!check->cron_text)
		return 0;
	r = cron_parse(check->cron_text, &heartbeat->cron, err);
	return r < 0 ? r
		     : zone_get(check->timezone ? check->timezone : "UTC", &heartbeat->zone, err);
}

void check_heartbeat(
	struct builder *b, const struct conf_section *section, struct conf_check *check)
{
	struct tend_error err = {0};

	if (check->flap_high && check->flap_low > check->flap_high)
		conf_section_error(section, "flap_low", b->errors,
			"flap_low: it cannot be higher than flap_high");
	if (check->flap_high && check->flap_low < 1)
		conf_section_error(section, "flap_low", b->errors,
			"flap_low: it must be 1 or more: flapping would never end");
	check_report_token(b, section, check);
	if (!check->heartbeat_token) {
		if (!conf_section_key(section, "heartbeat_token"))
			refuse_heartbeat_keys(b, section);
		return;
	}
	check_token(b, section, "heartbeat_token", check->heartbeat_token, TOKEN_LETTERS);
	check_token_is_ours(b, section, check);
	if (!str_eq(check->probe_name, "passive"))
		conf_section_error(section, "heartbeat_token", b->errors,
			"heartbeat_token: only a check with probe = passive is told from outside");
	if (!check->every == !check->cron_text)
		conf_section_error(section, check->every ? "every" : "heartbeat_token", b->errors,
			"heartbeat_token: one of `every' and `cron' says when the job is expected");
	check->heartbeat = calloc(1, sizeof(*check->heartbeat));
	if (!check->heartbeat)
		return;
	if (parse_schedule(check, check->heartbeat, &err) < 0)
		conf_section_error(section, "cron", b->errors, "cron: %s", err.text);
	if (!conf_section_key(section, "grace"))
		check->grace = GRACE_USEC;
	believe_at_once(section, check);
}

/* ---- sources -------------------------------------------------------------------------------- */

static int add_rule(struct builder *b, const struct conf_section *section,
	struct conf_source *source, const char *entry)
{
	size_t n = strcspn(entry, "=");
	auto_free char *name = strndup(entry, n);
	auto_free char *key = str_printf("match.%.*s", (int)n, entry);
	struct conf_source_rule *rule = calloc(1, sizeof(*rule));
	struct tend_error err = {0};
	int r = name && key && rule ? vec_push(&source->rules, rule) : -ENOMEM;

	if (r < 0) {
		free(rule);
		return r;
	}
	rule->component = map_get(&b->conf->components, name);
	if (!rule->component)
		unknown_reference(b, section, key, "component", name, &b->conf->components);
	if (matchers_parse(entry + n + 1, &err, &rule->match) < 0)
		conf_section_error(section, key, b->errors, "%s: %s", key, err.text);
	return 0;
}

void check_source(struct builder *b, const struct conf_section *section, struct conf_source *source)
{
	if (strlen(source->name) > MAX_SOURCE_NAME_BYTES || strcmp(source->name, "feedback") == 0)
		conf_section_error(section, NULL, b->errors,
			"the name of a source has at most %d characters, and is not feedback",
			MAX_SOURCE_NAME_BYTES);
	if (source->token)
		check_token(b, section, "token", source->token, TOKEN_LETTERS "/");
	MAP_FOREACH (&b->conf->sources, const struct conf_source *, other)
		if (other != source && source->token && str_eq(other->token, source->token))
			conf_section_error(section, "token", b->errors,
				"token: the source %s has the same", other->name);
	if (source->severity_label &&
		!match_name_valid(source->severity_label, strlen(source->severity_label)))
		conf_section_error(section, "severity_label", b->errors,
			"severity_label: '%.80s' is no name of a label", source->severity_label);
}

int resolve_source(struct builder *b, const struct conf_section *section)
{
	struct conf_source *source = map_get(&b->conf->sources, section->name);
	int r = 0;

	for (char **entry = source->matches; entry && *entry && r == 0; entry++)
		r = add_rule(b, section, source, *entry);
	if (source->component_name) {
		source->component = map_get(&b->conf->components, source->component_name);
		if (!source->component)
			unknown_reference(b, section, "component", "component",
				source->component_name, &b->conf->components);
	}
	if (!source->component_name && !source->component_label && !source->matches)
		conf_section_error(section, NULL, b->errors,
			"a source needs match.SYSTEM/COMPONENT, component_label or component: else "
			"all that it says is refused");
	return r;
}

/* ---- groups --------------------------------------------------------------------------------- */

static struct conf_check *group_check(struct conf_component *component)
{
	struct conf_check *check = calloc(1, sizeof(*check));

	if (!check || conf_options_init(conf_check_rows, check, NULL) < 0) {
		free(check);
		return NULL;
	}
	check->where = component->where;
	check->name = str_printf("%s/" CONF_GROUP_CHECK, component->name);
	check->short_name = strdup(CONF_GROUP_CHECK);
	check->component = component;
	check->probe = &conf_group_probe;
	check->probe_conf = calloc(1, 1);
	check->confirm_failures = check->confirm_window = 1;
	free(check->probe_name);
	check->probe_name = strdup(conf_group_probe.name);
	return check;
}

/* Its name is free: what is configured was entered before. */
static int add_group_check(
	struct builder *b, const struct conf_section *section, struct conf_component *component)
{
	auto_free char *name = str_printf("%s/" CONF_GROUP_CHECK, component->name);
	struct conf_check *check;
	int r;

	if (name && map_get(&b->conf->checks, name)) {
		conf_section_error(section, "needs", b->errors,
			"needs: it makes the check %s itself, and there is one already", name);
		return 0;
	}
	check = group_check(component);
	if (!check || !check->name || !check->short_name || !check->probe_conf ||
		!check->probe_name)
		return -ENOMEM; /* the daemon that is out of memory here ends anyway */
	r = map_put(&b->conf->checks, check->name, check);
	return r < 0 ? r : vec_push(&component->checks, check);
}

static int add_member(struct builder *b, const struct conf_section *section,
	struct conf_component *group, const char *name)
{
	const char *short_of = strchr(name, '/');
	auto_free char *full =
		short_of ? strdup(name)
			 : str_printf("%.*s/%s", (int)(strrchr(section->name, '/') - section->name),
				   section->name, name);
	struct conf_component *member = full ? map_get(&b->conf->components, full) : NULL;
	int r;

	if (!full)
		return -ENOMEM;
	if (!member) {
		unknown_reference(b, section, "needs", "component", full, &b->conf->components);
		return 0;
	}
	VEC_FOREACH (&group->members, const struct conf_component *, other)
		if (other == member) {
			conf_section_error(section, "needs", b->errors,
				"needs: '%s' stands there twice", full);
			return 0;
		}
	r = vec_push(&group->members, member);
	return r < 0 ? r : vec_push(&member->groups, group);
}

int resolve_needs(struct builder *b, const struct conf_section *section)
{
	struct conf_component *group = map_get(&b->conf->components, section->name);
	const char *text = group->needs_text, *of = text ? strstr(text, " of ") : NULL;
	auto_free char *number = of ? strndup(text, (size_t)(of - text)) : NULL;
	auto_free char *names = of ? strdup(of + 4) : NULL;
	char *rest = names;
	int r = 0;

	if (!text)
		return 0;
	if (!number || conf_parse_int(number, &group->needs) < 0 || group->needs < 1) {
		conf_section_error(section, "needs", b->errors,
			"needs: '%.80s' is not N of COMPONENT, COMPONENT, ..., as in 2 of web1, "
			"web2, web3",
			text);
		return 0;
	}
	for (char *name; r == 0 && (name = strsep(&rest, ", \t\n"));)
		if (*name && group->members.len < MAX_MEMBERS)
			r = add_member(b, section, group, name);
	if (r == 0 && group->needs > (int64_t)group->members.len)
		conf_section_error(section, "needs", b->errors,
			"needs: %lld of %zu can never be well", (long long)group->needs,
			group->members.len);
	return r < 0 ? r : add_group_check(b, section, group);
}
