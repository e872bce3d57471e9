/* SPDX-License-Identifier: MIT */
#include "alert/mail_compose.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "alert/mail_address.h"
#include "alert/mail_encode.h"
#include "alert/text.h"
#include "base/hash.h"

enum { ID_BYTES = 200, BODY_BYTES = 1 << 20 };

static int append(struct str *out, const char *text)
{
	return str_append(out, text, strlen(text));
}

/* ---- what a view says ----------------------------------------------------------------------- */

static const char *get(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const char *word_of(const struct mail_source *source, const char *key)
{
	return get(json_object_get(source->view, "words"), key);
}

static bool is_group(const struct mail_source *source)
{
	return json_array_size(json_object_get(source->view, "alerts")) != 1 ||
	       json_integer_value(json_object_get(source->view, "n_more")) > 0;
}

/* "2026-03-02T04:05:06.000000Z" -> "2026-03-02 04:05:06 UTC" */
static int append_time(struct str *out, const char *time)
{
	if (strlen(time) < 19)
		return mail_clean(out, time, false);
	return str_appendf(out, "%.10s %.8s UTC", time, time + 11);
}

static int append_more(struct str *out, const struct mail_source *source, json_int_t n)
{
	char number[24];
	const struct text_word words[] = {{"n", number}, {NULL, NULL}};

	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, n);
	return text_expand(out, word_of(source, "more"), words);
}

/* How many of a group's notices are listed, and how many are not. */
static size_t count_rows(const struct mail_source *source, json_int_t *ret_n_more)
{
	const json_t *alerts = json_object_get(source->view, "alerts");
	size_t n = 0, bytes = 0, all = json_array_size(alerts);

	for (; n < all && n < MAIL_ROWS; n++) {
		const json_t *one = json_array_get(alerts, n);

		bytes += strlen(get(one, "title")) + strlen(get(one, "text")) + 200;
		if (bytes > MAIL_ROWS_BYTES)
			break;
	}
	*ret_n_more =
		json_integer_value(json_object_get(source->view, "n_more")) + (json_int_t)(all - n);
	return n;
}

/* ---- plain ---------------------------------------------------------------------------------- */

static int plain_row(struct str *out, const struct mail_source *source, const json_t *one)
{
	int r = append(out, "\n- ");

	if (r == 0)
		r = mail_clean(out, get(one, "title"), false);
	if (r == 0)
		r = append(out, "\n  ");
	if (r == 0)
		r = mail_clean(out, get(one, "text"), false);
	if (r == 0 && get(one, "since")[0]) {
		bool ended = get(one, "ended")[0];

		r = str_appendf(out, "\n  %s: ", word_of(source, ended ? "ended" : "since"));
		if (r == 0)
			r = append_time(out, get(one, ended ? "ended" : "since"));
	}
	return r < 0 ? r : append(out, "\n");
}

static int plain_group(struct str *out, const struct mail_source *source)
{
	const json_t *alerts = json_object_get(source->view, "alerts");
	const json_t *notes = json_object_get(source->view, "notes"), *note;
	json_int_t n_more;
	size_t n = count_rows(source, &n_more), i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++)
		r = plain_row(out, source, json_array_get(alerts, i));
	if (r == 0 && n_more > 0) {
		r = append(out, "\n");
		if (r == 0)
			r = append_more(out, source, n_more);
		if (r == 0)
			r = append(out, "\n");
	}
	json_array_foreach (notes, i, note) {
		if (r == 0)
			r = append(out, "\n");
		if (r == 0)
			r = mail_clean(
				out, json_string_value(note) ? json_string_value(note) : "", false);
		if (r == 0)
			r = append(out, "\n");
	}
	return r;
}

static int compose_plain(struct str *out, const struct mail_source *source)
{
	int r = mail_clean(out, get(source->view, "title"), false);

	if (r == 0)
		r = append(out, is_group(source) ? "\n" : "\n\n");
	if (r == 0)
		r = is_group(source) ? plain_group(out, source)
				     : mail_clean(out, get(source->view, "text"), true);
	if (r == 0)
		r = append(out, is_group(source) ? "\n-- \nTend, " : "\n\n-- \nTend, ");
	if (r == 0)
		r = mail_clean(out, get(source->view, "host"), false);
	if (r == 0)
		r = append(out, ", ");
	if (r == 0)
		r = mail_clean(out, get(source->view, "id"), false);
	return r < 0 ? r : append(out, "\n");
}

/* ---- HTML ----------------------------------------------------------------------------------- */

