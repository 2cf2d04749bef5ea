#include "run/launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/sys.h"
#include "run/stub/stub.h"
#include "run/sync.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

extern const unsigned char stub_image[], stub_image_end[];

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

static int new_memfd(const char *name, struct err *e)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before 6.3 there is no MFD_EXEC and every memfd may run */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set(e, errno, "memfd_create");
	return fd;
}

/* Program header 0 is the one loadable segment, from the start of the file (stub.ld). */
static size_t code_size(void)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	memcpy(&eh, stub_image, sizeof(eh));
	memcpy(&ph, stub_image + eh.e_phoff, sizeof(ph));
	return ph.p_filesz;
}

int exec_image_prepare(struct err *e)
{
	own_fd int fd = new_memfd("brig-stub", e);

	if (fd < 0)
		return fd;
	int r = file_write_all(fd, stub_image, code_size());
	if (r < 0)
		return err_set(e, -r, "write the exec stub");
	/* Not readable, for its owner neither: execve then makes the stub non-dumpable where the
	 * workload has no capability over the file (would_dump, fs/exec.c). */
	(void)fchmod(fd, 0111);
	return take_fd(&fd);
}

/* Headers that cover the parameters; the section headers were not copied. */
static int patch_headers(int fd, size_t total)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	memcpy(&eh, stub_image, sizeof(eh));
	memcpy(&ph, stub_image + eh.e_phoff, sizeof(ph));
	eh.e_shoff = 0;
	eh.e_shnum = 0;
	eh.e_shstrndx = 0;
	ph.p_filesz = total;
	ph.p_memsz = total;
	if (pwrite(fd, &eh, sizeof(eh), 0) != (ssize_t)sizeof(eh) ||
	    pwrite(fd, &ph, sizeof(ph), (off_t)eh.e_phoff) != (ssize_t)sizeof(ph))
		return -EIO;
	return 0;
}

static int load_filter(const struct launch *l, struct err *e)
{
	struct sock_fprog prog = {.len = (unsigned short)l->n_insns,
				  .filter = (struct sock_filter *)(uintptr_t)l->insns};

	if (!l->filter_first || !l->n_insns)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, l->seccomp_flags, &prog) < 0)
		return err_set(e, errno, "load seccomp filter");
	return 0;
}

int launch_exec(int stub, const struct launch *l, struct err *e)
{
	own_arena struct arena a = {0};
	size_t path_len = strlen(l->path) + 1;
	size_t n_insns = l->filter_first ? 0 : l->n_insns; /* for the stub */
	size_t insns_len = n_insns * sizeof(*l->insns);
	size_t insns_at = (sizeof(struct stub_params) + path_len + 7) & ~(size_t)7;
	size_t len = insns_at + insns_len;
	char *blob = arena_new(&a, len);
	struct stub_params p = {
		.magic = STUB_MAGIC,
		.sync_fd = l->sync_fd,
		.seccomp = l->seccomp_flags,
		.n_insns = (uint32_t)n_insns,
		.path = sizeof(struct stub_params),
		.insns = (uint32_t)insns_at,
		.exec_failed = SYNC_EXEC_FAILED,
		.failed = SYNC_FAILED,
		.birth =
			(l->birth ? STUB_BIRTH : 0) | (l->birth && l->terminal ? STUB_TERMINAL : 0),
		.pid = SYNC_PID,
		.go = SYNC_GO,
		.executing = SYNC_EXECUTING,
	};

	memcpy(blob, &p, sizeof(p));
	memcpy(blob + sizeof(p), l->path, path_len);
	if (insns_len)
		memcpy(blob + insns_at, l->insns, insns_len);
	int r = file_write_all(stub, blob, len);
	if (r == 0)
		r = patch_headers(stub, code_size() + len);
	if (r < 0)
		return err_set(e, -r, "write the exec stub");
	if (fcntl(stub, F_ADD_SEALS, SEALS) < 0)
		return err_set(e, errno, "seal the exec stub");
	if (fcntl(l->sync_fd, F_SETFD, 0) < 0)
		return err_set(e, errno, "keep descriptor %d over exec", l->sync_fd);
	r = load_filter(l, e);
	if (r < 0)
		return r;
	(void)syscall(SYS_execveat, stub, "", l->argv, l->envp, AT_EMPTY_PATH);
	int code = errno;
	(void)fcntl(l->sync_fd, F_SETFD, FD_CLOEXEC); /* back as it was, for the error's way */
	return err_set(e, code, "execute the stub");
}

static bool is_sealed_self(int self)
{
	return fcntl(self, F_GET_SEALS) == SEALS;
}

/* argv of this process as the kernel has it; environ is handed on as it is. */
static char **own_argv(struct arena *a, struct err *e)
{
	char *text;
	size_t len, n = 0;

	if (file_read(a, AT_FDCWD, "/proc/self/cmdline", 1 << 21, &text, &len, e) < 0)
		return NULL;
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\0';
	char **argv = arena_array(a, n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		argv[i] = text;
		text += strlen(text) + 1;
	}
	return argv;
}

int launch_reexec_sealed(struct err *e)
{
	own_arena struct arena a = {0};
	own_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (self < 0 || fstat(self, &st) < 0)
		return err_set(e, errno, "open /proc/self/exe");
	if (is_sealed_self(self))
		return 0;
	own_fd int fd = new_memfd("runc_cloned:/proc/self/exe", e);
	if (fd < 0)
		return fd;
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(fd, self, &at, (size_t)(st.st_size - at)) <= 0)
			return err_set(e, errno, "copy /proc/self/exe");
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_set(e, errno, "seal the copy of /proc/self/exe");
	char **argv = own_argv(&a, e);
	if (!argv)
		return -e->code;
	(void)syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return err_set(e, errno, "execute the sealed copy of /proc/self/exe");
}
