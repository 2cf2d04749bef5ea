#include "guard/interpreter.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

/* fs/binfmt_script.c reads as much; fs/binfmt_elf.c: 64 KiB of program headers at most. */
enum { HEAD = 256, MOST_HEADERS = 64 };

static int broken(struct err *e)
{
	return err_msg(e, ENOEXEC, "not a program that the kernel executes");
}

/* Up to size bytes at an offset, all of them or fewer at the end of the file. */
static ssize_t read_at(int fd, void *to, size_t size, uint64_t at)
{
	ssize_t n;

	if (at > INT64_MAX - size)
		return -1;
	do
		n = pread(fd, to, size, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

/* "#! /bin/sh -e": blanks, the path, the rest is its argument. */
static int script(const char *head, size_t n, char *path, size_t size, struct err *e)
{
	const char *line = head + 2, *end = memchr(line, '\n', n - 2);

	if (!end)
		end = head + n;
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	size_t len = 0;
	while (line + len < end && line[len] && line[len] != ' ' && line[len] != '\t')
		len++;
	if (!len || len >= size)
		return broken(e);
	memcpy(path, line, len);
	path[len] = '\0';
	return 1;
}

static int named(int fd, uint64_t at, uint64_t len, char *path, size_t size, struct err *e)
{
	if (len < 2 || len > size || read_at(fd, path, (size_t)len, at) != (ssize_t)len ||
	    path[len - 1] != '\0' || !*path)
		return broken(e);
	return 1;
}

/* The two classes differ in the widths of the same members. */
#define FIND_INTERP(Ehdr, Phdr)                                                                    \
	do {                                                                                       \
		Ehdr eh;                                                                           \
		Phdr ph;                                                                           \
		if (n < sizeof(eh))                                                                \
			return broken(e);                                                          \
		memcpy(&eh, head, sizeof(eh));                                                     \
		if (eh.e_phentsize != sizeof(ph) || eh.e_phnum > MOST_HEADERS)                     \
			return broken(e);                                                          \
		for (unsigned int i = 0; i < eh.e_phnum; i++) {                                    \
			uint64_t at = (uint64_t)eh.e_phoff + i * sizeof(ph);                       \
			if (at < eh.e_phoff ||                                                     \
			    read_at(fd, &ph, sizeof(ph), at) != (ssize_t)sizeof(ph))               \
				return broken(e);                                                  \
			if (ph.p_type == PT_INTERP)                                                \
				return named(fd, ph.p_offset, ph.p_filesz, path, size, e);         \
		}                                                                                  \
	} while (0)

int interpreter_of(int fd, char *path, size_t size, struct err *e)
{
	char head[HEAD];
	ssize_t got = read_at(fd, head, sizeof(head), 0);
	size_t n = got > 0 ? (size_t)got : 0;

	*path = '\0';
	if (got < 0)
		return err_set(e, errno, "read its head");
	if (n > 2 && head[0] == '#' && head[1] == '!')
		return script(head, n, path, size, e);
	if (n < EI_NIDENT || memcmp(head, ELFMAG, SELFMAG) != 0)
		return broken(e);
	if (head[EI_CLASS] == ELFCLASS64)
		FIND_INTERP(Elf64_Ehdr, Elf64_Phdr);
	else
		FIND_INTERP(Elf32_Ehdr, Elf32_Phdr);
	return 0;
}