/* Visible on white and on black. */
static const char *colour_of(const json_t *object)
{
	const char *severity = get(object, "severity");

	if (strcmp(get(object, "status"), "resolved") == 0)
		return "#2e9e4f";
	if (strcmp(severity, "critical") == 0)
		return "#d93025";
	return strcmp(severity, "warning") == 0 ? "#e8830c" : "#3b7ddd";
}

static int html_row(struct str *out, const char *word, const char *value, bool is_time)
{
	auto_str struct str time = STR_INIT(64);
	int r;

	if (!*value)
		return 0;
	if (is_time && append_time(&time, value) == 0)
		value = str_get(&time);
	r = append(out, "<tr><td style=\"padding:2px 16px 2px 0;opacity:.7\">");
	if (r == 0)
		r = mail_html(out, word);
	if (r == 0)
		r = append(out, "</td><td style=\"padding:2px 0\">");
	if (r == 0)
		r = mail_html(out, value);
	return r < 0 ? r : append(out, "</td></tr>\n");
}

static int html_single(struct str *out, const struct mail_source *source)
{
	static const struct {
		const char *word, *key;
		bool is_time;
	} rows[] = {
		{"severity", "severity_text", false},
		{"component", "component", false},
		{"check", "check", false},
		{"environment", "environment", false},
		{"reason", "reason_text", false},
		{"since", "since", true},
		{"ended", "ended", true},
		{"incident", "incident", false},
		{"host", NULL, false},
	};
	const json_t *one = json_array_get(json_object_get(source->view, "alerts"), 0);
	int r = append(out, "<p style=\"margin:0 0 10px\">");

	if (r == 0)
		r = mail_html(out, get(one, "text"));
	if (r == 0)
		r = append(out, "</p>\n<table style=\"border-collapse:collapse\">\n");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		r = html_row(out, word_of(source, rows[i].word),
			rows[i].key ? get(one, rows[i].key) : get(source->view, "host"),
			rows[i].is_time);
	return r < 0 ? r : append(out, "</table>\n");
}

static int html_cell(struct str *out, const char *style, const char *text)
{
	int r = str_appendf(out,
		"<td style=\"padding:4px 12px 4px 0;vertical-align:top;border-top:1px solid "
		"#8884%s\">",
		style);

	if (r == 0)
		r = mail_html(out, text);
	return r < 0 ? r : append(out, "</td>");
}

static int html_group_row(struct str *out, const json_t *one)
{
	auto_str struct str style = STR_INIT(64), since = STR_INIT(64);
	int r = str_appendf(&style, ";font-weight:bold;color:%s", colour_of(one));

	if (r == 0 && get(one, "since")[0])
		r = append_time(&since, get(one, get(one, "ended")[0] ? "ended" : "since"));
	if (r == 0)
		r = append(out, "<tr>");
	if (r == 0)
		r = html_cell(out, str_get(&style), get(one, "title"));
	if (r == 0)
		r = html_cell(out, "", get(one, "text"));
	if (r == 0)
		r = html_cell(out, ";white-space:nowrap", str_get(&since));
	return r < 0 ? r : append(out, "</tr>\n");
}

static int html_group(struct str *out, const struct mail_source *source)
{
	const json_t *alerts = json_object_get(source->view, "alerts");
	json_int_t n_more;
	size_t n = count_rows(source, &n_more);
	int r = append(out, "<table style=\"border-collapse:collapse\">\n");

	for (size_t i = 0; r == 0 && i < n; i++)
		r = html_group_row(out, json_array_get(alerts, i));
	if (r == 0)
		r = append(out, "</table>\n");
	if (r == 0 && n_more > 0) {
		r = append(out, "<p><b>");
		if (r == 0)
			r = append_more(out, source, n_more);
		if (r == 0)
			r = append(out, "</b></p>\n");
	}
	return r;
}

static int html_acknowledge(struct str *out, const struct mail_source *source)
{
	const char *command = get(json_object_get(source->view, "ack"), "command");
	int r;

	if (!*command)
		return 0;
	r = append(out, "<p style=\"margin:12px 0 0\">");
	if (r == 0)
		r = mail_html(out, word_of(source, "acknowledge"));
	if (r == 0)
		r = append(out, ": <code>");
	if (r == 0)
		r = mail_html(out, command);
	return r < 0 ? r : append(out, "</code></p>\n");
}

