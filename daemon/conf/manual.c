/* SPDX-License-Identifier: MIT */
/*
 * conf_manual FRAME PLUGIN_DIR: tend.conf(5) to standard output. FRAME is the page as written by
 * hand; its line `.\" @SECTIONS@` gives way to the options of every kind of section, `.\" @PROBES@`
 * to those of every plugin in PLUGIN_DIR. Run by the build, so that the page cannot say anything
 * else than the rows.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/fs.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "conf/plugins.h"
#include "conf/rows.h"

/* Text as roff: no escapes, no requests, `word' in bold. */
static void put_text(const char *text)
{
	bool bold = false;

	for (const char *p = text; *p; p++) {
		if ((*p == '.' || *p == '\'') && p == text)
			fputs("\\&", stdout);
		if (*p == '\\')
			fputs("\\e", stdout);
		else if (*p == '-')
			fputs("\\-", stdout);
		else if (*p == '`' || (*p == '\'' && bold))
			fputs((bold = !bold) ? "\\fB" : "\\fR", stdout);
		else
			putchar(*p);
	}
}

static void put_bold(const char *text)
{
	fputs("\\fB", stdout);
	put_text(text);
	fputs("\\fR", stdout);
}

/* The build's folders are not everybody's. */
static const char *default_text(const struct tend_option *row)
{
	static const struct {
		const char *built, *shown;
	} folders[] = {
		{TEND_PLUGINDIR, "PREFIX/lib/tend/plugins"},
		{TEND_LIBEXECDIR, "PREFIX/libexec/tend"},
		{TEND_DATADIR "/lua", "PREFIX/share/tend/lua"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (strcmp(row->def, folders[i].built) == 0)
			return folders[i].shown;
	return row->def;
}

static void put_limit(const struct tend_option *row, double limit)
{
	char buf[CONF_VALUE_BYTES];

	if (row->type == TEND_OPT_USEC)
		put_text(conf_format_span((usec_t)limit, buf));
	else if (row->type == TEND_OPT_BYTES)
		put_text(conf_format_bytes((uint64_t)limit, buf));
	else
		put_text(conf_format_double(limit, buf));
}

static void put_limits(const struct tend_option *row)
{
	if (row->min == 0 && row->max == 0)
		return;
	if (row->max < row->min) {
		fputs(", at least ", stdout);
		put_limit(row, row->min);
		return;
	}
	fputs(", ", stdout);
	put_limit(row, row->min);
	fputs(" to ", stdout);
	put_limit(row, row->max);
}

static void put_row(const struct tend_option *row)
{
	fputs(".TP\n", stdout);
	put_bold(row->name);
	if (conf_option_is_map(row))
		fputs(".\\fINAME\\fR", stdout);
	fputs(" = ", stdout);
	if (row->type == TEND_OPT_ENUM) {
		for (size_t i = 0; row->names[i]; i++) {
			fputs(i ? " | " : "", stdout);
			put_text(row->names[i]);
		}
	} else {
		printf("\\fI%s\\fR", conf_option_type_name(row->type));
	}
	put_limits(row);
	if (row->unit) {
		fputs(", in ", stdout);
		put_text(row->unit);
	}
	if (row->flags & TEND_OPTION_REQUIRED) {
		fputs("; required", stdout);
	} else if (row->def) {
		fputs("; default ", stdout);
		put_bold(default_text(row));
	}
	putchar('\n');
	put_text(row->help);
	putchar('\n');
}

static void put_rows(const struct tend_option *rows)
{
	for (const struct tend_option *row = rows; row->name; row++)
		put_row(row);
}

static void put_sections(void)
{
	for (const struct conf_kind *kind = conf_kinds; kind->kind; kind++) {
		printf(".SS [%s%s%s]\n", kind->kind, kind->name_form ? " " : "",
			kind->name_form ? kind->name_form : "");
		put_text(kind->help);
		putchar('\n');
		put_rows(kind->rows);
	}
}

static int is_plugin(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".so");
}

static int put_plugins(const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_plugin, alphasort), r = 0;

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		auto_free char *name = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - 3);
		const struct tend_probe *probe;
		struct tend_error err;

		free(entries[i]);
		if (r < 0 || !name)
			continue;
		r = plugin_load(dir, name, &probe, &err);
		if (r < 0) {
			fprintf(stderr, "%s\n", err.text);
			continue;
		}
		printf(".SS %s%s\n", name,
			probe->call || probe->work_methods ? " (also a service)" : "");
		put_text(probe->doc ? probe->doc : "");
		putchar('\n');
		put_rows(probe->options);
	}
	free(entries);
	return r;
}

int main(int argc, char **argv)
{
	auto_free char *frame = NULL;
	char *line, *rest;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: conf_manual FRAME PLUGIN_DIR\n");
		return 2;
	}
	r = fs_read_file(argv[1], 1 << 20, &frame, NULL);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	rest = frame;
	while ((line = strsep(&rest, "\n"))) {
		if (strcmp(line, ".\\\" @SECTIONS@") == 0)
			put_sections();
		else if (strcmp(line, ".\\\" @PROBES@") == 0 && put_plugins(argv[2]) < 0)
			return 1;
		else if (rest || *line)
			puts(line);
	}
	return 0;
}
