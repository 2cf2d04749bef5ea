#ifndef BRIG_RESULT_H
#define BRIG_RESULT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/exitinfo.h"
#include "cgroup/meters.h"
#include "context.h"
#include "specs/network.h"
#include "specs/result.h"
#include "warden/warden.h"

/*
 * What is known of an end, by whoever looks, to one result.  The rules and their order are a table
 * in result.c and a section of docs/results.md; nothing here asks the kernel.
 */
struct result_facts {
	const char *id, *level, *digest; /* digest NULL at custom */
	uint64_t generation;             /* 0: it has but one */
	struct context ctx;
	/* What a level promises with a limit of memory: what is killed for memory ends all. */
	bool oom_ends_all;
	/* Its filter kills the process by SIGSYS: that nothing else did it is taken for granted. */
	bool filter_kills;
	struct warden_end end;              /* reason NULL: no warden wrote anything */
	bool warden_gone;                   /* there was one, and it is no more */
	struct exit_info exit;              /* of the first process */
	struct cgroup_usage usage;          /* since the start */
	int64_t disk_bytes, disk_inodes;    /* of its writable layers at the end; -1: not known */
	int64_t disk_size;                  /* of them together; 0: not bounded, or not known */
	const struct rusage *process;       /* NULL: not told */
	const struct brig_network *network; /* NULL: nobody has watched it */
	struct brig_violation *violations;  /* as its warden has counted them */
	size_t n_violations;
	uint64_t started_ns, ended_ns; /* CLOCK_MONOTONIC; 0: not known */
	int64_t clock_offset_ns;       /* what makes the time of day of them */
	const struct err *failed;      /* it never ran; NULL: it did */
};

/* facts.failed of what ended before anybody had started it; the text is in *e. */
const struct err *result_unstarted(struct err *e);
/* Pointers of facts and what they point to must live as long as the result. */
void result_compose(struct arena *a, const struct result_facts *f, struct brig_result *out);
/*
 * A result that did not know how the first process ended, and who does: the other members stay.
 */
void result_learn(struct arena *a, const struct result_facts *f, struct brig_result *io);

/* Only the exit code of it, without a look at the cgroup: what a warden saw decides. */
int result_code(const struct result_facts *f);

/* What a start that failed so ends with in direct mode: 126 and 127 for execve, else 125. */
int result_start_code(const struct err *why);

/* <state directory>/result.json; -ENOENT: there is none. */
int result_write(int dir, const struct brig_result *r, struct err *e) MUST_CHECK;
/*
 * By rename of a file that is made anew: two may write at the same time, and in a directory that
 * others can write to, perhaps from within the sandbox, nothing of theirs is written through.
 */
enum { RESULT_NAME_MAX = 220 }; /* of name: the new file's is longer */
int result_replace(int dir, const char *name, const char *text, size_t len, mode_t mode,
		   struct err *e) MUST_CHECK;
int result_read(struct arena *a, int dir, struct brig_result *out, struct err *e) MUST_CHECK;
/* By another name there: of an earlier generation. */
int result_read_at(struct arena *a, int dir, const char *name, struct brig_result *out,
		   struct err *e) MUST_CHECK;

#endif
