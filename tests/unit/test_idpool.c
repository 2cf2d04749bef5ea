/* The id pool with real directories, processes that die and processes that race. */
#include "ns/idpool.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "check.h"
#include "ns/idpool_file.h"
#include "ns/idpool_taken.h"

static struct err err;
static char top[] = "/tmp/brig-idpool-XXXXXX";
static char pool_dir[64], etc_dir[64];
static struct idpool_config conf;

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned int turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", top, name);
	return p;
}

/* A state directory. */
static const char *user(const char *name)
{
	const char *p = at(name);

	CHECK(mkdir(p, 0700) == 0 || errno == EEXIST);
	return p;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	CHECK(f && fputs(text, f) >= 0);
	if (f)
		fclose(f);
}

/* Everything as new: four slots from 300000 on. */
static void fresh(void)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s/*", top);
	CHECK(system(command) == 0);
	snprintf(pool_dir, sizeof(pool_dir), "%s/deep/pool", top);
	snprintf(etc_dir, sizeof(etc_dir), "%s/etc", top);
	conf = (struct idpool_config){pool_dir, 300000, 4 * IDPOOL_STRIDE + 5, 0, etc_dir};
}

static int claim(const char *key, const char *name)
{
	struct idpool_slot s = {UINT32_MAX, 0};
	int r = idpool_claim(&conf, key, user(name), &s, &err);

	if (r < 0)
		return r;
	CHECK(s.base == conf.first + s.slot * IDPOOL_STRIDE);
	CHECK(s.slot < conf.count / IDPOOL_STRIDE);
	return (int)s.slot;
}

static void counts_are(uint32_t total, uint32_t used, uint32_t quarantined)
{
	uint32_t t = 0, u = 0, q = 0;

	CHECK(idpool_count(&conf, &t, &u, &q, &err) == 0);
	CHECK(t == total && u == used && q == quarantined);
	if (t != total || u != used || q != quarantined)
		fprintf(stderr, "counts: %u %u %u\n", t, u, q);
}

static void given_out_and_back(void)
{
	struct stat st;

	fresh();
	counts_are(4, 0, 0);
	CHECK(stat(pool_dir, &st) < 0);
	CHECK(claim(NULL, "a") == 0 && claim("", "b") == 1 && claim(NULL, "c") == 2);
	CHECK(stat(pool_dir, &st) == 0 && (st.st_mode & 07777) == 0700);
	/* Round robin: what has just been freed is the last to be given out again. */
	CHECK(idpool_release(&conf, 0, at("a"), &err) == 0);
	CHECK(claim(NULL, "d") == 3 && claim(NULL, "e") == 0);
	counts_are(4, 4, 0);
	CHECK(claim(NULL, "f") == -EAGAIN);
	CHECK(strstr(err.msg,
		     "id pool: exhausted: of 4 ranges from 300000 on 4 are in use, 0 in "
		     "quarantine (0 s) and 0 belong to users of the host: raise ids.count"));
	/* Released twice, by somebody else, or what never was: nothing happens. */
	CHECK(idpool_release(&conf, 0, at("a"), &err) == 0);
	CHECK(idpool_release(&conf, 99, at("a"), &err) == 0);
	counts_are(4, 4, 0);
	conf.directory = "/nonexistent/brig-pool";
	CHECK(idpool_release(&conf, 0, at("a"), &err) == 0);
}

static void dead_users(void)
{
	fresh();
	for (int i = 0; i < 4; i++)
		CHECK(claim(NULL, (const char *[]){"a", "b", "c", "d"}[i]) == i);
	CHECK(rmdir(at("c")) == 0);
	counts_are(4, 3, 0);
	CHECK(claim(NULL, "e") == 2);
	/* With a quarantine it begins when the death is found. */
	conf.quarantine = 1;
	CHECK(rmdir(at("a")) == 0);
	counts_are(4, 3, 1);
	CHECK(claim(NULL, "f") == -EAGAIN &&
	      strstr(err.msg, "3 are in use, 1 in quarantine (1 s)"));
	usleep(2100000);
	CHECK(claim(NULL, "f") == 0);
}

