#ifndef BRIG_TESTS_ATTACK_H
#define BRIG_TESTS_ATTACK_H

#include <stdint.h>

/*
 * A probe: something that code in a sandbox may try.  Its answer is one word: "ok" (it was done),
 * the name of an errno, "kill" (SIGSYS), "signal-N", "hang", or a word of its own.
 */
struct attack {
	const char *name;
	/* The call that decides.  Without run: it is made with these arguments.  0: there is none
	 * or it is not one of this architecture. */
	long nr;
	uintptr_t a[6];
	/* Gives a result or -errno; attack_says gives another word. */
	long (*run)(const struct attack *self);
	const char *path; /* for run */
	unsigned int arms;
};

/*
 * Where a probe may run without a sandbox around it: user, mount, pid and other namespaces that
 * are thrown away, as an id that owns nothing on the machine, always.
 */
enum {
	ARM_ROOT = 1, /* also as the machine's root in such namespaces: nothing but opens a file */
	ARM_HOST = 2, /* also with the machine's pid and network namespace */
};

/* Tables that end with a name of NULL. */
extern const struct attack call_attacks[], kill_attacks[], socket_attacks[], file_attacks[],
	process_attacks[], limit_attacks[], granted_attacks[];

/* syscall(2) that gives -errno. */
long sys(long nr, ...);
/* Ends the probe with a word instead of a result. */
_Noreturn void attack_says(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* In the root file system of a test, never on the machine. */
#define ATTACK_MARK "/.attack-root"
/* In brig's own environment, and in the path of its state directory. */
#define ATTACK_SECRET "brig_attack_secret"
/* The directory in the root file system with the test's hostile files. */
#define ATTACK_DIR "/attack"

/* Where `attack listen` is, in the machine's network namespace, beside the abstract name. */
enum { ATTACK_PORT = 47321 };
int attack_listen(void);

/* Descriptors above 2 at the start of the program, as text: "none" or "3 9". */
extern char inherited_fds[256];

#endif
