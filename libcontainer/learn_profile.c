/* seccomp.json and the level file: what lets exactly that run pass. */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/confine.h"
#include "base/own.h"
#include "base/str.h"
#include "guard/bpfcheck.h"
#include "guard/level_filter.h"
#include "learn.h"
#include "policy/levels.h"
#include "policy/policy.h"
#include "specs/json_print.h"

#if defined(__x86_64__)
#define ARCH_WORD "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
#define ARCH_WORD "SCMP_ARCH_AARCH64"
#endif

/* --- system calls ------------------------------------------------------------------------- */

static long number_of(const char *name)
{
	for (long i = 0; i < LEARN_NUMBERS; i++)
		if (str_eq(level_filter_syscall_name(i), name))
			return i;
	return -1;
}

/* All names but socket's, which has rules of its own; sorted. */
static const char *const *names_of(struct arena *a, const struct learn_seen *s,
				   struct brig_learned *out, size_t *n)
{
	const char **names = arena_array(a, 2 * LEARN_NUMBERS, sizeof(*names));
	const char **added = arena_array(a, LEARN_NUMBERS, sizeof(*added));

	*n = out->n_closure = 0;
	for (long i = 0; i < LEARN_NUMBERS; i++) {
		const char *name = level_filter_syscall_name(i);

		if (name && s->calls[i] && !str_eq(name, "socket"))
			names[(*n)++] = name;
	}
	for (const char *const *c = learn_closure; *c; c++) {
		long nr = number_of(*c);

		if (nr < 0 || s->calls[nr])
			continue;
		names[(*n)++] = *c;
		added[out->n_closure++] = *c;
	}
	str_sort(names, *n);
	str_sort(added, out->n_closure);
	out->closure = added;
	return names;
}

static bool has_family(const struct learn_seen *s, unsigned int family)
{
	return s->families[family / 64] & UINT64_C(1) << (family % 64);
}

static void print_sockets(struct json_out *o, const struct learn_seen *s)
{
	static const char *const name[] = {"socket"};

	for (unsigned int i = 0; i < 128; i++) {
		if (!has_family(s, i))
			continue;
		json_object(o);
		json_key(o, "names");
		json_strs(o, name, LEN(name));
		json_key_str(o, "action", "SCMP_ACT_ALLOW");
		json_key(o, "args");
		json_array(o);
		json_object(o);
		json_key_int(o, "index", 0);
		json_key_int(o, "value", i);
		json_key_str(o, "op", "SCMP_CMP_EQ");
		json_end_object(o);
		json_end_array(o);
		json_end_object(o);
	}
}

static char *print_profile(struct arena *a, const struct learn_seen *s, const char *const *names,
			   size_t n)
{
	static const char *const arch[] = {ARCH_WORD};
	struct json_out o;

	json_begin(&o, a, 2);
	json_object(&o);
	json_key_str(&o, "defaultAction", "SCMP_ACT_ERRNO");
	/* What is not there: libraries have another way then, more often than where they may not.
	 */
	json_key_int(&o, "defaultErrnoRet", ENOSYS);
	json_key(&o, "architectures");
	json_strs(&o, arch, LEN(arch));
	json_key(&o, "syscalls");
	json_array(&o);
	json_object(&o);
	json_key(&o, "names");
	json_strs(&o, names, n);
	json_key_str(&o, "action", "SCMP_ACT_ALLOW");
	json_end_object(&o);
	print_sockets(&o, s);
	json_end_array(&o);
	json_end_object(&o);
	return json_done(&o, NULL);
}

/* libseccomp may be too old to know a name: then it is left out without a word. */
static void find_missing(struct arena *a, const struct learn_seen *s,
			 const struct seccomp_program *p, struct brig_learned *out)
{
	const char **missing = arena_array(a, LEARN_NUMBERS, sizeof(*missing));
	unsigned int family = 0;

	out->n_missing = 0;
	while (family < 127 && !has_family(s, family))
		family++;
	for (int i = 0; i < LEARN_NUMBERS; i++) {
		const struct seccomp_data d = {.nr = i, .arch = OWN_ARCH, .args = {family}};

		if (s->calls[i] && bpf_run(p->insns, p->n_insns, &d) != SECCOMP_RET_ALLOW)
			missing[out->n_missing++] = level_filter_syscall_name(i)
							    ? level_filter_syscall_name(i)
							    : arena_printf(a, "%d", i);
	}
	out->missing = missing;
}

int learn_profile(struct arena *a, const struct learn_seen *s, struct brig_learned *out,
		  char **text, struct err *e)
{
	struct seccomp_program p = {0};
	struct oci_seccomp profile;
	size_t n;
	const char *const *names = names_of(a, s, out, &n);

	*text = print_profile(a, s, names, n);
	if (oci_seccomp_parse(a, *text, strlen(*text), &profile, e) < 0 ||
	    seccomp_compile(a, &profile, &p, e) < 0)
		return err_wrap(e, LEARN_SECCOMP);
	find_missing(a, s, &p, out);
	return 0;
}

/* --- the level ---------------------------------------------------------------------------- */

static bool is_written(const struct learn_seen *s, const char *dir)
{
	size_t len = strlen(dir);

	for (size_t i = 0; i < s->paths.n; i++) {
		const struct learn_path *p = &s->paths.rows[i];
		const char *both[] = {p->path, p->real};

		for (size_t k = 0; p->use & LEARN_WRITE && k < LEN(both); k++)
			if (both[k] && strncmp(both[k], dir, len) == 0 &&
			    (!both[k][len] || both[k][len] == '/'))
				return true;
	}
	return false;
}

int learn_level(struct arena *a, const struct container_host *h, const struct learn_seen *s,
		const struct brig_learned *l, const char *name, char **text, struct err *e)
{
	const char **paths;
	size_t n = 0;
	struct admin admin;
	struct level of;
	struct json_out o;

	*text = NULL;
	if (str_eq(s->level, "custom"))
		return 0;
	if (policy_admin_load(a, h->system_config, &admin, e) < 0 ||
	    policy_level_load(a, &admin, s->level, &of, e) < 0)
		return -e->code;
	paths = arena_array(a, of.writable.n_paths + 1, sizeof(*paths));
	for (size_t i = 0; i < of.writable.n_paths; i++)
		if (is_written(s, of.writable.paths[i]))
			paths[n++] = of.writable.paths[i];
	json_begin(&o, a, 2);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_str(&o, "name", name);
	json_key_str(&o, "extends", s->level);
	json_key_str(&o, "summary", arena_printf(a, "learned from %.64s", l->command[0]));
	json_key(&o, "writable");
	json_object(&o);
	json_key(&o, "paths");
	json_strs(&o, paths, n);
	json_end_object(&o);
	if (!s->makes_code)
		json_key_str(&o, "mdwe", "on");
	json_end_object(&o);
	*text = json_done(&o, NULL);
	return 0;
}