static void quarantine(void)
{
	char text[64];

	fresh();
	conf.quarantine = 3600;
	CHECK(claim(NULL, "a") == 0 && idpool_release(&conf, 0, at("a"), &err) == 0);
	counts_are(4, 0, 1);
	CHECK(claim(NULL, "b") == 1 && claim(NULL, "c") == 2 && claim(NULL, "d") == 3);
	CHECK(claim(NULL, "e") == -EAGAIN);
	/* A time of another boot, which had run for longer. */
	snprintf(text, sizeof(text), "\nfree %llu\n", 1ULL << 60);
	put(at("deep/pool/0"), text);
	CHECK(claim(NULL, "e") == 0);
	/* What is no slot file is not given out, and does not stand in the way. */
	CHECK(idpool_release(&conf, 1, at("b"), &err) == 0);
	put(at("deep/pool/1"), "garbage");
	conf.quarantine = 0;
	CHECK(claim(NULL, "f") == -EAGAIN);
	put(at("deep/pool/1"), "");
	CHECK(claim(NULL, "f") == 1);
}

static void pods(void)
{
	static const char odd[] = "../a/b%\n";

	fresh();
	conf.quarantine = 3600;
	CHECK(claim("pod", "a") == 0 && claim(NULL, "x") == 1 && claim("pod", "b") == 0);
	CHECK(claim("pod", "a") == 0); /* again */
	CHECK(claim(odd, "c") == 2 && claim(odd, "d") == 2);
	counts_are(4, 3, 0);
	CHECK(idpool_release(&conf, 0, at("a"), &err) == 0);
	counts_are(4, 3, 0);
	CHECK(idpool_release(&conf, 0, at("b"), &err) == 0);
	counts_are(4, 2, 1);
	/* The pod comes back: the quarantine is against others. */
	CHECK(claim("pod", "b") == 0);
	CHECK(idpool_release(&conf, 0, at("b"), &err) == 0);
	conf.quarantine = 0;
	/* Given to another one, it is the pod's no more. */
	CHECK(claim("other", "e") == 3 && claim("third", "f") == 0);
	CHECK(access(at("deep/pool/key.pod"), F_OK) < 0 && claim("pod", "g") == -EAGAIN);
	/* A link that somebody was killed behind: to a slot of another key. */
	CHECK(symlink("3", at("deep/pool/key.late")) == 0);
	CHECK(rmdir(at("f")) == 0 && claim("late", "h") == 0 && claim("late", "i") == 0);
	CHECK(idpool_claim(&conf, NULL, "relative", &(struct idpool_slot){0}, &err) == -EINVAL);
	char longer[300];
	memset(longer, 'k', sizeof(longer));
	longer[299] = '\0';
	CHECK(claim(longer, "j") == -ENAMETOOLONG);
}

