#include "policy/rank.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/capability.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/violation.h"

#define MOST_MS UINT64_C(1000000000000)

static const char *const ids_words[] = {"config", "range", "needed", NULL};
static const char *const policy_words[] = {"none", "standard", "high", NULL};
static const char *const language_words[] = {"python", "node", "shell", "native", "jvm", NULL};
static const char *const violation_words[] = {"kill", "notify", NULL};
static const char *const proc_words[] = {"config", "masked", "minimal", NULL};
static const char *const sys_words[] = {"config", "readonly", "minimal", NULL};
static const char *const landlock_words[] = {"off", "best-effort", "required", NULL};
static const char *const mdwe_words[] = {"off", "language", "on", NULL};
static const char *const egress_words[] = {"any", "deny", NULL};
static const char *const pin_words[] = {"none", "cpus", "cores", NULL};
static const char *const hooks_words[] = {"any", "allowed", NULL};
static const char *const audit_words[] = {"off", "on", "required", NULL};
static const char *const drop_words[] = {"none", "direct", "all", NULL};

#define FIELD(path, member, kind, wish, about)                                                     \
	{                                                                                          \
		path, kind, offsetof(struct level, member), 0, NULL, wish, about                   \
	}
#define WORDS(path, member, kind, words, about)                                                    \
	{                                                                                          \
		path, kind, offsetof(struct level, member), 0, words, WISH_REFUSED, about          \
	}
#define LIST(path, member, count, kind, wish, about)                                               \
	{                                                                                          \
		path, kind, offsetof(struct level, member), offsetof(struct level, count), NULL,   \
			wish, about                                                                \
	}
