/* SPDX-License-Identifier: MIT */
/*
 * The least that a subagent can do, for bench_snmp.py: snmp_floor SOCKET ROWS registers
 * 1.3.6.1.4.1.8072.9999.9999.7364 with snmpd by AgentX and serves .COLUMN.ROW below it, always the
 * same text: a blocking read and a write for each request, and nothing that is looked up. It ends
 * with snmpd. What a walk or a GET costs beyond this is Tend's.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OPEN = 1, REGISTER = 3, GET = 5, GETNEXT = 6, RESPONSE = 18, BIG_ENDIAN_FLAG = 0x10 };
enum { OCTETS = 4, END_OF_VIEW = 130, PREFIX = 4, HEADER_BYTES = 20, LAST_COLUMN = 9 };
static const uint32_t base[] = {1, 8072, 9999, 9999, 7364}; /* behind 1.3.6.1.4 */
enum { N_BASE = 5 };
static const char text[] = "HTTP 200 in 12.34 ms, 5120 bytes"; /* 32: no padding */
enum { TEXT_BYTES = sizeof(text) - 1 };

static unsigned char out[512], in[65536];
static size_t n_out;

static void put(const void *data, size_t len)
{
	memcpy(out + n_out, data, len);
	n_out += len;
}

static void put_32(uint32_t value)
{
	value = htonl(value);
	put(&value, sizeof(value));
}

static uint32_t get_32(const unsigned char *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return ntohl(value);
}

static void begin(uint8_t type, uint32_t session, uint32_t transaction, uint32_t packet)
{
	n_out = 0;
	put((unsigned char[]){1, type, BIG_ENDIAN_FLAG, 0}, 4);
	put_32(session);
	put_32(transaction);
	put_32(packet);
	put_32(0);
}

static void put_oid(const uint32_t *tail, unsigned n)
{
	put((unsigned char[]){(unsigned char)(N_BASE + n), PREFIX, 0, 0}, 4);
	for (unsigned i = 0; i < N_BASE + n; i++)
		put_32(i < N_BASE ? base[i] : tail[i - N_BASE]);
}

static bool end(int fd)
{
	uint32_t len = htonl((uint32_t)(n_out - HEADER_BYTES));

	memcpy(out + HEADER_BYTES - 4, &len, sizeof(len));
	return write(fd, out, n_out) == (ssize_t)n_out;
}

/* One whole PDU: snmpd sends no second one before it is answered. */
static bool receive(int fd)
{
	size_t n = 0;

	while (n < HEADER_BYTES || n < HEADER_BYTES + get_32(in + 16)) {
		ssize_t got = read(fd, in + n, sizeof(in) - n);

		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	return true;
}

/* The row that is asked for, or the one behind it. */
static void put_row(uint32_t rows, bool next)
{
	unsigned n = in[HEADER_BYTES];
	const unsigned char *ids = in + HEADER_BYTES + 4;
	uint32_t at[2] = {n > N_BASE ? get_32(ids + 4 * N_BASE) : 1,
		n > N_BASE + 1 ? get_32(ids + 4 * (N_BASE + 1)) + next : 1};

	if (at[1] > rows) {
		at[0]++;
		at[1] = 1;
	}
	put_32((uint32_t)(at[0] > LAST_COLUMN ? END_OF_VIEW : OCTETS) << 16);
	put_oid(at, 2);
	if (at[0] > LAST_COLUMN)
		return;
	put_32(TEXT_BYTES);
	put(text, TEXT_BYTES);
}

static bool answer(int fd, uint32_t rows)
{
	if (in[1] == RESPONSE)
		return true;
	begin(RESPONSE, get_32(in + 4), get_32(in + 8), get_32(in + 12));
	put_32(0); /* sysUpTime */
	put_32(0); /* no error */
	if (in[1] == GET || in[1] == GETNEXT)
		put_row(rows, in[1] == GETNEXT);
	return end(fd);
}

static bool set_up(int fd)
{
	begin(OPEN, 0, 0, 1);
	put((unsigned char[]){5, 0, 0, 0}, 4);
	put_oid(NULL, 0);
	put_32(0); /* no description */
	if (!end(fd) || !receive(fd))
		return false;
	begin(REGISTER, get_32(in + 4), 0, 2);
	put((unsigned char[]){5, 127, 0, 0}, 4);
	put_oid(NULL, 0);
	return end(fd) && receive(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint32_t rows = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

	if (rows == 0 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || !set_up(fd)) {
		perror("snmp_floor");
		return 1;
	}
	puts("registered");
	fflush(stdout);
	while (receive(fd) && answer(fd, rows))
		;
	return 0;
}