/* Users of the host are passed over, whichever file names them. */
static void taken(void)
{
	char text[256];

	fresh();
	user("etc");
	snprintf(text, sizeof(text), "root:x:0:0:r:/root:/bin/sh\nbad\n:::\nu:x:%u:100::/:\n",
		 300000 + IDPOOL_STRIDE - 1);
	put(at("etc/passwd"), text);
	snprintf(text, sizeof(text), "g:x:%u:a,b\nbig:x:99999999999:\n", 300000 + IDPOOL_STRIDE);
	put(at("etc/group"), text);
	counts_are(2, 0, 0);
	CHECK(claim(NULL, "a") == 2 && claim(NULL, "b") == 3 && claim(NULL, "c") == -EAGAIN);
	CHECK(strstr(err.msg, "2 belong to users of the host"));
	snprintf(text, sizeof(text), "n:1:%u\nlast:%u:1", 299999, 300000 + 2 * IDPOOL_STRIDE);
	put(at("etc/subuid"), text);
	put(at("etc/passwd"), "");
	counts_are(2, 2, 0);
	snprintf(text, sizeof(text), "n:100000:%u\n", 200001);
	put(at("etc/subgid"), text);
	counts_are(1, 2, 0);
	/* A gid of passwd alone. */
	snprintf(text, sizeof(text), "u:x:5:%u::/:\n", 300000 + 3 * IDPOOL_STRIDE);
	put(at("etc/passwd"), text);
	counts_are(0, 2, 0);
	/* The rest of the pool that is no whole range is nobody's. */
	put(at("etc/subgid"), "n:563168:100000\n");
	counts_are(1, 2, 0);
	put(at("etc/subgid"), "n:563167:1\n");
	put(at("etc/passwd"), "");
	counts_are(1, 2, 0);
	put(at("etc/subgid"), "n:4294967295:4294967295\nn:0:4294967295\n");
	counts_are(0, 2, 0);
}

static void bad_pools(void)
{
	fresh();
	conf.count = IDPOOL_STRIDE - 1;
	CHECK(claim(NULL, "a") == -EINVAL && strstr(err.msg, "less than one range of 65792"));
	conf.first = UINT32_MAX - IDPOOL_STRIDE + 1;
	conf.count = IDPOOL_STRIDE;
	CHECK(claim(NULL, "a") == -EINVAL);
	conf.first--;
	CHECK(claim(NULL, "a") == 0);
	/* Another first id, while ranges of the old one are in use. */
	fresh();
	CHECK(claim(NULL, "a") == 0);
	conf.first += 1000;
	CHECK(claim(NULL, "b") == -EBUSY && strstr(err.msg, "begins at 300000, not at 301000"));
	CHECK(idpool_release(&conf, 0, at("a"), &err) == 0);
	CHECK(claim(NULL, "b") == 0);
	/* A directory that others may write. */
	CHECK(chmod(pool_dir, 0770) == 0 && claim(NULL, "c") == -EPERM);
}

static void texts(void)
{
	static const char *const good[] = {"", "k\nfree 12\n", "\n/a\n", "k%2f\n/a\n/b c\n"};
	static const char *const bad[] = {
		"k",    "\n",        "\nfree x\n",     "\n/a\nfree 1\n",
		"\n/a", "\nrel/a\n", "\nfree 1\n/a\n", "\nfree 1\nfree 1\n"};
	own_arena struct arena a = {0};
	struct idpool_file f;
	size_t len;

	for (size_t i = 0; i < LEN(good); i++) {
		CHECK(idpool_file_parse(&a, good[i], strlen(good[i]), &f));
		if (i)
			CHECK_STR(idpool_file_print(&a, &f, &len), good[i]);
	}
	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(!idpool_file_parse(&a, bad[i], strlen(bad[i]), &f));
	CHECK(!idpool_file_parse(&a, "\n/a\0b\n", 6, &f));
	CHECK_STR(idpool_escape(&a, "a/b%\n\x7f", "/"), "a%2fb%25%0a%7f");
	CHECK_STR(idpool_unescape(&a, "a%2fb%25%0a%7f%zz%"), "a/b%\n\x7f%zz%");
}

/* --- Many at once ------------------------------------------------------------------------- */

enum { SLOTS = 64, RACERS = 8, ROUNDS = 60 };

/* Who holds each slot, in memory that all share: a second holder is an overlap. */
static int *holders;

static void race(int me, unsigned int seed)
{
	char name[32];

	snprintf(name, sizeof(name), "racer%d", me);
	for (int i = 0; i < ROUNDS; i++) {
		int slot = claim(NULL, name);

		if (slot < 0 || __sync_fetch_and_add(&holders[slot], 1) != 0) {
			fprintf(stderr, "racer %d: %d %s\n", me, slot, slot < 0 ? err.msg : "");
			_exit(1);
		}
		usleep((seed = seed * 1103515245 + 12345) >> 16 & 255);
		__sync_fetch_and_sub(&holders[slot], 1);
		if (idpool_release(&conf, (uint32_t)slot, at(name), &err) < 0)
			_exit(2);
	}
	_exit(checks_failed != 0);
}

