/* SPDX-License-Identifier: MIT */
/*
 * Lines of a file -> sections, through inih.
 *
 * inih as distributions build it has a line buffer of 200 bytes, parses the tail of a longer line
 * as a line of its own (so that a long value could inject a key), cuts section names at 49 bytes,
 * splits a key at ':' and cuts values at " ;". So it never sees a line as it stands in the file:
 * feed_line() refuses what inih would take apart in ways of its own, records sections itself, and
 * hands each `key = value` to inih in pieces that fit the buffer it offers, the later ones as
 * indented lines. A piece stands between two GUARD bytes (control characters, which no file may
 * have), so that inih strips and cuts nothing inside. Every piece must come back by the handler
 * before the next is fed: whatever else inih may do is an error, not a wrong value.
 */
#include <errno.h>
#include <ini.h>
#include <string.h>
#include "base/fs.h"
#include "base/str.h"
#include "conf/section.h"
#include "conf/section_internal.h"

enum { GUARD = '\x01' };

struct reader {
	const char *file;
	const char *data; /* what is left of the file */
	size_t len;
	unsigned line;
	struct conf_sections *sections;
	struct conf_errors *errors;
	bool failed;
	struct conf_section *section; /* NULL before the first and in one that was refused */
	bool in_section;	      /* even a refused one */
	bool key_open; /* an indented line continues a value (or one that was refused) */
	bool key_kept; /* that value is wanted */
	char *key;
	struct str value;
	unsigned key_line;
	const char *rest; /* of the line: pieces still to be fed */
	size_t rest_len;
	bool piece_waits; /* the handler must take it before the next */
};

__attribute__((format(printf, 2, 3))) static void reader_error(
	struct reader *reader, const char *format, ...)
{
	char text[TEND_ERROR_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	reader->failed = true;
	conf_errors_add(reader->errors, reader->file, reader->line, -EINVAL, "%s", text);
}

/* The value is complete: the key goes into its section. */
static void end_key(struct reader *reader)
{
	if (reader->key && reader->section) {
		const struct conf_key *other = conf_section_key(reader->section, reader->key);
		unsigned line = reader->line;

		reader->line = reader->key_line;
		if (other)
			reader_error(reader, "key '%s' was set in line %u already", reader->key,
				other->line);
		else if (conf_section_add_key(reader->section, reader->key, str_get(&reader->value),
				 reader->key_line) < 0)
			reader_error(reader, "a section can have at most %d keys", CONF_MAX_KEYS);
		reader->line = line;
	}
	free(TAKE(reader->key));
	str_clear(&reader->value);
	reader->key_open = reader->key_kept = false;
}

/* ---- one line of the file ------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts blanks (and a carriage return) off the end. */
static size_t trim_end(const char *text, size_t len)
{
	while (len > 0 && (is_blank(text[len - 1]) || text[len - 1] == '\r'))
		len--;
	return len;
}

static bool line_is_sound(struct reader *reader, const char *text, size_t len)
{
	if (len > CONF_MAX_LINE_BYTES) {
		reader_error(reader,
			"the line has %zu bytes, at most %d are allowed; a value goes on on "
			"indented lines",
			len, CONF_MAX_LINE_BYTES);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			reader_error(reader, "byte %zu of the line is a control character (0x%02x)",
				i + 1, c);
			return false;
		}
	}
	if (!str_utf8_valid(text, len)) {
		reader_error(reader, "the line is not valid UTF-8");
		return false;
	}
	return true;
}

/* Many ini dialects, and inih, take what follows a blank and ';' as a comment. */
static bool has_inline_comment(const char *value, size_t len)
{
	if (len > 0 && value[0] == ';')
		return true;
	for (size_t i = 1; i < len; i++)
		if (value[i] == ';' && is_blank(value[i - 1]))
			return true;
	return false;
}

static bool value_is_sound(struct reader *reader, const char *value, size_t len)
{
	if (!has_inline_comment(value, len))
		return true;
	reader_error(
		reader, "a value cannot have ' ;' in it: comments stand on lines of their own");
	return false;
}

static void begin_section(struct reader *reader, const char *text, size_t len)
{
	struct tend_error why;

	end_key(reader);
	reader->in_section = true;
	reader->section = NULL;
	if (conf_sections_begin(reader->sections, reader->file, reader->line, text, len,
		    &reader->section, &why) < 0)
		reader_error(reader, "%s", why.text);
}

/* The line "key = value"; true when it shall be fed to inih. */
static bool begin_key(struct reader *reader, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t key_len, value_at;

	end_key(reader);
	reader->key_open = true; /* also a refused one: its indented lines go the same way */
	reader->key_line = reader->line;
	if (!equals) {
		reader_error(reader, "neither a [section] nor KEY = VALUE");
		return false;
	}
	key_len = trim_end(text, (size_t)(equals - text));
	value_at = (size_t)(equals - text) + 1;
	while (value_at < len && is_blank(text[value_at]))
		value_at++;
	if (!reader->in_section)
		reader_error(reader, "a key before the first [section]");
	else if (key_len == 0)
		reader_error(reader, "there is no key before the '='");
	else if (key_len > CONF_MAX_KEY_BYTES)
		reader_error(reader, "the key has %zu bytes, at most %d are allowed", key_len,
			CONF_MAX_KEY_BYTES);
	else if (memchr(text, ':', key_len) || memchr(text, ';', key_len))
		reader_error(reader, "a key cannot have ':' or ';' in it; write KEY = VALUE");
	else if (value_is_sound(reader, text + value_at, len - value_at) && reader->section) {
		reader->key_kept = true;
		reader->key = strndup(text, key_len);
		reader->rest = text + value_at;
		reader->rest_len = len - value_at;
	}
	return reader->key != NULL;
}

