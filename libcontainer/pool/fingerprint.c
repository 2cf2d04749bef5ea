#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "pool/part.h"

enum { MOST = 1 << 20 };

#define UNREADABLE "unreadable "

void pool_unreadable(struct text *t, const char *what, const char *why)
{
	text_addf(t, UNREADABLE "%s: %s\n", what, why);
}

void pool_add_value(struct text *t, const char *what, const char *value)
{
	do {
		size_t n = strcspn(value, "\n");

		text_addf(t, "%s %.*s\n", what, (int)n, value);
		value += n + (value[n] == '\n');
	} while (*value);
}

/* NULL: a kernel without it has none of it; what cannot be read is told of. */
static char *slurp(struct text *t, int dir, const char *path)
{
	struct err e;
	char *text;

	if (file_read(t->a, dir, path, MOST, &text, NULL, &e) == 0)
		return text;
	if (e.code != ENOENT)
		pool_unreadable(t, path, err_text(e.code));
	return NULL;
}

/* --- what the kernel says of the process -------------------------------------------------- */

/* A kernel tells by which descriptor a layer was given, whose number is nothing of it. */
static void drop_descriptors(char *word)
{
	static const char self[] = "/proc/self/fd/";

	for (char *p = word; (p = strstr(p, self));) {
		p += sizeof(self) - 1;
		size_t digits = strspn(p, "0123456789");
		memmove(p, p + digits, strlen(p + digits) + 1);
	}
}

/* Without the numbers that are given out anew: of mounts, devices and groups of peers. */
static void add_mount(struct text *t, char *line)
{
	char *word, *rest = line;
	int n = 0;

	text_addf(t, "mount");
	while ((word = strsep(&rest, " "))) {
		/* id, parent, device */
		if (n++ < 3)
			continue;
		if (str_starts(word, "shared:") || str_starts(word, "master:") ||
		    str_starts(word, "propagate_from:"))
			word[strcspn(word, ":")] = '\0';
		drop_descriptors(word);
		text_addf(t, " %s", word);
	}
	text_addf(t, "\n");
}

static void add_mounts(struct text *t, const struct pool_subject *s)
{
	char *line, *rest = slurp(t, s->proc, "mountinfo");

	while (rest && (line = strsep(&rest, "\n")))
		if (*line)
			add_mount(t, line);
}

static const char *const kinds[POOL_NAMESPACES] = {"cgroup", "ipc",  "mnt",  "net",
						   "pid",    "time", "user", "uts"};

struct pool_home pool_home(void)
{
	struct pool_home h = {0};
	char path[64];
	struct stat st;

	for (size_t i = 0; i < LEN(kinds); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		h.inodes[i] = stat(path, &st) == 0 ? st.st_ino : 0;
	}
	return h;
}

/* One that stays must be the one that generation 1 had joined. */
static void add_joined(struct text *t, const struct pool_subject *s)
{
	struct stat st;

	if (!s->state->reuse || !s->state->reuse->netns)
		return;
	if (fstatat(s->proc, "ns/net", &st, 0) < 0)
		pool_unreadable(t, "ns/net", err_text(errno));
	else
		text_addf(t, "joined %" PRIu64 "\n", (uint64_t)st.st_ino);
}

static void add_namespaces(struct text *t, const struct pool_subject *s)
{
	char path[64];
	struct stat its;

	for (size_t i = 0; i < LEN(kinds); i++) {
		uint64_t ours = s->home->inodes[i];

		snprintf(path, sizeof(path), "ns/%s", kinds[i]);
		bool known = fstatat(s->proc, path, &its, 0) == 0;
		/* A kernel without that kind. */
		if (!known && errno == ENOENT && !ours)
			continue;
		if (known && ours)
			text_addf(t, "namespace %s %s\n", kinds[i],
				  its.st_ino == ours ? "the host's" : "own");
		else
			pool_unreadable(t, path, err_text(known ? EIO : errno));
	}
}

/* The C library keeps two to itself: what a caller did with those (posix_spawn) stays. */
static void add_signals(struct text *t, const char *line)
{
	const uint64_t its = UINT64_C(3) << 31;
	const char *value = strchr(line, '\t');

	text_addf(t, "status %.*s %" PRIx64 "\n", (int)strcspn(line, ":"), line,
		  (uint64_t)(value ? strtoull(value, NULL, 16) : 0) & ~its);
}

static void add_status(struct text *t, const struct pool_subject *s)
{
	static const char *const wanted[] = {
		"Umask:",
		"Uid:",
		"Gid:",
		"Groups:",
		"Threads:",
		"SigIgn:",
		"SigBlk:",
		"CapInh:",
		"CapPrm:",
		"CapEff:",
		"CapBnd:",
		"CapAmb:",
		"NoNewPrivs:",
		"Seccomp:",
		"Seccomp_filters:",
		"Speculation_Store_Bypass:",
		"SpeculationIndirectBranch:",
		"Cpus_allowed_list:",
		"Mems_allowed_list:",
		"TracerPid:",
		"NSpid:",
	};
	char *line, *rest = slurp(t, s->proc, "status");

	while (rest && (line = strsep(&rest, "\n")))
		for (size_t i = 0; i < LEN(wanted); i++)
			if (str_starts(line, wanted[i]) && str_starts(line, "Sig"))
				add_signals(t, line);
			else if (str_starts(line, wanted[i]) && !str_eq(wanted[i], "NSpid:"))
				text_addf(t, "status %s\n", line);
			else if (str_starts(line,
					    wanted[i])) /* how deep, and that it is the first */
				text_addf(t, "status NSpid last %s\n", strrchr(line, '\t') + 1);
}

