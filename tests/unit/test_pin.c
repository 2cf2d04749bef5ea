/* CPU reservations: the file, shared and exclusive claims, waiting. */
#include <signal.h>
#include <sys/wait.h>

#include "cpu/choose.h"
#include "pin_fixture.h"

static void test_parse(void)
{
	static const char *const bad[] = {
		"",
		"\n",
		"/a",
		"/a\n",
		"/a\n0",
		"a\n0\n",
		"/a\n\n",
		"/a\n1-x\n",
		"/a\n3-1\n",
		"/a\n0\n0\n",
		"/a\n9999\n",
		"/a\n0-8192\n",
		"/a\n-1\n",
		"/a\n0\n\n",
		"/a\n0\nexclusive",
		"/a\n0\nexclusive\n\n",
		"/a\n0\nexclusive\nx\n",
		"/a\n0\nexclusiv\n",
		"/a\n0\nshared\n",
		"/a\nexclusive\n",
		"/a\n\nexclusive\n",
	};
	char text[64];
	struct book_entry entry;

	for (size_t i = 0; i < LEN(bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		CHECK(!book_parse(text, strlen(text), &entry));
	}
	memcpy(text, "/a\0b\n0\n", 8);
	CHECK(!book_parse(text, 7, &entry));
	strcpy(text, "/run/brig/x\n1,4-6\n");
	CHECK(book_parse(text, strlen(text), &entry));
	CHECK_STR(entry.user, "/run/brig/x");
	CHECK(cpu_count(&entry.cpus) == 4 && cpu_has(&entry.cpus, 5) && !cpu_has(&entry.cpus, 3));
	CHECK(!entry.exclusive);
	own_arena struct arena a = {0};
	CHECK_STR(book_print(&a, &entry), "/run/brig/x\n1,4-6\n");
	strcpy(text, "/x\n7\nexclusive\n");
	CHECK(book_parse(text, strlen(text), &entry) && entry.exclusive);
	CHECK_STR(book_print(&a, &entry), "/x\n7\nexclusive\n");
}

/* Two threads a core: 0 with 4, 1 with 5 ... */
static void four_cores(const char *root, unsigned int cpu, struct cpu_set *out)
{
	CHECK_STR(root, "here");
	memset(out, 0, sizeof(*out));
	cpu_add(out, cpu % 4);
	cpu_add(out, cpu % 4 + 4);
}

static const char *chosen(const char *allowed, const uint16_t *uses, unsigned int count, bool smt)
{
	static char text[64];
	own_arena struct arena a = {0};
	uint16_t all[CPU_BITS] = {0};
	struct cpu_set from, out;

	memcpy(all, uses, 8 * sizeof(*uses));
	CHECK(str_cpulist(allowed, from.bits, CPU_BITS));
	choose_shared(
		&(const struct choose_shared){&from, all, count, smt ? four_cores : NULL, "here"},
		&out);
	snprintf(text, sizeof(text), "%s", cpu_list(&a, &out));
	return text;
}

static void test_choice(void)
{
	static const uint16_t idle[8] = {0}, some[8] = {2, 0, 1, 0, 0, 1, 0, 3};

	CHECK_STR(chosen("0-7", idle, 0, true), "0");
	CHECK_STR(chosen("0-7", idle, 2, true), "0-1");
	CHECK_STR(chosen("0-7", idle, 6, true), "0-5");
	CHECK_STR(chosen("0,4-6", idle, 2, true), "0,5"); /* not 4, the other half of 0 */
	CHECK_STR(chosen("0,4-6", idle, 2, false), "0,4");
	CHECK_STR(chosen("0-7", some, 1, false), "1");
	CHECK_STR(chosen("0-7", some, 1, true), "1"); /* 5 is used once, 6 has 2 beside it ... */
	CHECK_STR(chosen("0-7", some, 4, false), "1,3-4,6");
	CHECK_STR(chosen("2,7", some, 9, true), "2,7");
	CHECK_STR(chosen("8190-8191", idle, 1, true), "8190");
}

static void test_claims(void)
{
	clear();
	tree_regular(1, 4, 1);
	CHECK_STR(claim(0, "0-3", 2), "0-1");
	CHECK_STR(claim(1, "0-3", 2), "2-3");
	CHECK_STR(claim(2, "0-3", 1), "0");
	CHECK_STR(claim(3, "0-3", 3), "1-3");
	CHECK_STR(claim(3, "1-3", 1), "1"); /* its own first claim does not count */
	CHECK(files() == 4);
	CHECK(release(2) == 0 && release(2) == 0 && files() == 3);
	CHECK_STR(claim(4, "0-3", 1), "0");
	/* whose state directory is gone has left */
	CHECK(rmdir(user(0)) == 0 && rmdir(user(1)) == 0);
	CHECK_STR(claim(5, "0-3", 2), "2-3");
	CHECK(files() == 3);
	CHECK(claim(6, "x", 1)[0] == '!' && claim(6, "", 1)[0] == '!');
	CHECK_STR(claim(6, "2,5,7", 1), "!cpuset \"2,5,7\": CPU 5 is not there: online are 0-3");
	CHECK_STR(claim(6, "4095", 1), "!cpuset \"4095\": CPU 4095 is not there: online are 0-3");
	given.sysfs = NULL;
	CHECK(claim(6, NULL, 1)[0] != '!'); /* the caller's own */
	given.sysfs = tree_root();
	struct err e;
	CHECK(pin_release("/nonexistent/cpus", user(0), &e) == 0);
}

static void test_bad_files(void)
{
	clear();
	tree_regular(1, 4, 1);
	CHECK_STR(claim(0, "0-1", 1), "0");
	put_file("rubbish", "not a reservation");
	put_file("empty", "");
	put_file("left.tmp", "/");
	CHECK_STR(claim(1, "0-1", 1), "1");
	CHECK(files() == 4); /* what could be somebody's stays, the half-written one does not */
	CHECK(chmod(book, 0777) == 0);
	CHECK(strstr(claim(2, "0-1", 1), "may be written by others") != NULL);
	CHECK(chmod(book, 0700) == 0);
	CHECK(pin_claim(&(struct arena){0},
			&(const struct pin_request){.directory = book, .user = "relative"},
			&(struct pin_choice){0}, &(struct err){0}) == -EINVAL);
}

/* --- exclusive ------------------------------------------------------------------------------- */

static const uint32_t *max_of(uint32_t n)
{
	static uint32_t max;

	max = n;
	return &max;
}

static void test_exclusive(void)
{
	clear();
	tree_regular(1, 4, 2); /* 0,4 1,5 2,6 3,7 */
	CHECK_STR(cores(0, "0-7", 1), "3,7");
	/* nobody shares them, and nobody's shared ones are given out */
	CHECK_STR(claim(1, "0-7", 8), "0-2,4-6");
	CHECK_STR(claim(1, "0-7", 1), "0");
	CHECK_STR(claim(2, "3,7", 1), "~no free CPU: all of 3,7 are given out exclusively");
	CHECK_STR(cores(3, "0-7", 3), "1-2,5-6");
	CHECK_STR(cores(4, "0-7", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 8 are free");
	CHECK_STR(claim(4, "0-7", 2), "0,4");
	/* one's own does not stand in one's way, and what is refused leaves it */
	CHECK_STR(cores(3, "0-7", 1), "2,6");
	CHECK_STR(cores(3, "0-7", 9), "!no exclusive core: 9 CPUs in whole cores are needed, only "
				      "8 are allowed");
	CHECK_STR(cores(5, "0-7", 2), "1,5");
	CHECK(files() == 5);
	CHECK(release(5) == 0 && release(3) == 0);
	CHECK_STR(cores(5, "0-7", 4), "1-2,5-6");
	/* half a core that is allowed is none */
	CHECK(strstr(cores(6, "0-3", 1), "!no exclusive core: CPU 0 is half of one") != NULL);
	CHECK(release(5) == 0 && release(0) == 0 && release(1) == 0 && release(4) == 0);
	CHECK(files() == 0);
	/* one whose other thread came online later is not given to others */
	tree_put("cpu/online", "0-6");
	tree_cpu(3, "3", 0, 3);
	CHECK_STR(cores(0, "3", 1), "3");
	tree_regular(1, 4, 2);
	CHECK_STR(claim(1, "3,7", 1), "~no free CPU: all of 3,7 are given out exclusively");
	CHECK_STR(cores(1, "3,7", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 2 are free");
}

static void test_max(void)
{
	struct pin_counts counts;
	struct err e;

	clear();
	tree_regular(2, 2, 2);                      /* 0,4 1,5 | 2,6 3,7 */
	CHECK_STR(cores(0, "0-7", 6), "0-1,3-5,7"); /* all but one core */
	CHECK_STR(
		cores(1, "0-7", 1),
		"~no exclusive core: past cpu.exclusive_max, which is 6 CPUs (all of the host but "
		"one core): 6 are given out, 2 more are needed");
	CHECK_STR(
		cores(2, "0-7", 8),
		"!no exclusive core: past cpu.exclusive_max, which is 6 CPUs (all of the host but "
		"one core): 6 are given out, 8 more are needed");
	CHECK_STR(cores(2, "0-7", 6),
		  "~no free core: 6 CPUs in whole cores are needed, 2 of 8 are free");
	given.exclusive_max = max_of(8);
	CHECK_STR(cores(1, "0-7", 1), "2,6");
	CHECK(release(0) == 0 && release(1) == 0);
	given.exclusive_max = max_of(3);
	CHECK_STR(cores(0, "0-7", 1), "1,5");
	CHECK_STR(cores(1, "0-7", 1),
		  "~no exclusive core: past cpu.exclusive_max, which is 3 CPUs: 2 are given out, 2 "
		  "more are needed");
	CHECK_STR(cores(1, "0-7", 3),
		  "!no exclusive core: past cpu.exclusive_max, which is 3 CPUs: 2 are given out, 4 "
		  "more are needed");
	given.exclusive_max = max_of(0);
	CHECK(cores(0, "0-7", 1)[0] == '!');
	/* a machine of one core keeps it */
	clear();
	tree_regular(1, 1, 2);
	CHECK(strstr(cores(0, "0-1", 1), "!no exclusive core: past cpu.exclusive_max, which is 0"));
	tree_regular(1, 2, 1);
	CHECK_STR(cores(0, "0-1", 1), "1");
	CHECK_STR(claim(1, "0-1", 1), "0");
	CHECK(pin_count(book, &counts, &e) == 0 && counts.sandboxes == 2 &&
	      counts.exclusive_sandboxes == 1 && counts.exclusive_cpus == 1);
	CHECK(pin_count("/nonexistent/x", &counts, &e) == 0 && counts.sandboxes == 0);
}

/* --- what only the joiner knows ----------------------------------------------------------------
 */

static unsigned int asked;

/* Sandbox 1 is dead. */
static bool one_is_dead(void *ctx, const char *who)
{
	(void)ctx;
	asked++;
	return str_ends(who, "/state-1");
}

static void test_dead(void)
{
	clear();
	tree_regular(1, 4, 1);
	given.host.is_dead = one_is_dead;
	asked = 0;
	CHECK_STR(cores(0, "0-3", 1), "3");
	CHECK_STR(cores(1, "0-3", 2), "1-2");
	CHECK_STR(claim(2, "0-3", 1), "0");
	CHECK(asked == 0 && files() == 3); /* nothing was refused so far */
	CHECK_STR(claim(3, "1-2", 1), "1");
	CHECK(asked > 0 && files() == 3);
	asked = 0;
	CHECK_STR(cores(4, "0-3", 2),
		  "~no free core: 2 CPUs in whole cores are needed, 1 of 4 are free");
	CHECK(asked == 3);
	CHECK(release(1) == 0); /* its delete, later: gone already */
	/* past the maximum is refused too */
	given.exclusive_max = max_of(2);
	CHECK_STR(cores(1, "0-3", 1), "2");
	CHECK(release(3) == 0);
	CHECK_STR(cores(4, "0-1", 1), "1");
	CHECK(files() == 3);
}

static struct {
	const char *cpus, *mems;
} parent;

static void tell_parent(void *ctx, struct arena *a, const char **cpus, const char **mems)
{
	(void)ctx;
	(void)a;
	*cpus = parent.cpus;
	*mems = parent.mems;
}

static void test_parent(void)
{
	clear();
	tree_regular(2, 2, 1);
	given.host.above = tell_parent;
	parent.cpus = "2-3";
	CHECK_STR(claim(0, "0-3", 4), "2-3");
	CHECK_STR(claim(1, "0-1", 1), "!cpuset \"0-1\": the cgroup above it only has CPUs 2-3");
	CHECK_STR(cores(1, "0-3", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 2 are free");
	CHECK(release(0) == 0);
	CHECK_STR(cores(1, "0-3", 1), "3");
	/* a partition: its CPUs are not above any more, and come back */
	parent.cpus = "2";
	CHECK_STR(cores(2, "0-3", 2),
		  "~no free core: 2 CPUs in whole cores are needed, 1 of 2 are free");
	CHECK_STR(claim(3, "0-3", 2), "2");
	CHECK_STR(claim(4, "3", 1), "~no free CPU: all of 3 are given out exclusively");
}

static void test_mems(void)
{
	own_arena struct arena a = {0};
	struct pin_choice choice;
	struct pin_request req;
	struct err e;

	clear();
	tree_regular(2, 2, 1);
	given.host.above = tell_parent;
	parent.cpus = NULL;
	CHECK_STR(claim(0, "3", 1), "3");
	req = given;
	req.directory = book;
	req.user = user(5);
	req.kind = PIN_EXCLUSIVE;
	req.allowed = "0-3";
	CHECK(mkdir(user(5), 0700) == 0);
	CHECK(pin_claim(&a, &req, &choice, &e) == 0);
	CHECK_STR(choice.cpus, "2"); /* 3 is shared: the place with fewer free ones */
	CHECK_STR(choice.mems, "1");
	CHECK_STR(choice.why, "no quota: exclusive, 1 whole core of 1 thread, socket 1, node 1");
	req.kind = PIN_SHARED;
	req.count = 3;
	CHECK(pin_claim(&a, &req, &choice, &e) == 0);
	CHECK_STR(choice.cpus, "0-2");
	CHECK_STR(choice.mems, "0-1");
	CHECK_STR(choice.why, "quota of 3 CPUs: shared, the least used of 0-3");
	parent.mems = "0";
	CHECK(pin_claim(&a, &req, &choice, &e) == 0);
	CHECK_STR(choice.mems, "0");
	parent.mems = NULL;
}

static void test_no_topology(void)
{
	clear();
	tree_clear();
	tree_put("cpu/online", "0-1");
	CHECK_STR(cores(0, "0-1", 1), "!no exclusive core: CPU 0 may be half of one: this host "
				      "does not tell its siblings");
	CHECK_STR(claim(0, "0-1", 1), "0"); /* shared ones need none */
	CHECK(files() == 1);
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

enum { SOON = 300 };

static void sleep_soon(void)
{
	const struct timespec pause = {.tv_nsec = SOON * 1000000L};

	(void)nanosleep(&pause, NULL);
}

static void test_wait_in_vain(void)
{
	struct timespec start;

	clear();
	tree_regular(1, 3, 1);
	CHECK_STR(cores(0, "0-1", 2), "0-1");
	given.wait_ms = SOON;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	CHECK_STR(cores(1, "0-1", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 2 are free (waited for it)");
	CHECK(ms_since(&start) >= SOON && ms_since(&start) < SOON + 1000);
	/* what cannot be is not waited for */
	given.wait_ms = 60000;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	CHECK(cores(1, "0-1", 3)[0] == '!' && claim(1, "7", 1)[0] == '!');
	given.host.interrupted = at_once;
	CHECK_STR(cores(1, "0-1", 1), "!interrupted while waiting for CPUs");
	CHECK(ms_since(&start) < 1000);
}

static void test_wait(void)
{
	struct timespec start;
	int status;

	clear();
	tree_regular(1, 2, 1);
	CHECK_STR(cores(0, "0-1", 1), "1");
	/* a release ends the wait, and while it lasts others come through */
	pid_t pid = fork();
	if (pid == 0) {
		sleep_soon();
		_exit(claim(2, "0-1", 1)[0] != '0' || release(0) != 0);
	}
	given.wait_ms = 60000;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	CHECK_STR(cores(1, "0-1", 1), "1");
	CHECK(ms_since(&start) >= SOON && ms_since(&start) < SOON + 500);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* and so does the end of the state directory, a little later */
	pid = fork();
	if (pid == 0) {
		sleep_soon();
		_exit(rmdir(user(1)) != 0);
	}
	CHECK_STR(cores(3, "0-1", 1), "1");
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* shared ones wait as well */
	pid = fork();
	if (pid == 0) {
		sleep_soon();
		_exit(release(3) != 0);
	}
	CHECK_STR(claim(4, "1", 1), "1");
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	begin_all();
	test_parse();
	test_choice();
	test_claims();
	test_bad_files();
	test_exclusive();
	test_max();
	test_dead();
	test_parent();
	test_mems();
	test_no_topology();
	test_wait_in_vain();
	test_wait();
	return end_all();
}