static int html_notes(struct str *out, const struct mail_source *source)
{
	const json_t *note;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(source->view, "notes"), i, note) {
		if (r == 0)
			r = append(out, "<p style=\"margin:10px 0 0\"><b>");
		if (r == 0 && json_is_string(note))
			r = mail_html(out, json_string_value(note));
		if (r == 0)
			r = append(out, "</b></p>\n");
	}
	return r;
}

static int html_begin(struct str *out, const struct mail_source *source)
{
	bool chinese = strcmp(get(source->view, "language"), "zh") == 0;
	int r = str_appendf(out,
		"<!DOCTYPE html>\n<html lang=\"%s\"><head>\n"
		"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<meta name=\"supported-color-schemes\" content=\"light dark\">\n"
		"<title>",
		chinese ? "zh-CN" : "en");

	if (r == 0)
		r = mail_html(out, get(source->view, "title"));
	if (r == 0)
		r = str_appendf(out,
			"</title></head>\n"
			"<body style=\"font-family:sans-serif;font-size:15px;line-height:1.5\">\n"
			"<div style=\"border-left:6px solid %s;padding:2px 0 2px 14px\">\n"
			"<p style=\"font-size:18px;font-weight:bold;margin:0 0 8px\">",
			colour_of(source->view));
	if (r == 0)
		r = mail_html(out, get(source->view, "title"));
	return r < 0 ? r : append(out, "</p>\n");
}

static int compose_html(struct str *out, const struct mail_source *source)
{
	int r = html_begin(out, source);

	if (r == 0)
		r = is_group(source) ? html_group(out, source) : html_single(out, source);
	if (r == 0)
		r = html_notes(out, source);
	if (r == 0)
		r = html_acknowledge(out, source);
	if (r == 0)
		r = append(out, "</div>\n<p style=\"font-size:12px;opacity:.7\">Tend &middot; ");
	if (r == 0)
		r = mail_html(out, get(source->view, "host"));
	if (r == 0)
		r = append(out, " &middot; ");
	if (r == 0)
		r = mail_html(out, get(source->view, "id"));
	return r < 0 ? r : append(out, "</p>\n</body></html>\n");
}

/* ---- headers -------------------------------------------------------------------------------- */

void mail_host(const char *host, char ret_host[MAIL_HOST_BYTES])
{
	size_t n = 0;

	for (; *host && n + 1 < MAIL_HOST_BYTES; host++)
		if (isalnum((unsigned char)*host) || (strchr("-.", *host) && n > 0))
			ret_host[n++] = *host;
	ret_host[n] = '\0';
	if (n == 0 || strstr(ret_host, ".."))
		snprintf(ret_host, MAIL_HOST_BYTES, "localhost");
	n = strlen(ret_host);
	while (n > 0 && strchr("-.", ret_host[n - 1]))
		ret_host[--n] = '\0';
}

/* The part of an id that is somebody's text: whatever else is in it becomes '-'. */
static void id_part(const char *text, char *buf, size_t size)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		buf[n++] =
			isalnum((unsigned char)*text) || *text == '-' || *text == '_' ? *text : '-';
	buf[n] = '\0';
}

/* Two receivers may lead to one mailbox, which must not take their mails for the same. */
static void make_id(const struct mail_source *source, const char *prefix, const char *what,
	char ret_id[ID_BYTES])
{
	char part[64], receiver[48], host[MAIL_HOST_BYTES];

	id_part(what, part, sizeof(part));
	id_part(get(source->view, "receiver"), receiver, sizeof(receiver));
	mail_host(get(source->view, "host"), host);
	snprintf(ret_id, ID_BYTES, "<%s%s.%.40s@%.64s>", prefix, part, receiver, host);
}

/* The incident that all of it is about; "". */
static const char *incident_of(const struct mail_source *source)
{
	const json_t *alerts = json_object_get(source->view, "alerts");
	const char *first = get(json_array_get(alerts, 0), "incident");

	for (size_t i = 1; i < json_array_size(alerts); i++)
		if (strcmp(get(json_array_get(alerts, i), "incident"), first) != 0)
			return "";
	return json_integer_value(json_object_get(source->view, "n_more")) > 0 ? "" : first;
}

/* Mails of one incident, and those of one group, refer to a mail that never was: clients show them
 * as one thread, whichever of them arrived, or arrived first. */