static void add_files(struct text *t, const struct pool_subject *s)
{
	char cwd[PATH_MAX];
	struct stat st;
	ssize_t n = readlinkat(s->proc, "cwd", cwd, sizeof(cwd));

	if (n < 0 || n == sizeof(cwd))
		pool_unreadable(t, "cwd", err_text(n < 0 ? errno : ENAMETOOLONG));
	else
		text_addf(t, "cwd %.*s\n", (int)n, cwd);
	/* Of one that cannot be dumped it is root's (fs/proc/base.c, task_dump_owner); a plain
	 * user could look at nothing of that. */
	if (fstatat(s->proc, "status", &st, 0) < 0)
		pool_unreadable(t, "status", err_text(errno));
	else if (!s->plain_user)
		text_addf(t, "dumpable %s\n", st.st_uid == 0 ? "no" : "yes");

	static const char *const whole[] = {
		"uid_map",       "gid_map",         "projid_map",  "setgroups",      "limits",
		"oom_score_adj", "coredump_filter", "personality", "timens_offsets",
	};

	for (size_t i = 0; i < LEN(whole); i++) {
		const char *text = slurp(t, s->proc, whole[i]);

		if (text)
			pool_add_value(t, whole[i], text);
	}
}

/* --- files -------------------------------------------------------------------------------- */

static void add_digest(struct text *t, const struct pool_subject *s, const char *name)
{
	char *text, hex[SHA256_HEX] = "none";
	struct err e;
	size_t len;
	int r = file_read(t->a, s->dir, name, 4 * MOST, &text, &len, &e);

	if (r < 0 && r != -ENOENT) {
		pool_unreadable(t, name, err_text(e.code));
		return;
	}
	if (r == 0)
		sha256_hex(text, len, hex);
	text_addf(t, "file %s %s\n", name, hex);
}

/* Whoever adds a name there changes its times. */
static void add_lower(struct text *t, const struct pool_subject *s)
{
	struct stat st;

	if (stat(s->state->rootfs, &st) < 0)
		pool_unreadable(t, s->state->rootfs, err_text(errno));
	else
		text_addf(t, "root %" PRIu64 " %" PRIu64 " %o %u:%u %lld.%09ld %lld.%09ld\n",
			  (uint64_t)st.st_dev, (uint64_t)st.st_ino, st.st_mode, st.st_uid,
			  st.st_gid, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			  (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* --- all of it ---------------------------------------------------------------------------- */

/* Directories list their entries in no order: mounts alone have one, and theirs is told by line. */
static const char *sorted(struct arena *a, char *text)
{
	size_t n = 0, i = 0;
	char *line, *rest = text;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	const char **lines = arena_array(a, n + 1, sizeof(*lines));
	while (i < n && (line = strsep(&rest, "\n")))
		lines[i++] = line;
	str_sort(lines, n);
	struct text t = {.a = a};
	for (i = 0; i < n; i++) {
		text_add(&t, lines[i], strlen(lines[i]));
		text_add(&t, "\n", 1);
	}
	return t.s ? t.s : "";
}

const char *pool_fingerprint_given(struct arena *a, const struct pool_subject *s)
{
	struct text t = {.a = a};

	text_addf(&t, "policy %s\n", s->state->digest ? s->state->digest : "none");
	pool_add_cgroups(&t, s);
	add_digest(&t, s, "config.json");
	add_digest(&t, s, "seccomp.bpf");
	add_lower(&t, s);
	return t.s;
}

const char *pool_fingerprint_outside(struct arena *a, const struct pool_subject *s)
{
	const char *given = s->shell ? s->shell->text : NULL;
	struct text t = {.a = a};

	text_addf(&t, "%s", given ? given : pool_fingerprint_given(a, s));
	add_mounts(&t, s);
	add_namespaces(&t, s);
	add_joined(&t, s);
	add_status(&t, s);
	add_files(&t, s);
	pool_add_writable(&t, s);
	return t.s;
}

const char *pool_fingerprint(struct arena *a, const char *outside, const struct pool_inside *in)
{
	return sorted(a, arena_printf(a, "%s%s", outside, in->text));
}

size_t pool_count_unreadable(struct arena *a, const char *text, const char **first)
{
	size_t n = 0;

	*first = NULL;
	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (!str_starts(p, UNREADABLE))
			continue;
		p += strlen(UNREADABLE);
		if (!n++)
			*first = arena_printf(a, "%.*s", (int)strcspn(p, "\n"), p);
	}
	return n;
}

const char *pool_difference(struct arena *a, const char *before, const char *now)
{
	while (*before || *now) {
		size_t n = strcspn(before, "\n"), m = strcspn(now, "\n");

		if (n != m || strncmp(before, now, n) != 0) {
			int order = strncmp(before, now, n < m ? n : m);
			bool gone = *before && (!*now || order < 0 || (order == 0 && n < m));

			return gone ? arena_printf(a, "gone: %.*s", n < 160 ? (int)n : 160, before)
				    : arena_printf(a, "new: %.*s", m < 160 ? (int)m : 160, now);
		}
		before += n + (before[n] == '\n');
		now += m + (now[m] == '\n');
	}
	return NULL;
}
