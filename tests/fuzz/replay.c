/* A plain main for a fuzz target: feeds it each file named, and each file of each directory. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		perror(path);
		return 1;
	}
	/* An allocation of the exact size lets the sanitizer see a read past the end. */
	size_t size = (size_t)st.st_size, have = 0;
	uint8_t *data = malloc(size ? size : 1);
	if (!data)
		abort();
	while (have < size) {
		ssize_t n = read(fd, data + have, size - have);
		if (n <= 0) {
			perror(path);
			free(data);
			return 1;
		}
		have += (size_t)n;
	}
	/* Named before the call: if the target aborts, the last line tells the input. */
	fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(data, size); /* always 0 */
	free(data);
	replayed++;
	return 0;
}

static int replay_dir(int fd, const char *path)
{
	DIR *d = fdopendir(fd);
	int bad = 0;

	if (!d) {
		perror(path);
		close(fd);
		return 1;
	}
	for (struct dirent *de; (de = readdir(d));) {
		char file[4096];
		int in = de->d_name[0] == '.' ? -1
					      : openat(dirfd(d), de->d_name, O_RDONLY | O_CLOEXEC);
		if (in < 0)
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, de->d_name);
		bad |= replay_file(in, file);
		close(in);
	}
	closedir(d);
	return bad;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0) {
			perror(argv[i]);
			return 1;
		}
		if (S_ISDIR(st.st_mode)) {
			bad |= replay_dir(fd, argv[i]);
			continue;
		}
		bad |= replay_file(fd, argv[i]);
		close(fd);
	}
	printf("%u inputs replayed\n", replayed);
	return bad || !replayed;
}
