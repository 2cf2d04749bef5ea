/*
 * Eight writers of one log at once, some of which are killed again and again while they write, with
 * rotation and a key; everything that was acknowledged is there, once.  BRIG_AUDIT_EACH=10000:
 * how many records each writes (make soak).
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "audit_fixture.h"

enum { WRITERS = 8, EACH = 1000, KILLED = 3, KILLS = 40 };

/* Shared: what each writer knows to be written. */
struct writer {
	_Atomic uint64_t acknowledged;
	uint64_t found, deaths;
	pid_t pid;
};

static uint64_t each(void)
{
	const char *text = getenv("BRIG_AUDIT_EACH");
	uint64_t n;

	return text && str_u64(text, &n) ? n : EACH;
}

static void write_all(struct audit_fixture *f, struct writer *w, size_t number, uint64_t n)
{
	struct audit_record r = {.event = "SandboxStarted"};
	char id[16], data[64];

	snprintf(id, sizeof(id), "w%zu", number);
	r.id = id;
	if (audit_reopen(f) < 0)
		_exit(1);
	while (w->acknowledged < n) {
		snprintf(data, sizeof(data), "{\"n\":%llu}", (unsigned long long)w->acknowledged);
		r.data = data;
		if (audit_append(f->log, &r, NULL, &f->e) < 0) {
			fprintf(stderr, "%s\n", f->e.msg);
			_exit(1);
		}
		w->acknowledged++;
	}
	_exit(0);
}

static void start(struct audit_fixture *f, struct writer *w, size_t number, uint64_t n)
{
	pid_t pid = fork();

	if (pid == 0)
		write_all(f, w, number, n);
	if (pid < 0)
		abort(); /* kill(-1) is not to be thought of */
	w->pid = pid;    /* only here: the child shares it */
}

/* Kills the first few now and then; each goes on where it was. */
static void throw_kills(struct audit_fixture *f, struct writer *w, uint64_t n)
{
	for (int i = 0; i < KILLS; i++) {
		size_t victim = (size_t)i % KILLED;
		int status = 0;

		nanosleep(&(struct timespec){.tv_nsec = 1000000 + (i * 7919) % 3000 * 1000}, NULL);
		kill(w[victim].pid, SIGKILL);
		CHECK(waitpid(w[victim].pid, &status, 0) == w[victim].pid);
		w[victim].deaths += WIFSIGNALED(status);
		start(f, &w[victim], victim, n);
	}
}

/* The records of each writer, in the text of one file. */
static void count(struct writer *w, const char *text)
{
	for (const char *p = text; (p = strstr(p, "\"id\":\"w")); p++)
		w[p[7] - '0'].found++;
}

static void count_all(struct audit_fixture *f, struct writer *w)
{
	own_dir DIR *d = opendir(f->dir);
	uint64_t n;

	count(w, audit_text(f, "", NULL));
	for (const struct dirent *x; d && (x = readdir(d));)
		if (str_starts(x->d_name, "log.") && str_u64(x->d_name + 4, &n))
			count(w, audit_text(f, x->d_name + 3, NULL));
}

static void crowd(uint64_t n, bool keyed, uint64_t max_bytes)
{
	struct writer *w = mmap(NULL, WRITERS * sizeof(*w), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char hex[SHA256_HEX] = "";
	struct timespec begin, end;
	struct audit_fixture f;
	int status;

	audit_setup(&f);
	f.config.max_bytes = max_bytes;
	f.config.wait_ms = 20000; /* a machine that is busy, a sanitizer */
	CHECK(audit_reopen(&f) == 0 && (!keyed || audit_key_make(f.log, hex, &f.e) == 0));
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (size_t i = 0; i < WRITERS; i++)
		start(&f, &w[i], i, n);
	throw_kills(&f, w, n);
	for (size_t i = 0; i < WRITERS; i++) {
		CHECK(waitpid(w[i].pid, &status, 0) == w[i].pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	struct audit_seen s = audit_look(&f, keyed ? hex : NULL);
	count_all(&f, w);
	uint64_t deaths = 0;
	for (size_t i = 0; i < WRITERS; i++) {
		/* killed after the write and before it was counted */
		CHECK(w[i].acknowledged == n && w[i].found >= n && w[i].found <= n + w[i].deaths);
		deaths += w[i].deaths;
	}
	/* Killed within the write: Linux stops it between two pages, and the line is torn. */
	CHECK(!s.bad && s.stray == s.repairs && s.repairs <= deaths);
	double us = (double)(end.tv_sec - begin.tv_sec) * 1e6 +
		    (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
	printf("%d writers, %llu records each%s: %llu in %llu files, %llu killed, %llu torn, "
	       "%.1f us a record\n",
	       WRITERS, (unsigned long long)n, keyed ? ", with a key" : "",
	       (unsigned long long)s.records, (unsigned long long)s.files,
	       (unsigned long long)deaths, (unsigned long long)s.stray, us / (double)s.records);
	munmap(w, WRITERS * sizeof(*w));
	audit_done(&f);
}

int main(void)
{
	crowd(each(), false, 0);
	crowd(each(), true, each() * 200);
	return check_done();
}
