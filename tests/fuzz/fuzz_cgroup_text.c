#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup/text.h"

/*
 * The first byte picks the reader, the rest is the file.  /proc and cgroup files come from the
 * kernel, but their paths and names come from whoever made the cgroups.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void self(char *text)
{
	struct cg_self line;

	while (cg_self_next(&text, &line))
		if (line.path[0] != '/')
			abort();
}

static void mountinfo(char *text)
{
	struct cg_mountinfo m;

	while (cg_mountinfo_next(&text, &m))
		(void)cg_options_have(m.options, "cpu,cpuacct");
}

static void flat(char *text)
{
	const char *key;
	uint64_t v;

	(void)cg_flat_get(text, "oom_kill", &v);
	while (cg_flat_next(&text, &key, &v))
		if (!key[0])
			abort();
}

static void psi(char *text)
{
	struct cg_psi p;

	/* What is taken becomes a JSON number as it is. */
	if (cg_psi_parse(text, &p) && p.some.avg10 &&
	    strspn(p.some.avg10, "0123456789.") != strlen(p.some.avg10))
		abort();
}

static void io_stat(char *text)
{
	struct cg_io_iter it = {.text = text};
	struct cg_io io;

	while (cg_io_stat_next(&it, &io))
		if (!io.op)
			abort();
}

static void blkio(char *text)
{
	struct cg_io_iter it = {.text = text};
	struct cg_io io;

	while (cg_blkio_next(&it, &io))
		if (!io.op)
			abort();
}

static void pids(char *text)
{
	int pid;

	while (cg_pid_next(&text, &pid))
		if (pid <= 0)
			abort();
}

static void line_of(char *text)
{
	(void)cg_line_of(text, "8:0");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(char *) = {self,    mountinfo, flat, psi,
						  io_stat, blkio,     pids, line_of};
	const size_t n = sizeof(readers) / sizeof(*readers);

	if (!size)
		return 0;
	char *text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	readers[(size_t)(data[0] - '0') % n](text);
	free(text);
	return 0;
}
