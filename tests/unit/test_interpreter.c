/* Which program the kernel starts in place of a file, told from its first bytes. */
#include "guard/interpreter.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"

static char path[INTERPRETER_MAX];

static int of_bytes(const void *bytes, size_t n)
{
	own_fd int fd = memfd_create("interpreter", MFD_CLOEXEC);
	struct err e = {0};

	CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	int r = interpreter_of(fd, path, sizeof(path), &e);
	CHECK(r >= 0 || (e.code && e.msg[0]));
	return r;
}

static int of_text(const char *text)
{
	return of_bytes(text, strlen(text));
}

static void test_scripts(void)
{
	CHECK(of_text("#!/bin/sh\necho\n") == 1 && str_eq(path, "/bin/sh"));
	CHECK(of_text("#! \t/usr/bin/env -S python3\n") == 1 && str_eq(path, "/usr/bin/env"));
	CHECK(of_text("#!/bin/sh") == 1 && str_eq(path, "/bin/sh"));
	CHECK(of_text("#!/bin/sh\t-e\n") == 1 && str_eq(path, "/bin/sh"));
	CHECK(of_text("#!\n/bin/sh") == -ENOEXEC);
	CHECK(of_text("#!   \n") == -ENOEXEC);
	CHECK(of_text("#!") == -ENOEXEC);
	CHECK(of_text("") == -ENOEXEC);
	CHECK(of_text("echo hello\n") == -ENOEXEC);
	CHECK(of_bytes("#!/bin/a\0b\n", 11) == 1 && str_eq(path, "/bin/a"));
}

struct made {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	char name[16];
};

static struct made good(void)
{
	struct made m = {
		.eh = {.e_phoff = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 2},
		.ph = {{.p_type = PT_LOAD},
		       {.p_type = PT_INTERP,
			.p_offset = offsetof(struct made, name),
			.p_filesz = sizeof("/lib/ld.so")}            },
		.name = "/lib/ld.so",
	};

	memcpy(m.eh.e_ident, ELFMAG, SELFMAG);
	m.eh.e_ident[EI_CLASS] = ELFCLASS64;
	return m;
}

static void test_elf(void)
{
	struct made m = good();

	CHECK(of_bytes(&m, sizeof(m)) == 1 && str_eq(path, "/lib/ld.so"));
	m.eh.e_phnum = 1;
	CHECK(of_bytes(&m, sizeof(m)) == 0 && !*path);
	m.eh.e_phnum = 65535;
	CHECK(of_bytes(&m, sizeof(m)) == -ENOEXEC);
	m = good();
	m.eh.e_phentsize = 1;
	CHECK(of_bytes(&m, sizeof(m)) == -ENOEXEC);
	m = good();
	m.eh.e_phoff = UINT64_MAX - 4;
	CHECK(of_bytes(&m, sizeof(m)) == -ENOEXEC);
	m = good();
	m.ph[1].p_offset = UINT64_MAX;
	CHECK(of_bytes(&m, sizeof(m)) == -ENOEXEC);
	m = good();
	m.ph[1].p_filesz = UINT64_MAX;
	CHECK(of_bytes(&m, sizeof(m)) == -ENOEXEC);
	m = good();
	m.ph[1].p_filesz = 4; /* not ended */
	CHECK(of_bytes(&m, sizeof(m)) == -ENOEXEC);
	m = good();
	CHECK(of_bytes(&m, sizeof(m.eh)) == -ENOEXEC);
	CHECK(of_bytes(&m, 20) == -ENOEXEC);
	m.eh.e_ident[EI_CLASS] = ELFCLASS32;
	CHECK(of_bytes(&m, sizeof(m)) <= 0);
}

/* What this very program names is there. */
static void test_own(void)
{
	own_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct err e;
	int r = interpreter_of(fd, path, sizeof(path), &e);

	CHECK(r >= 0);
	CHECK(r == 0 || access(path, X_OK) == 0);
}

int main(void)
{
	test_scripts();
	test_elf();
	test_own();
	return check_done();
}
