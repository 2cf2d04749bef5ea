#include "base/sigmask.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/file.h"
#include "base/own.h"

bool sigmask_minds(const char *status, int sig)
{
	static const char *const masks[] = {"\nSigBlk:\t", "\nSigIgn:\t", "\nSigCgt:\t"};

	for (size_t i = 0; i < LEN(masks); i++) {
		const char *at = strstr(status, masks[i]);

		if (at && strtoull(at + strlen(masks[i]), NULL, 16) >> (sig - 1) & 1)
			return true;
	}
	return false;
}

uint64_t sigmask_switches(const char *status)
{
	static const char *const counts[] = {"\nvoluntary_ctxt_switches:\t",
					     "\nnonvoluntary_ctxt_switches:\t"};
	uint64_t n = 0;

	for (size_t i = 0; i < LEN(counts); i++) {
		const char *at = strstr(status, counts[i]);

		if (at)
			n += strtoull(at + strlen(counts[i]), NULL, 10);
	}
	return n;
}

bool sigmask_awaits(pid_t pid, int sig)
{
	char path[64], text[256], *end;
	uint64_t set;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	/* "128 0x7ffe... ...": number and arguments, the first of which is the address of the set
	 */
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0 ||
	    strtol(text, &end, 10) != SYS_rt_sigtimedwait || end == text)
		return false;
	const struct iovec here = {&set, sizeof(set)};
	const struct iovec there = {(void *)(uintptr_t)strtoull(end, NULL, 16), sizeof(set)};

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(set) && set >> (sig - 1) & 1;
}
