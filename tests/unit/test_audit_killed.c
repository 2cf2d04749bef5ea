/*
 * Killed before any one of its system calls: a writer is traced and killed at its n-th call, for
 * each n that there is.  Whoever comes next finds a log that hangs together.
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "audit_fixture.h"

/* What is done, in a child; f is set up anew for each time it is killed. */
struct scene {
	const char *name;
	void (*prepare)(struct audit_fixture *f);
	void (*act)(struct audit_fixture *f);
};

static char key_hex[SHA256_HEX];

static void nothing(struct audit_fixture *f)
{
	(void)f; /* there is no log yet */
}

static void some(struct audit_fixture *f)
{
	CHECK(audit_reopen(f) == 0);
	CHECK(audit_add(f, "SandboxStarted") == 0 && audit_add(f, "SandboxStarted") == 0);
}

static void some_keyed(struct audit_fixture *f)
{
	CHECK(audit_reopen(f) == 0 && audit_key_make(f->log, key_hex, &f->e) == 0);
	CHECK(audit_add(f, "SandboxStarted") == 0);
}

static void many_keyed(struct audit_fixture *f)
{
	some_keyed(f);
	for (int i = 0; i < AUDIT_EPOCH_RECORDS - 3; i++)
		CHECK(audit_add(f, "SandboxStarted") == 0);
}

static void some_torn(struct audit_fixture *f)
{
	some(f);
	audit_scribble(f, "", O_APPEND, "torn", 4);
}

static void some_gone(struct audit_fixture *f)
{
	some(f);
	CHECK(rename(f->path, audit_beside(f, ".3")) == 0);
}

static void begin(struct audit_fixture *f)
{
	if (audit_reopen(f) < 0)
		_exit(1);
}

static void append(struct audit_fixture *f)
{
	if (audit_add(f, "SandboxTainted") < 0 || audit_add(f, "SandboxExited") < 0)
		_exit(1);
}

static void append_rotating(struct audit_fixture *f)
{
	f->config.max_bytes = 100;
	if (audit_reopen(f) < 0 || audit_add(f, "SandboxExited") < 0)
		_exit(1);
}

static void make_key(struct audit_fixture *f)
{
	char hex[SHA256_HEX];

	if (audit_key_make(f->log, hex, &f->e) < 0)
		_exit(1);
}

static const struct scene scenes[] = {
	{"first",			nothing,    begin          },
	{"append",		       some,       append         },
	{"rotate",		       some,       append_rotating},
	{"rotate with a key",            some_keyed, append_rotating},
	{"evolve",		       many_keyed, append         },
	{"repair",		       some_torn,  append         },
	{"go on from what was put away", some_gone,  append         },
	{"make a key",                   some,       make_key       },
};

/* Lets the child go on to its n-th call after it has said that it is ready, and kills it there. */
static bool killed_at(pid_t pid, int n)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return false;
	CHECK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
	for (int stops = 0; stops < 2 * n - 1;
	     stops++) { /* a stop before each call, one after it */
		CHECK(ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0);
		if (waitpid(pid, &status, 0) != pid || WIFEXITED(status)) {
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
			return false;
		}
	}
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	return true;
}

static bool run(const struct scene *s, int n)
{
	struct audit_fixture f;
	bool killed;
	pid_t pid;

	audit_setup(&f);
	f.config.sync = AUDIT_SYNC_SECURITY;
	s->prepare(&f);
	pid = fork();
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 || raise(SIGSTOP) != 0)
			_exit(2);
		s->act(&f);
		_exit(0);
	}
	killed = killed_at(pid, n);
	f.config.max_bytes = 0;
	CHECK(audit_reopen(&f) == 0);
	CHECK(audit_add(&f, "SandboxExited") == 0 && audit_add(&f, "SandboxExited") == 0);
	bool torn = s->prepare == some_torn;
	bool keyed = s->prepare == some_keyed || s->prepare == many_keyed;
	struct audit_seen seen = audit_look(&f, keyed ? key_hex : NULL);
	bool good = !seen.bad && seen.stray == torn && seen.repairs == torn;
	CHECK(good && !access(f.path, F_OK));
	if (!good)
		fprintf(stderr, "%s, killed at %d: %llu bad, %llu stray, %llu repairs\n", s->name,
			n, (unsigned long long)seen.bad, (unsigned long long)seen.stray,
			(unsigned long long)seen.repairs);
	if (killed && s->act == make_key && !seen.keyed) /* the key was not seen: another one */
		CHECK(audit_key_make(f.log, key_hex, &f.e) == 0);
	audit_done(&f);
	return killed;
}

int main(void)
{
	for (size_t i = 0; i < LEN(scenes); i++) {
		int n = 1;

		while (run(&scenes[i], n))
			n++;
		printf("%s: killed at each of %d calls\n", scenes[i].name, n - 1);
		CHECK(n > 10);
	}
	return check_done();
}