#define LIMITS(name, use)                                                                          \
	FIELD(#name ".memory", name.memory, LEVEL_LESS_I64, WISH_CUT, "bytes of memory" use),      \
		FIELD(#name ".swap", name.swap, LEVEL_LESS_I64, WISH_CUT, "bytes of swap" use),    \
		FIELD(#name ".pids", name.pids, LEVEL_LESS_I64, WISH_CUT,                          \
		      "processes and threads" use),                                                \
		FIELD(#name ".nofile", name.nofile, LEVEL_LESS_U64, WISH_CUT,                      \
		      "open files of a process" use),                                              \
		FIELD(#name ".wall", name.wall, LEVEL_LESS_U64, WISH_CUT,                          \
		      "milliseconds until it is ended" use),                                       \
		FIELD(#name ".cpu", name.cpu, LEVEL_LESS_U64, WISH_CUT,                            \
		      "thousandths of one CPU" use),                                               \
		FIELD(#name ".cpu_time", name.cpu_time, LEVEL_LESS_U64, WISH_CUT,                  \
		      "milliseconds of CPU time of all processes" use),                            \
		FIELD(#name ".fsize", name.fsize, LEVEL_LESS_U64, WISH_CUT,                        \
		      "bytes of one file" use),                                                    \
		FIELD(#name ".output", name.output, LEVEL_LESS_U64, WISH_CUT,                      \
		      "bytes of standard output and error" use),                                   \
		FIELD(#name ".grace", name.grace, LEVEL_LESS_U64, WISH_CUT,                        \
		      "milliseconds between SIGTERM and the kill" use)

#define RESPONSE(class_, about)                                                                    \
	FIELD("violations." #class_, violations.class_, LEVEL_RESPONSE, WISH_REFUSED, about)

/* clang-format off: the macros are no tables to it */
const struct level_field level_fields[] = {
	WORDS("ids", ids, LEVEL_WORD, ids_words, "user namespace and its ids"),
	FIELD("root.readonly", root.readonly, LEVEL_TRUE, WISH_CUT, "the root cannot be written"),
	FIELD("root.private", root.private, LEVEL_TRUE, WISH_CUT, "a copy of the root in memory"),
	LIST("writable.paths", writable.paths, writable.n_paths, LEVEL_PATHS, WISH_REFUSED,
	     "tmpfs mounts on the root"),
	FIELD("writable.size", writable.size, LEVEL_LESS_U64, WISH_CUT, "bytes of each"),
	FIELD("writable.inodes", writable.inodes, LEVEL_LESS_U64, WISH_CUT, "inodes of each"),
	FIELD("writable.noexec", writable.noexec, LEVEL_TRUE, WISH_CUT,
	      "nothing is executed there"),
	LIST("capabilities", capabilities, n_capabilities, LEVEL_SUBSET, WISH_REFUSED,
	     "what config.json may grant"),
	FIELD("all_capabilities", all_capabilities, LEVEL_FALSE, WISH_REFUSED, "no such ceiling"),
	FIELD("lock_securebits", lock_securebits, LEVEL_TRUE, WISH_REFUSED,
	      "user id 0 is no root, for good"),
	FIELD("no_new_privileges", no_new_privileges, LEVEL_TRUE, WISH_REFUSED,
	      "setuid programs gain nothing"),
	WORDS("seccomp.policy", seccomp.policy, LEVEL_WORD, policy_words, "system call filter"),
	WORDS("seccomp.language", seccomp.language, LEVEL_NARROW, language_words,
	      "only what programs of that language call"),
	WORDS("seccomp.violation", seccomp.violation, LEVEL_WORD, violation_words,
	      "a call that no program makes: kill the process, notify the warden"),
	WORDS("proc", proc, LEVEL_WORD, proc_words, "/proc"),
	WORDS("sys", sys, LEVEL_WORD, sys_words, "/sys"),
	WORDS("landlock", landlock, LEVEL_WORD, landlock_words, "writes only where mounts allow"),
	WORDS("mdwe", mdwe, LEVEL_WORD, mdwe_words, "memory is written or executed, never both"),
	FIELD("speculation", speculation, LEVEL_TRUE, WISH_REFUSED, "speculation controls"),
	FIELD("core_scheduling", core_scheduling, LEVEL_TRUE, WISH_REFUSED,
	      "no foreign sibling on its cores"),
	FIELD("memfd_noexec", memfd_noexec, LEVEL_TRUE, WISH_REFUSED,
	      "anonymous files are not executed"),
	WORDS("network.egress", network.egress, LEVEL_WORD, egress_words, "connections outward"),
	FIELD("network.ipv6", network.ipv6, LEVEL_FALSE, WISH_REFUSED, "IPv6 in an own network"),
	FIELD("network.join", network.join, LEVEL_FALSE, WISH_REFUSED,
	      "namespaces given by path (pods) are joined"),
	FIELD("network.open", network.open, LEVEL_LESS_U64, WISH_CUT,
	      "connections outward at once"),
	FIELD("network.rate", network.rate, LEVEL_LESS_U64, WISH_CUT,
	      "new connections outward a second"),
	WORDS("cpu.pin", cpu.pin, LEVEL_WORD, pin_words, "bound to the CPUs its quota needs"),
	LIMITS(direct, ", run by hand"),
	LIMITS(engine, ", where config.json has none"),
	WORDS("hooks", hooks, LEVEL_WORD, hooks_words, "hooks of config.json"),
	FIELD("host_namespaces", host_namespaces, LEVEL_FALSE, WISH_REFUSED,
	      "the host's pid, mount and network namespaces"),
	FIELD("devices", devices, LEVEL_FALSE, WISH_REFUSED,
	      "device nodes beside the default ones"),
	FIELD("preserve_fds", preserve_fds, LEVEL_FALSE, WISH_REFUSED, "descriptors of the caller"),
	LIST("sysctls", sysctls, n_sysctls, LEVEL_PATTERNS, WISH_REFUSED,
	     "kernel parameters that config.json may set"),
	WORDS("env.drop", env.drop, LEVEL_WORD, drop_words, "secret-looking variables"),
	LIST("env.patterns", env.patterns, env.n_patterns, LEVEL_SUPERSET, WISH_REFUSED,
	     "names that look secret"),
	RESPONSE(syscall, "what is done about calls that no program makes"),
	RESPONSE(terminal, "... typing into a terminal"),
	RESPONSE(denied, "... other calls that are denied"),
	RESPONSE(pids, "... forks beyond the limit of processes"),
	RESPONSE(egress, "... connections and names that are not granted"),
	RESPONSE(memory, "... processes killed for memory"),
	WORDS("audit", audit, LEVEL_WORD, audit_words, "what happens is written to the audit log"),
};
/* clang-format on */
const size_t n_level_fields = LEN(level_fields);

/* A list of strings of a level; not given: items is NULL. */
struct strings {
	const char *const *items;
	size_t n;
};

static const void *at(const struct level_field *f, const struct level *l)
{
	return (const char *)l + f->at;
}

static const bool *flag(const struct level_field *f, const struct level *l)
{
	return *(const bool *const *)at(f, l);
}

static const char *word(const struct level_field *f, const struct level *l)
{
	return *(const char *const *)at(f, l);
}

static const struct violation_rule *rule(const struct level_field *f, const struct level *l)
{
	return *(const struct violation_rule *const *)at(f, l);
}

static uint64_t after(const struct violation_rule *r)
{
	return r->after ? *r->after : 1;
}

static struct strings list(const struct level_field *f, const struct level *l)
{
	struct strings s;

	s.items = *(const char *const *const *)at(f, l);
	s.n = s.items ? *(const size_t *)((const char *)l + f->count_at) : 0;
	return s;
}

/* False: no bound.  0 is one only for swap and grace: there is none of it. */
static bool number(const struct level_field *f, const struct level *l, uint64_t *out)
{
	const int64_t *i = *(const int64_t *const *)at(f, l);
	const uint64_t *u = *(const uint64_t *const *)at(f, l);
	bool zero = str_ends(f->path, ".swap") || str_ends(f->path, ".grace");

	if (!i)
		return false;
	*out = f->kind == LEVEL_LESS_I64 ? (uint64_t)*i : *u;
	return (f->kind == LEVEL_LESS_U64 || *i >= 0) && (*out || zero);
}

const struct level_field *level_field_find(const char *path)
{
	for (size_t i = 0; i < n_level_fields; i++)
		if (str_eq(level_fields[i].path, path))
			return &level_fields[i];
	return NULL;
}

bool level_field_may_lack(const struct level_field *f)
{
	return f->kind == LEVEL_NARROW || f->kind == LEVEL_RESPONSE || f->kind == LEVEL_LESS_I64 ||
	       f->kind == LEVEL_LESS_U64;
}

bool level_field_given(const struct level_field *f, const struct level *l)
{
	return *(const void *const *)at(f, l);
}

void level_field_copy(const struct level_field *f, struct level *to, const struct level *from)
{
	memcpy((char *)to + f->at, at(f, from), sizeof(void *));
	if (f->count_at)
		memcpy((char *)to + f->count_at, (const char *)from + f->count_at, sizeof(size_t));
}

void level_field_settle(const struct level_field *f, struct level *l)
{
	bool counted = f->kind == LEVEL_LESS_I64 || f->kind == LEVEL_LESS_U64;
	uint64_t n;

	if (counted && !number(f, l, &n))
		memset((char *)l + f->at, 0, sizeof(void *));
}

static const char *joined(struct arena *a, struct strings s)
{
	const char *text = "";

	if (!s.n)
		return "none";
	for (size_t i = 0; i < s.n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "," : "", s.items[i]);
	return text;
}

static const char *rule_text(struct arena *a, const struct violation_rule *r)
{
	if (!r)
		return "none";
	return after(r) == 1 ? r->response
			     : arena_printf(a, "%s from %llu on", r->response,
					    (unsigned long long)after(r));
}

const char *level_field_text(struct arena *a, const struct level_field *f, const struct level *l)
{
	uint64_t n;

	switch (f->kind) {
	case LEVEL_TRUE:
	case LEVEL_FALSE:
		return !flag(f, l) ? "none" : *flag(f, l) ? "true" : "false";
	case LEVEL_WORD:
	case LEVEL_NARROW:
		return word(f, l) ? word(f, l) : "none";
	case LEVEL_LESS_I64:
	case LEVEL_LESS_U64:
		return number(f, l, &n) ? arena_printf(a, "%llu", (unsigned long long)n) : "none";
	case LEVEL_RESPONSE:
		return rule_text(a, rule(f, l));
	case LEVEL_SUBSET:
	case LEVEL_PATTERNS:
	case LEVEL_SUPERSET:
	case LEVEL_PATHS:
		break;
	}
	return joined(a, list(f, l));
}

static size_t rank(const struct level_field *f, const char *w)
{
	size_t i = 0;

	while (w && f->words[i] && !str_eq(f->words[i], w))
		i++;
	return w ? i : 0;
}

static bool has(struct strings s, const char *item, bool patterns)
{
	for (size_t i = 0; i < s.n; i++)
		if (str_eq(s.items[i], item) ||
		    (patterns && fnmatch(s.items[i], item, FNM_NOESCAPE) == 0))
			return true;
	return false;
}

/* The first of x that y lacks; NULL: none. */
static const char *beyond(struct strings x, struct strings y, bool patterns)
{
	for (size_t i = 0; i < x.n; i++)
		if (!has(y, x.items[i], patterns))
			return x.items[i];
	return NULL;
}

static bool same_rule(const struct violation_rule *x, const struct violation_rule *y)
{
	if (!x || !y)
		return !x && !y;
	return str_eq(x->response, y->response) && after(x) == after(y);
}

/* Until its time has come what a level says is a warning. */
static bool weaker_rule(const struct violation_rule *r, const struct violation_rule *bound)
{
	int is = r ? violation_response_find(r->response) : RESPONSE_WARN;
	int want = bound ? violation_response_find(bound->response) : RESPONSE_WARN;

	return is < want || (want > RESPONSE_WARN && after(r) > after(bound));
}

bool level_field_same(const struct level_field *f, const struct level *x, const struct level *y)
{
	uint64_t n = 0, m = 0;
	bool bounded;

	if (f->kind >= LEVEL_SUBSET)
		return !beyond(list(f, x), list(f, y), false) &&
		       !beyond(list(f, y), list(f, x), false);
	if (f->kind == LEVEL_RESPONSE)
		return same_rule(rule(f, x), rule(f, y));
	if (f->kind >= LEVEL_LESS_I64) {
		bounded = number(f, x, &n);
		return bounded == number(f, y, &m) && (!bounded || n == m);
	}
	if (!level_field_given(f, x) || !level_field_given(f, y))
		return level_field_given(f, x) == level_field_given(f, y);
	if (f->kind >= LEVEL_WORD)
		return str_eq(word(f, x), word(f, y));
	return *flag(f, x) == *flag(f, y);
}

static bool weaker_number(const struct level_field *f, const struct level *l,
			  const struct level *bound)
{
	uint64_t n, top;

	if (!number(f, bound, &top))
		return false;
	return !number(f, l, &n) || n > top;
}

static bool weaker_value(const struct level_field *f, const struct level *l,
			 const struct level *bound)
{
	bool strict = f->kind == LEVEL_TRUE;

	if (f->kind == LEVEL_RESPONSE)
		return weaker_rule(rule(f, l), rule(f, bound));
	if (f->kind >= LEVEL_LESS_I64)
		return weaker_number(f, l, bound);
	if (!level_field_given(f, bound))
		return false;
	if (f->kind == LEVEL_NARROW)
		return !str_eq(word(f, l), word(f, bound));
	if (f->kind == LEVEL_WORD)
		return rank(f, word(f, l)) < rank(f, word(f, bound));
	return *flag(f, bound) == strict && (!flag(f, l) || *flag(f, l) != strict);
}

static const char *weaker_list(struct arena *a, const struct level_field *f, const struct level *l,
			       const struct level *bound)
{
	bool patterns = f->kind == LEVEL_PATTERNS;
	const char *more = beyond(list(f, l), list(f, bound), patterns);
	const char *less = beyond(list(f, bound), list(f, l), false);

	if (f->kind == LEVEL_PATHS || !level_field_given(f, bound))
		return NULL;
	if (f->kind == LEVEL_SUPERSET)
		return less ? arena_printf(a, "\"%.80s\" is left out, which is in the list", less)
			    : NULL;
	/* Without a ceiling the list says nothing. */
	if (f->kind == LEVEL_SUBSET && bound->all_capabilities && *bound->all_capabilities)
		return NULL;
	return more ? arena_printf(a, "\"%.80s\" is not in the list", more) : NULL;
}

const char *level_field_weaker(struct arena *a, const struct level_field *f, const struct level *l,
			       const struct level *bound)
{
	if (f->kind >= LEVEL_SUBSET)
		return weaker_list(a, f, l, bound);
	if (!weaker_value(f, l, bound))
		return NULL;
	if (f->kind == LEVEL_NARROW)
		return arena_printf(a, "\"%s\" is not \"%s\"", level_field_text(a, f, l),
				    level_field_text(a, f, bound));
	return arena_printf(a, "\"%s\" is weaker than \"%s\"", level_field_text(a, f, l),
			    level_field_text(a, f, bound));
}

int level_path_check(const char *path, struct err *e)
{
	static const char *const kernel[] = {"/proc", "/sys", "/dev"};

	if (*path != '/' || !path[1])
		return err_msg(e, EINVAL, "\"%.80s\" is not an absolute path below /", path);
	for (const char *p = path; *p;) {
		size_t n = strcspn(++p, "/");

		if (n == 0 || (n == 1 && *p == '.') || (n == 2 && strncmp(p, "..", 2) == 0))
			return err_msg(e, EINVAL, "\"%.80s\" has an empty part, \".\" or \"..\"",
				       path);
		p += n;
	}
	for (size_t i = 0; i < LEN(kernel); i++) {
		size_t n = strlen(kernel[i]);

		if (strncmp(path, kernel[i], n) == 0 && (!path[n] || path[n] == '/'))
			return err_msg(e, EINVAL, "\"%.80s\" is %s or below it", path, kernel[i]);
	}
	/* Mount options and lists are joined by these. */
	if (strpbrk(path, ":,\n"))
		return err_msg(e, EINVAL, "\"%.80s\" has a colon, comma or line end", path);
	if (strlen(path) >= 1024)
		return err_msg(e, ENAMETOOLONG, "\"%.40s...\"", path);
	return 0;
}

static int check_item(const struct level_field *f, const char *item, struct err *e)
{
	cap_value_t cap;

	if (!*item)
		return err_msg(e, EINVAL, "empty");
	if (f->kind == LEVEL_PATHS)
		return level_path_check(item, e);
	if (f->kind == LEVEL_SUBSET && (!str_starts(item, "CAP_") || cap_from_name(item, &cap) < 0))
		return err_msg(e, EINVAL, "\"%.40s\" is no capability", item);
	return 0;
}

/* Times are added and multiplied: 31 years are room enough for both. */
static int check_number(const struct level_field *f, const struct level *l, struct err *e)
{
	static const char *const times[] = {".wall", ".cpu_time", ".grace"};
	uint64_t n, most = INT64_MAX;

	if (f->kind == LEVEL_LESS_I64 && level_field_given(f, l) &&
	    **(const int64_t *const *)at(f, l) < -1)
		return err_msg(e, ERANGE, "%s: %lld is below 0", f->path,
			       (long long)**(const int64_t *const *)at(f, l));
	if (f->kind < LEVEL_LESS_I64 || !number(f, l, &n))
		return 0;
	for (size_t i = 0; i < LEN(times); i++)
		if (str_ends(f->path, times[i]))
			most = MOST_MS;
	if (n > most)
		return err_msg(e, ERANGE, "%s: %llu does not fit: %llu is the most", f->path,
			       (unsigned long long)n, (unsigned long long)most);
	return 0;
}

static int check_rule(const struct level_field *f, const struct level *l, struct err *e)
{
	int c = violation_class_find(strchr(f->path, '.') + 1);

	if (!rule(f, l) || violation_rule_check((enum violation_class)c, rule(f, l), e) == 0)
		return 0;
	return err_wrap(e, "%s", f->path);
}

int level_field_check(const struct level_field *f, const struct level *l, struct err *e)
{
	own_arena struct arena a = {0};

	if (f->words && word(f, l) && !f->words[rank(f, word(f, l))]) {
		struct strings all = {f->words, 0};

		while (f->words[all.n])
			all.n++;
		return err_msg(e, EINVAL, "%s: \"%.40s\" is none of %s", f->path, word(f, l),
			       joined(&a, all));
	}
	if (f->kind == LEVEL_RESPONSE)
		return check_rule(f, l, e);
	if (f->kind < LEVEL_SUBSET)
		return check_number(f, l, e);
	struct strings s = list(f, l);
	for (size_t i = 0; i < s.n; i++)
		if (check_item(f, s.items[i], e) < 0)
			return err_wrap(e, "%s[%zu]", f->path, i);
	return 0;
}