/* An indented line; true when it shall be fed. */
static bool continue_value(struct reader *reader, const char *text, size_t len)
{
	if (!reader->key_open) {
		reader_error(reader, "an indented line continues a value, and there is none; keys "
				     "begin in the first column");
		return false;
	}
	if (!reader->key_kept || !value_is_sound(reader, text, len))
		return false;
	if (reader->value.len > 0 && str_append(&reader->value, "\n", 1) < 0) {
		reader_error(reader, "the value has more than %d bytes", CONF_MAX_VALUE_BYTES);
		reader->key_kept = false;
		return false;
	}
	reader->rest = text;
	reader->rest_len = len;
	return true;
}

enum feed { FEED_NOTHING, FEED_SECTION, FEED_KEY, FEED_MORE };

static enum feed take_line(struct reader *reader, const char *text, size_t len)
{
	size_t indent = 0;

	if (!line_is_sound(reader, text, len)) {
		if (len == 0 || !is_blank(text[0])) {
			end_key(reader);
			reader->key_open = true;
		}
		return FEED_NOTHING;
	}
	len = trim_end(text, len);
	while (indent < len && is_blank(text[indent]))
		indent++;
	if (indent == len || text[indent] == '#' || text[indent] == ';')
		return FEED_NOTHING;
	if (indent > 0)
		return continue_value(reader, text + indent, len - indent) ? FEED_MORE
									   : FEED_NOTHING;
	if (text[0] == '[') {
		begin_section(reader, text, len);
		return FEED_SECTION;
	}
	return begin_key(reader, text, len) ? FEED_KEY : FEED_NOTHING;
}

static bool next_line(struct reader *reader, const char **ret_text, size_t *ret_len)
{
	const char *end;

	if (reader->len == 0)
		return false;
	reader->line++;
	end = memchr(reader->data, '\n', reader->len);
	*ret_text = reader->data;
	*ret_len = end ? (size_t)(end - reader->data) : reader->len;
	reader->data += *ret_len + (end != NULL);
	reader->len -= *ret_len + (end != NULL);
	/* The carriage return of a file from elsewhere belongs to the line's end. */
	if (*ret_len > 0 && (*ret_text)[*ret_len - 1] == '\r')
		--*ret_len;
	return true;
}

/* ---- inih ----------------------------------------------------------------------------------- */

/* Writes the next piece of the value; `head` is "key=" or " ". */
static char *feed_piece(struct reader *reader, char *buf, size_t size, const char *head)
{
	size_t n = strlen(head), frame = n + 5; /* and guards, \n, NUL, one spare */
	size_t room = frame < size ? size - frame : 0;
	size_t take = MIN(room, reader->rest_len);

	if (room == 0) {
		reader_error(reader, "the key '%s' is too long", reader->key);
		reader->rest_len = 0;
		reader->piece_waits = false;
		return NULL;
	}
	(void)snprintf(buf, size, "%s%c", head, GUARD);
	n++;
	memcpy(buf + n, reader->rest, take);
	n += take;
	(void)snprintf(buf + n, size - n, "%c\n", GUARD);
	reader->rest += take;
	reader->rest_len -= take;
	reader->piece_waits = true;
	return buf;
}

static char *feed_line(char *buf, int num, void *stream)
{
	struct reader *reader = stream;
	char head[CONF_MAX_KEY_BYTES + 2];
	const char *text;
	size_t len;

	if (reader->piece_waits) {
		reader_error(
			reader, "internal: the line was not understood as it should have been");
		return NULL;
	}
	if (reader->rest_len > 0)
		return feed_piece(reader, buf, (size_t)num, " ");
	while (next_line(reader, &text, &len)) {
		switch (take_line(reader, text, len)) {
		case FEED_NOTHING:
			continue;
		case FEED_SECTION:
			/* It only has to forget the key before: the name is ours. */
			(void)snprintf(buf, (size_t)num, "[s]\n");
			return buf;
		case FEED_KEY:
			(void)snprintf(head, sizeof(head), "%s=", reader->key);
			return feed_piece(reader, buf, (size_t)num, head);
		case FEED_MORE:
			return feed_piece(reader, buf, (size_t)num, " ");
		}
	}
	return NULL;
}

static int take_piece(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;
	size_t len = strlen(value);

	if (!reader->piece_waits || len < 2 || value[0] != GUARD || value[len - 1] != GUARD ||
		strncmp(name, reader->key, strlen(name)) != 0)
		return 0;
	reader->piece_waits = false;
	if (!reader->key_kept)
		return 1;
	if (str_append(&reader->value, value + 1, len - 2) < 0) {
		reader_error(reader, "the value has more than %d bytes", CONF_MAX_VALUE_BYTES);
		reader->key_kept = false;
		reader->rest_len = 0;
	}
	return 1;
}

int conf_text_read(const char *name, const char *text, size_t len, struct conf_sections *sections,
	struct conf_errors *errors)
{
	struct reader reader = {
		.data = text,
		.len = len,
		.sections = sections,
		.errors = errors,
		.value = STR_INIT(CONF_MAX_VALUE_BYTES),
	};
	int r;

	reader.file = conf_sections_add_file(sections, name);
	if (!reader.file)
		return -ENOMEM;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
		reader.data += 3;
		reader.len -= 3;
	}
	r = ini_parse_stream(feed_line, &reader, take_piece, &reader);
	end_key(&reader);
	if (r != 0 && !reader.failed)
		reader_error(&reader, "internal: the ini parser failed (%d)", r);
	return reader.failed ? -EINVAL : 0;
}
