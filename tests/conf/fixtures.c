/* SPDX-License-Identifier: MIT */
/*
 * conf_fixtures FOLDER PLUGIN_DIR N [NAME...]: every NAME.conf of FOLDER is loaded and what conf/
 * says of it is compared with NAME.expected (with --accept as the first argument, written there).
 * @DIR@ in a fixture is a fresh folder with the secrets below. A good one is also dumped, the dump
 * loaded and dumped again, which must give the same. N is how many fixtures there must be.
 *
 * conf_fixtures --example PLUGIN_DIR LUA_DIR FILE...: what people copy from (a file of
 * configuration, or the example in a page) loads with the real plugins, and so does its dump. Lines
 * "#key = value" show defaults and are taken as if the '#' were not there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "conf/conf.h"

enum { MAX_TEXT_BYTES = 4 << 20 };

static char temp_dir[] = "/tmp/tend-conf-XXXXXX";
static const char *plugin_dir;
static bool accept_all;

static const struct {
	const char *name;
	const char *text;
	mode_t mode;
} secrets[] = {
	{"password", "correct horse\n", 0600},
	{"admin-password", "battery staple", 0640},
	{"key", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", 0600},
	{"short-key", "whsec_MDEyMw==\n", 0600},
	{"readable", "everybody knows\n", 0644},
	{"empty", "", 0600},
	{"short", "seven77\n", 0600},
	/* formats: that they are there is all that a configuration looks at */
	{"mine.lua", "return {}\n", 0644},
	{"lua/formats/slack.lua", "return {}\n", 0644},
};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void write_text(const char *path, const char *text, mode_t mode)
{
	auto_file FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fchmod(fileno(f), mode) < 0)
		die(path);
}

static char *replace(const char *text, const char *from, const char *to)
{
	struct str out = STR_INIT(MAX_TEXT_BYTES);

	for (const char *at; (at = strstr(text, from)); text = at + strlen(from)) {
		if (str_append(&out, text, (size_t)(at - text)) < 0 ||
			str_append(&out, to, strlen(to)) < 0)
			die("replace");
	}
	if (str_append(&out, text, strlen(text)) < 0)
		die("replace");
	return str_take(&out);
}

static char *read_text(const char *path)
{
	char *text;
	int r = fs_read_file(path, MAX_TEXT_BYTES, &text, NULL);

	if (r < 0) {
		errno = -r;
		return NULL;
	}
	return text;
}

static char *errors_text(const struct conf_errors *errors)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		die("open_memstream");
	conf_errors_print(errors, f);
	(void)fclose(f);
	return text;
}

/* "configuration ok" or the errors. */
static char *verdict(const char *path, struct conf **ret_conf)
{
	struct conf_errors errors = {0};
	int r = conf_load(path, plugin_dir, &errors, ret_conf);
	char *text = r == 0 ? strdup("configuration ok\n") : errors_text(&errors);

	if ((r == 0) != (errors.len == 0))
		fprintf(stderr, "%s: result %d with %zu errors\n", path, r, errors.len);
	conf_errors_clear(&errors);
	return text;
}

static bool has_secret(const char *text)
{
	return strstr(text, "correct horse") || strstr(text, "battery staple") ||
	       strstr(text, "MDEyMzQ1Njc4");
}

/* dump -> load -> dump is a fixed point; secrets cannot come back, so they get their file. */
static bool check_dump(const char *name, const struct conf *conf)
{
	auto_str struct str first = STR_INIT(MAX_TEXT_BYTES), second = STR_INIT(MAX_TEXT_BYTES);
	auto(conf_unref) struct conf *again = NULL;
	auto_free char *key = str_printf("= file:%s/key\n", temp_dir);
	auto_free char *json = NULL, *said = NULL, *loadable = NULL;
	auto_json json_t *object = conf_to_json(conf);
	bool ok;

	json = object ? json_dumps(object, 0) : NULL;
	if (!json || conf_dump(conf, &first) < 0 || has_secret(str_get(&first)) ||
		has_secret(json)) {
		fprintf(stderr, "%s: no dump, or a secret is in it\n", name);
		return false;
	}
	loadable = replace(str_get(&first), "= ***\n", key);
	write_text("dump.conf", loadable, 0644);
	said = verdict("dump.conf", &again);
	if (!again) {
		fprintf(stderr, "%s: its dump does not load:\n%s\n%s", name, said, loadable);
		return false;
	}
	ok = conf_dump(again, &second) == 0 && str_eq(str_get(&first), str_get(&second));
	if (!ok)
		fprintf(stderr, "%s: the dump of its dump differs:\n%s---\n%s", name,
			str_get(&first), str_get(&second));
	MAP_FOREACH (&conf->checks, struct conf_check *, check) {
		struct conf_check *other = map_get(&again->checks, check->name);
		bool with_secret = strstr(loadable, key) != NULL;

		if (!other || (!with_secret && !conf_check_same(check, other))) {
			fprintf(stderr, "%s: check '%s' differs after a dump\n", name, check->name);
			ok = false;
		}
	}
	return ok;
}

