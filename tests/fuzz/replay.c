/* SPDX-License-Identifier: MIT */
/* Replays a folder of inputs through a fuzz target, so that corpora are ordinary tests. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT_BYTES = 4 << 20 };

static int replay_file(const char *dir, const char *name)
{
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return 0;
	FILE *f = fopen(path, "rbe");
	if (!f) {
		perror(path);
		return -1;
	}
	uint8_t *data = malloc(MAX_INPUT_BYTES);
	size_t n = data ? fread(data, 1, MAX_INPUT_BYTES, f) : 0;
	(void)fclose(f);
	/* An exact-size copy lets AddressSanitizer see one byte too far. */
	uint8_t *exact = malloc(n ? n : 1);
	if (data && exact) {
		memcpy(exact, data, n);
		LLVMFuzzerTestOneInput(exact, n);
	}
	free(exact);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int n = 0;
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	DIR *d = opendir(argv[1]);
	if (!d) {
		perror(argv[1]);
		return 1;
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		if (replay_file(argv[1], e->d_name) < 0)
			return 1;
		n++;
	}
	(void)closedir(d);
	printf("%d inputs replayed\n", n);
	return n > 0 ? 0 : 1;
}
