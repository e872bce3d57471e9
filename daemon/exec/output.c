/* SPDX-License-Identifier: MIT */
#include "exec/output.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include "base/str.h"
#include "base/uuid.h"

struct stream {
	int fd;
	off_t pos; /* told up to here */
};

struct output {
	struct stream streams[2];
	uint64_t max_bytes; /* of both files together */
};

static const char *const suffixes[2] = {"out", "err"};
enum { NAME_BYTES = UUID_TEXT_BYTES + 4, HOLE_ALIGN_BYTES = 65536 };

static void file_name(char name[NAME_BYTES], const char *id, int which)
{
	(void)snprintf(name, NAME_BYTES, "%.36s.%s", id, suffixes[which]);
}

struct output *output_free(struct output *output)
{
	if (!output)
		return NULL;
	for (int i = 0; i < 2; i++)
		safe_close(output->streams[i].fd);
	free(output);
	return NULL;
}

int output_open(int dir, const char *id, bool fresh, uint64_t max_bytes, struct output **ret_output)
{
	auto(output_free) struct output *output = calloc(1, sizeof(*output));
	char name[NAME_BYTES];

	if (!output)
		return -ENOMEM;
	output->max_bytes = max_bytes;
	output->streams[0].fd = output->streams[1].fd = -EBADF;
	for (int i = 0; i < 2; i++) {
		struct stream *s = &output->streams[i];

		file_name(name, id, i);
		s->fd = openat(dir, name,
			O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
				(fresh ? O_CREAT | O_EXCL : 0),
			0600);
		if (s->fd < 0)
			return -errno;
		s->pos = lseek(s->fd, 0, SEEK_END);
	}
	*ret_output = TAKE(output);
	return 0;
}

void output_remove(int dir, const char *id)
{
	char name[NAME_BYTES];

	for (int i = 0; i < 2; i++) {
		file_name(name, id, i);
		(void)unlinkat(dir, name, 0);
	}
}

/* Tells the whole lines in data; returns how many bytes they took. */
static size_t tell_lines(
	const char *data, size_t len, unsigned *n_lines, output_line_fn fn, void *data_fn)
{
	char text[OUTPUT_LINE_BYTES + 1];
	const char *p = data, *nl;

	while ((nl = memchr(p, '\n', len - (size_t)(p - data)))) {
		if (nl > p && (*n_lines)++ < OUTPUT_MAX_LINES) {
			str_sanitize(text, sizeof(text), p, (size_t)(nl - p));
			fn(text, data_fn);
		}
		p = nl + 1;
	}
	return (size_t)(p - data);
}

static void poll_stream(struct stream *s, output_line_fn fn, void *data)
{
	char buf[OUTPUT_TAIL_BYTES];
	unsigned n_lines = 0;
	bool jumped = false;
	size_t skip = 0;
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return;
	if (st.st_size < s->pos) /* the command truncated it */
		s->pos = st.st_size;
	if (st.st_size - s->pos > (off_t)sizeof(buf)) {
		s->pos = st.st_size - (off_t)sizeof(buf);
		jumped = true;
	}
	ssize_t n = pread(s->fd, buf, sizeof(buf), s->pos);
	if (n <= 0)
		return;
	if (jumped) { /* into the middle of a line, as like as not */
		const char *nl = memchr(buf, '\n', (size_t)n);
		skip = nl ? (size_t)(nl + 1 - buf) : 0;
	}
	size_t told = skip + tell_lines(buf + skip, (size_t)n - skip, &n_lines, fn, data);
	/* A line longer than the buffer never ends: pass it by. */
	s->pos += told == 0 && n == (ssize_t)sizeof(buf) ? n : (off_t)told;
}

/* Gives the disk back what nobody will read; the writer's offset stays where it is. */
static void cut_front(struct stream *s, uint64_t max_bytes)
{
	struct stat st;
	off_t keep = (off_t)(max_bytes / 2), end;

	if (fstat(s->fd, &st) < 0 || (uint64_t)st.st_blocks * 512 <= max_bytes)
		return;
	end = (st.st_size - keep) / HOLE_ALIGN_BYTES * HOLE_ALIGN_BYTES;
	if (end <= 0)
		return;
	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end) < 0)
		/* A file system without holes loses the tail too: better than a full disk. */
		(void)!ftruncate(s->fd, 0);
}

void output_poll(struct output *output, output_line_fn fn, void *data)
{
	for (int i = 0; i < 2; i++) {
		poll_stream(&output->streams[i], fn, data);
		cut_front(&output->streams[i], output->max_bytes / 2);
	}
}

char *output_clean(const char *data, size_t len, size_t max)
{
	auto_str struct str out = STR_INIT(max * 2);
	auto_free char *piece = malloc(max * 2 + 1);

	if (len > max) {
		data += len - max;
		len = max;
	}
	/* Not from within a character. */
	for (int i = 0; i < 3 && len > 0 && ((unsigned char)*data & 0xc0) == 0x80; i++, data++)
		len--;
	while (piece && len > 0) {
		size_t n = 0;

		while (n < len && data[n] != '\n' && data[n] != '\t')
			n++;
		str_sanitize(piece, max * 2 + 1, data, n);
		if (str_append(&out, piece, strlen(piece)) < 0 ||
			(n < len && str_append(&out, data + n, 1) < 0))
			break;
		n += n < len;
		data += n;
		len -= n;
	}
	return out.len ? str_take(&out) : strdup("");
}

char *output_tail(struct output *output, int which)
{
	struct stream *s = &output->streams[which];
	auto_free char *buf = malloc(OUTPUT_TAIL_BYTES);
	off_t size = lseek(s->fd, 0, SEEK_END);
	off_t from = size > OUTPUT_TAIL_BYTES ? size - OUTPUT_TAIL_BYTES : 0;
	ssize_t n = buf && size >= 0 ? pread(s->fd, buf, OUTPUT_TAIL_BYTES, from) : -1;

	return n < 0 ? NULL : output_clean(buf, (size_t)n, OUTPUT_TAIL_BYTES);
}