static void many_at_once(void)
{
	pid_t pids[RACERS];

	fresh();
	conf.count = SLOTS * IDPOOL_STRIDE;
	fflush(NULL);
	for (int i = 0; i < RACERS; i++)
		if ((pids[i] = fork()) == 0)
			race(i, (unsigned int)i * 7919);
	for (int i = 0; i < RACERS; i++) {
		int st = -1;

		CHECK(waitpid(pids[i], &st, 0) == pids[i] && st == 0);
	}
	counts_are(SLOTS, 0, 0);
}

/* Claims and releases for ever; is killed at any instruction. */
static void victim(int round)
{
	char name[32];

	for (int i = 0;; i++) {
		snprintf(name, sizeof(name), "v%d.%d", round, i % 3);
		int slot = claim(i % 2 ? "pod" : NULL, name);

		if (slot >= 0 && idpool_release(&conf, (uint32_t)slot, at(name), &err) < 0)
			_exit(1);
		if (slot < 0)
			_exit(2);
	}
}

static void killed_anywhere(void)
{
	char command[160];

	fresh();
	conf.count = 8 * IDPOOL_STRIDE;
	CHECK(claim(NULL, "witness") == 0);
	for (int i = 0; i < 200; i++) {
		int st = 0;

		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0)
			victim(i);
		usleep((useconds_t)(200 + i * 7919 % 3000));
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &st, 0) == pid && WIFSIGNALED(st));
		/* Others go on with whatever it left, and nobody gets the witness's. */
		int slot = claim(NULL, "after");
		CHECK(slot > 0 && idpool_release(&conf, (uint32_t)slot, at("after"), &err) == 0);
		if (i % 4 == 3) {
			snprintf(command, sizeof(command), "rm -rf %s/v*", top);
			CHECK(system(command) == 0);
			counts_are(8, 1, 0);
		}
	}
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* No bound: the figures are for who reads the log. */
static void measure(void)
{
	double took[1000], pod[1000];
	char name[32];

	fresh();
	conf.first = 268435456;
	conf.count = 1342177280;
	conf.etc = NULL;
	conf.quarantine = 60;
	for (size_t i = 0; i < LEN(took); i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		user(name);
		double begin = now_ms();
		CHECK(claim(NULL, name) >= 0);
		took[i] = now_ms() - begin;
		begin = now_ms();
		CHECK(claim("pod", "witness") >= 0);
		pod[i] = now_ms() - begin;
	}
	double begin = now_ms();
	counts_are(20400, 1001, 0);
	double counted = now_ms() - begin;
	qsort(took, LEN(took), sizeof(took[0]), by_value);
	qsort(pod, LEN(pod), sizeof(pod[0]), by_value);
	printf("# claim: min %.3f median %.3f p90 %.3f ms; of a pod's: median %.3f; count %.1f\n",
	       took[0], took[500], took[900], pod[500], counted);
}

int main(void)
{
	if (!mkdtemp(top))
		return 1;
	/* As /run is. */
	if (geteuid() == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	     mount("t", top, "tmpfs", 0, "mode=0700") < 0))
		printf("# no tmpfs of its own\n");
	holders = mmap(NULL, SLOTS * sizeof(int), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	texts();
	given_out_and_back();
	dead_users();
	quarantine();
	pods();
	taken();
	bad_pools();
	many_at_once();
	killed_anywhere();
	measure();
	fresh();
	(void)umount2(top, MNT_DETACH); /* it may be none */
	CHECK(rmdir(top) == 0);
	return check_done();
}