static bool run_fixture(const char *folder, const char *name)
{
	auto_free char *source = str_printf("%s/%s", folder, name);
	auto_free char *expected_path =
		str_printf("%.*s.expected", (int)strlen(source) - 5, source);
	auto_free char *text = read_text(source), *expected = read_text(expected_path);
	auto_free char *filled = text ? replace(text, "@DIR@", temp_dir) : NULL;
	auto_free char *said = NULL, *shown = NULL;
	auto(conf_unref) struct conf *conf = NULL;

	if (!filled)
		die(source);
	write_text(name, filled, 0644);
	said = verdict(name, &conf);
	(void)unlink(name);
	shown = replace(said, temp_dir, "@DIR@");
	free(TAKE(said));
	said = replace(shown, plugin_dir, "@PLUGINS@");
	if (accept_all) {
		write_text(expected_path, said, 0644);
	} else if (!expected || strcmp(said, expected) != 0) {
		fprintf(stderr, "%s: expected\n%sbut got\n%s", name,
			expected ? expected : "(no file)\n", said);
		return false;
	}
	return !conf || check_dump(name, conf);
}

/* ---- examples ------------------------------------------------------------------------------- */

static const char *lua_dir;

/* What stands between two lines of text. */
static char *between(const char *text, const char *from, const char *to)
{
	const char *start = strstr(text, from);
	const char *end = start ? strstr(start + strlen(from), to) : NULL;

	if (!end)
		die(from);
	start += strlen(from);
	return strndup(start, (size_t)(end + 1 - start));
}

/* The example in a page of Markdown or of the manual; the whole of another file. */
static char *example_text(const char *path)
{
	auto_free char *text = read_text(path), *example = NULL;

	if (!text)
		die(path);
	if (str_endswith(path, ".md"))
		return between(text, "\n```ini\n", "\n```");
	if (!str_endswith(path, ".5.in"))
		return TAKE(text);
	example = between(text, "\n.nf\n", "\n.fi");
	return replace(example, "\\-", "-");
}

/* Makes every secret that the text names by `scheme`, in the fresh folder. */
static void make_secrets(const char *text, const char *scheme)
{
	for (const char *at = text; (at = strstr(at, scheme));) {
		size_t n;

		at += strlen(scheme);
		n = strcspn(at, "\n");
		auto_free char *path = str_printf("%s/%.*s", temp_dir, (int)n, at);
		write_text(path, secrets[2].text, 0600);
	}
}

/* "#key = value", but not a sentence with an equals sign in it. */
static void uncomment(char *text)
{
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		size_t n = line[0] == '#' ? strspn(line + 1, "abcdefghijklmnopqrstuvwxyz._") : 0;

		if (n > 0 && strncmp(line + 1 + n, " =", 2) == 0)
			memmove(line, line + 1, strlen(line));
		if (!*line)
			break;
	}
}

static bool run_example(const char *path)
{
	auto_free char *text = example_text(path), *filled = NULL, *said = NULL;
	auto_free char *scheme = str_printf("file:%s/", temp_dir);
	auto(conf_unref) struct conf *conf = NULL;

	filled = replace(text, "/etc/tend/secrets", temp_dir);
	make_secrets(filled, scheme);
	make_secrets(filled, "cred:");
	(void)setenv("CREDENTIALS_DIRECTORY", temp_dir, 1);
	uncomment(filled);
	/* Their receivers name formats, which are not installed. */
	if (!strstr(filled, "[daemon]")) {
		auto_free char *rest = filled;

		filled = str_printf("[daemon]\nlua_dir = %s\n\n%s", lua_dir, rest);
	}
	write_text("example.conf", filled, 0644);
	said = verdict("example.conf", &conf);
	if (!conf) {
		fprintf(stderr, "%s: %s", path, said);
		return false;
	}
	return check_dump(path, conf);
}

static void make_temp_dir(void)
{
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	if (!mkdtemp(temp_dir) || chdir(temp_dir) < 0 || mkdir("lua", 0755) < 0 ||
		mkdir("lua/formats", 0755) < 0)
		die(temp_dir);
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		write_text(secrets[i].name, secrets[i].text, secrets[i].mode);
}

static int is_conf(const struct dirent *entry)
{
	return str_endswith(entry->d_name, ".conf");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int run_examples(char **paths)
{
	int n_failed = 0, n_run = 0;

	make_temp_dir();
	for (; *paths; paths++, n_run++)
		n_failed += !run_example(*paths);
	(void)nftw(temp_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	printf("%d examples, %d failed\n", n_run, n_failed);
	return n_failed > 0 || n_run == 0;
}

static int run_fixtures(const char *folder, int n_expected, char **names)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_conf, alphasort), n_run = 0, n_failed = 0;

	if (n < 0)
		die(folder);
	make_temp_dir();
	for (int i = 0; i < n; i++) {
		if (!*names || strv_contains(names, entries[i]->d_name)) {
			n_failed += !run_fixture(folder, entries[i]->d_name);
			n_run++;
		}
		free(entries[i]);
	}
	free(entries);
	(void)nftw(temp_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	printf("%d fixtures, %d failed\n", n_run, n_failed);
	if (!*names && n_run != n_expected) {
		fprintf(stderr, "there must be %d\n", n_expected);
		return 1;
	}
	return n_failed > 0;
}

int main(int argc, char **argv)
{
	if (argc > 4 && strcmp(argv[1], "--example") == 0) {
		lua_dir = argv[3];
		plugin_dir = argv[2];
		return run_examples(argv + 4);
	}
	if (argc > 1 && strcmp(argv[1], "--accept") == 0) {
		accept_all = true;
		argv++;
		argc--;
	}
	if (argc < 4) {
		fprintf(stderr, "usage: conf_fixtures [--accept] FOLDER PLUGIN_DIR N [NAME...]\n"
				"       conf_fixtures --example PLUGIN_DIR LUA_DIR FILE...\n");
		return 2;
	}
	plugin_dir = argv[2];
	return run_fixtures(argv[1], atoi(argv[3]), argv + 4);
}