static int append_thread(struct str *out, const struct mail_source *source)
{
	const char *incident = incident_of(source);
	const char *key = get(json_object_get(source->view, "group"), "key");
	char number[24], id[ID_BYTES];
	int r;

	if (*incident) {
		make_id(source, "incident-", incident, id);
	} else if (*key) {
		snprintf(number, sizeof(number), "%016" PRIx64, hash_text(HASH_INIT, key));
		make_id(source, "group-", number, id);
	} else {
		return 0;
	}
	r = str_appendf(out, "References: %s\r\n", id);
	return r < 0 ? r : str_appendf(out, "In-Reply-To: %s\r\n", id);
}

static int append_date(struct str *out, usec_t wall)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(wall / USEC_PER_SEC);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return -EINVAL;
	return str_appendf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday],
		tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int append_address(struct str *out, const char *text)
{
	struct mail_address one;
	int r = mail_address_parse(text, &one);

	if (r < 0)
		return r;
	if (!one.name[0])
		return append(out, one.address);
	r = mail_phrase(out, one.name);
	return r < 0 ? r : str_appendf(out, "\r\n <%s>", one.address);
}

static int append_people(struct str *out, const struct mail_source *source)
{
	int r = append(out, "From: ");

	if (r == 0)
		r = append_address(out, source->from);
	for (char *const *to = source->to; r == 0 && *to; to++) {
		r = append(out, to == source->to ? "\r\nTo: " : ",\r\n ");
		if (r == 0)
			r = append_address(out, *to);
	}
	return r < 0 ? r : append(out, "\r\n");
}

static int append_list_id(struct str *out, const struct mail_source *source)
{
	char receiver[48], host[MAIL_HOST_BYTES];

	id_part(get(source->view, "receiver"), receiver, sizeof(receiver));
	mail_host(get(source->view, "host"), host);
	return str_appendf(out, "List-Id: <%.40s.tend.%.64s>\r\n", receiver, host);
}

static int append_headers(struct str *out, const struct mail_source *source)
{
	bool urgent = strcmp(get(source->view, "severity"), "critical") == 0 &&
		      strcmp(get(source->view, "status"), "firing") == 0;
	char id[ID_BYTES];
	int r = append_people(out, source);

	if (r == 0)
		r = mail_header(out, "Subject", get(source->view, "title"));
	if (r == 0)
		r = append_date(out, source->wall);
	make_id(source, "", get(source->view, "id"), id);
	if (r == 0)
		r = str_appendf(out, "Message-ID: %s\r\n", id);
	if (r == 0)
		r = append_thread(out, source);
	if (r == 0)
		r = append_list_id(out, source);
	/* No answers of machines, RFC 3834; Exchange has a header of its own. */
	if (r == 0)
		r = append(out, "Auto-Submitted: auto-generated\r\n"
				"X-Auto-Response-Suppress: All\r\n");
	if (r == 0 && urgent)
		r = append(out, "Importance: high\r\nX-Priority: 1\r\n");
	if (r == 0)
		r = mail_header(out, "X-Tend-Type", get(source->view, "type"));
	if (r == 0)
		r = mail_header(out, "X-Tend-Status", get(source->view, "status"));
	if (r == 0)
		r = mail_header(out, "X-Tend-Severity", get(source->view, "severity"));
	return r;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int append_part(struct str *out, const char *boundary, const char *type,
	const struct mail_source *source,
	int (*compose)(struct str *out, const struct mail_source *source))
{
	auto_str struct str text = STR_INIT(BODY_BYTES);
	int r = compose(&text, source);

	if (r == 0)
		r = str_appendf(out, "--%s\r\nContent-Type: %s; charset=utf-8\r\n", boundary, type);
	return r < 0 ? r : mail_body(out, str_get(&text), text.len);
}

int mail_compose(const struct mail_source *source, struct str *ret_mail)
{
	auto_str struct str out = STR_INIT(MAIL_BYTES);
	char boundary[80], part[48];
	int r = append_headers(&out, source);

	/* "=_" is never in quoted-printable nor in base64. */
	id_part(get(source->view, "id"), part, sizeof(part));
	snprintf(boundary, sizeof(boundary), "=_tend_%s", part);
	if (r == 0)
		r = str_appendf(&out,
			"MIME-Version: 1.0\r\n"
			"Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n",
			boundary);
	if (r == 0)
		r = append_part(&out, boundary, "text/plain", source, compose_plain);
	if (r == 0)
		r = append_part(&out, boundary, "text/html", source, compose_html);
	if (r == 0)
		r = str_appendf(&out, "--%s--\r\n", boundary);
	if (r < 0)
		return r;
	str_clear(ret_mail);
	*ret_mail = out;
	out = (struct str){0};
	return 0;
}
