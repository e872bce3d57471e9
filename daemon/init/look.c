/* SPDX-License-Identifier: MIT */
#include "init/look.h"
#include <glob.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include "base/str.h"
#include "init/tool.h"

#define TOOL_USEC (10 * USEC_PER_SEC)
enum { MAX_UNITS = 1000, MAX_FILES = 100 };

void look_unseen(json_t *facts, const char *format, ...)
{
	char raw[512], clean[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(clean, sizeof(clean), raw, strlen(raw));
	(void)json_array_append_new(json_object_get(facts, "unseen"), json_string(clean));
}

static json_t *run_json(const char *const *argv)
{
	auto_free char *out = NULL;
	int status;

	if (tool_run(argv, TOOL_USEC, &out, &status) < 0 || status != 0)
		return NULL;
	return json_loads(out, 0, NULL);
}

static const char *get(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

/* ---- systemd -------------------------------------------------------------------------------- */

static void look_units(json_t *facts)
{
	static const char *const argv[] = {"systemctl", "list-units", "--type=service",
		"--state=active,failed", "--no-pager", "-o", "json", NULL};
	auto_json json_t *rows = run_json(argv);
	json_t *units = json_object_get(facts, "units"), *row;
	size_t i;

	if (!rows)
		look_unseen(facts, "systemd's units: `systemctl list-units' gives no answer here");
	json_array_foreach (rows, i, row)
		if (json_array_size(units) < MAX_UNITS)
			(void)json_array_append_new(
				units, json_pack("{s:s, s:s, s:s}", "name", get(row, "unit"),
					       "description", get(row, "description"), "state",
					       get(row, "active")));
}

static void look_timers(json_t *facts)
{
	static const char *const argv[] = {
		"systemctl", "list-timers", "--no-pager", "-o", "json", NULL};
	auto_json json_t *rows = run_json(argv);
	json_t *timers = json_object_get(facts, "timers"), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (json_array_size(timers) < MAX_UNITS)
			(void)json_array_append_new(
				timers, json_pack("{s:s, s:s}", "name", get(row, "unit"), "unit",
						get(row, "activates")));
}

/* ---- ports and files ------------------------------------------------------------------------ */

static void look_open(json_t *facts)
{
	const char *dir = getenv("TEND_LIBEXECDIR");
	auto_free char *program = str_printf("%s/tend-look", dir && *dir ? dir : TEND_LIBEXECDIR);
	const char *const argv[] = {program, "ports", "{}", NULL};
	auto_json json_t *doc = program ? run_json(argv) : NULL;
	json_t *ports = json_object_get(doc, "ports");

	if (json_is_array(ports))
		(void)json_object_set(facts, "open", ports);
	else
		look_unseen(facts, "open ports: tend-look gives no answer");
}

/* tend-look knows the unit of a socket by its control group, also where its process is not to be
 * seen: of another user, in a container. */
static void name_listeners(json_t *facts)
{
	json_t *listener, *open;
	size_t i, k;

	json_array_foreach (json_object_get(facts, "listeners"), i, listener)
		json_array_foreach (json_object_get(facts, "open"), k, open)
			if (!*get(listener, "unit") && *get(open, "unit") &&
				strcmp(get(open, "protocol"), "tcp") == 0 &&
				json_equal(json_object_get(listener, "port"),
					json_object_get(open, "port")))
				(void)json_object_set(
					listener, "unit", json_object_get(open, "unit"));
}

/* Only what everybody may read: checks are not run as root. */
static bool everybody_reads(const char *path)
{
	auto_free char *copy = strdup(path);
	struct stat st;

	if (!copy || stat(path, &st) < 0 || !(st.st_mode & S_IROTH))
		return false;
	for (char *slash; (slash = strrchr(copy, '/')) && slash != copy;) {
		*slash = '\0';
		if (stat(copy, &st) < 0 || !(st.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

static void add_matches(json_t *facts, const char *key, const char *pattern)
{
	json_t *list = json_object_get(facts, key);
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc && json_array_size(list) < MAX_FILES; i++)
		if (strcmp(key, "sockets") == 0 || everybody_reads(found.gl_pathv[i]))
			(void)json_array_append_new(list, json_string(found.gl_pathv[i]));
		else
			look_unseen(facts,
				"%s: the user tend-probe may not read it (its last folders are "
				"root's): for a check of the file, let it",
				found.gl_pathv[i]);
	globfree(&found);
}

static void look_certificates(json_t *facts)
{
	size_t i;
	json_t *site;

	add_matches(facts, "certificates", "/etc/letsencrypt/live/*/fullchain.pem");
	json_array_foreach (json_object_get(facts, "sites"), i, site) {
		const char *path = get(site, "certificate");

		if (*path == '/' && !str_startswith(path, "/etc/letsencrypt/live/"))
			add_matches(facts, "certificates", path);
	}
}

json_t *look_facts(void)
{
	char host[256] = "";
	json_t *facts;

	if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
		(void)snprintf(host, sizeof(host), "localhost");
	facts = json_pack("{s:s, s:b, s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[]}",
		"host", host, "root", geteuid() == 0, "units", "timers", "listeners", "open",
		"sites", "crms", "certificates", "sockets", "unseen");
	if (!facts)
		return NULL;
	look_units(facts);
	look_timers(facts);
	look_listeners(facts);
	look_open(facts);
	name_listeners(facts);
	look_web(facts);
	look_certificates(facts);
	add_matches(facts, "sockets", "/run/postgresql/.s.PGSQL.[0-9]*[0-9]");
	look_crms(facts);
	if (geteuid() != 0)
		look_unseen(facts, "whose the open ports are, and files of root's alone: only root "
				   "can see that, you are not root");
	return facts;
}
