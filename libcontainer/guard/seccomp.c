/* The filter's life: compiled, saved, read back; and the words of `features`. */
#include "guard/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "guard/bpfcheck.h"
#include "guard/seccomp_rules.h"

enum { MAX_STRING = 1 << 20, MAX_FILE = BPF_MAXINSNS * 8 + 2 * MAX_STRING + 64 };

int seccomp_compile(struct arena *a, const struct oci_seccomp *s, struct seccomp_program *out,
		    struct err *e)
{
	struct seccomp_program p = {0};
	struct seccomp_policy policy;

	if (seccomp_policy_make(a, s, &policy, e) < 0 ||
	    seccomp_generate(a, &policy, &p.insns, &p.n_insns, e) < 0)
		return -e->code;
	/* What this build would get wrong is better said here than by EINVAL after the clone. */
	if (bpf_validate(p.insns, p.n_insns, e) < 0)
		return -e->code;
	p.flags = policy.flags;
	p.notify = policy.notify;
	if (p.notify) {
		p.flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
		p.listener_path = s->listener_path;
		p.listener_metadata = s->listener_metadata;
		if (strlen(p.listener_path) >= MAX_STRING ||
		    (p.listener_metadata && strlen(p.listener_metadata) >= MAX_STRING))
			return err_set(e, ENAMETOOLONG, "seccomp: listenerPath, listenerMetadata");
	} else {
		/* EINVAL without a listener, which alone it concerns. */
		p.flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	}
	*out = p;
	return 0;
}

bool seccomp_allows(const struct seccomp_program *p, long nr)
{
	return !p->insns ||
	       bpf_always_allows(p->insns, p->n_insns, seccomp_native_arch(), (uint32_t)nr);
}

bool seccomp_allows_call(const struct seccomp_program *p, long nr,
			 const uint64_t args[SECCOMP_ARGS])
{
	struct seccomp_data d = {.nr = (int)nr, .arch = seccomp_native_arch()};

	if (!p->insns)
		return true;
	memcpy(d.args, args, sizeof(d.args));
	uint32_t answer = bpf_run(p->insns, p->n_insns, &d) & SECCOMP_RET_ACTION_FULL;
	return answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG;
}

/* The file: this, the instructions, listenerPath, listenerMetadata; nothing behind. */
struct saved {
	char magic[8];
	uint32_t version, n_insns, flags, notify, path_len, metadata_len;
};
static const char saved_magic[8] = "brigbpf";
enum { SAVED_VERSION = 1 };

static const uint32_t known_flags = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
				    SECCOMP_FILTER_FLAG_NEW_LISTENER |
				    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

int seccomp_save(const struct seccomp_program *p, int dirfd, const char *name, struct err *e)
{
	size_t path = p->listener_path ? strlen(p->listener_path) : 0;
	size_t metadata = p->listener_metadata ? strlen(p->listener_metadata) : 0;
	size_t code = p->n_insns * sizeof(*p->insns);
	struct saved head = {
		.version = SAVED_VERSION,
		.n_insns = (uint32_t)p->n_insns,
		.flags = p->flags,
		.notify = p->notify,
		.path_len = (uint32_t)path,
		.metadata_len = (uint32_t)metadata,
	};
	own_arena struct arena scratch = {0};
	char *buf = arena_new(&scratch, sizeof(head) + code + path + metadata);
	char *to = buf;

	memcpy(head.magic, saved_magic, sizeof(head.magic));
	to = (char *)memcpy(to, &head, sizeof(head)) + sizeof(head);
	if (code)
		to = (char *)memcpy(to, p->insns, code) + code;
	if (path)
		to = (char *)memcpy(to, p->listener_path, path) + path;
	if (metadata)
		to = (char *)memcpy(to, p->listener_metadata, metadata) + metadata;
	return file_replace(dirfd, name, buf, (size_t)(to - buf), 0600, e);
}

static bool head_ok(const struct saved *h, size_t len)
{
	return memcmp(h->magic, saved_magic, sizeof(h->magic)) == 0 &&
	       h->version == SAVED_VERSION && h->n_insns <= BPF_MAXINSNS && h->notify <= 1 &&
	       (h->flags & ~known_flags) == 0 &&
	       !(h->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == !h->notify &&
	       h->path_len < MAX_STRING && h->metadata_len < MAX_STRING &&
	       /* notify without a path: a level's filter, whose listener the warden takes */
	       (h->notify || !h->path_len) && (h->path_len || !h->metadata_len) &&
	       (h->n_insns || !h->flags) &&
	       len == sizeof(*h) + h->n_insns * sizeof(struct sock_filter) + h->path_len +
			       h->metadata_len;
}

int seccomp_restore_bytes(struct arena *a, const void *data, size_t len,
			  struct seccomp_program *out, struct err *e)
{
	const char *from = data;
	struct seccomp_program p = {0};
	struct saved h;

	if (len < sizeof(h))
		return err_msg(e, EINVAL, "not a saved seccomp filter");
	memcpy(&h, from, sizeof(h));
	if (!head_ok(&h, len))
		return err_msg(e, EINVAL, "not a saved seccomp filter");
	from += sizeof(h);
	if (h.n_insns) {
		p.n_insns = h.n_insns;
		p.insns = arena_array(a, p.n_insns, sizeof(*p.insns));
		memcpy(p.insns, from, p.n_insns * sizeof(*p.insns));
		from += p.n_insns * sizeof(*p.insns);
		if (bpf_validate(p.insns, p.n_insns, e) < 0)
			return -e->code;
	}
	p.flags = h.flags;
	p.notify = h.notify;
	if (h.path_len)
		p.listener_path = arena_strndup(a, from, h.path_len);
	if (h.metadata_len)
		p.listener_metadata = arena_strndup(a, from + h.path_len, h.metadata_len);
	if (memchr(from, '\0', h.path_len + h.metadata_len))
		return err_msg(e, EINVAL, "not a saved seccomp filter");
	*out = p;
	return 0;
}

int seccomp_restore(struct arena *a, int dirfd, const char *name, struct seccomp_program *out,
		    struct err *e)
{
	own_arena struct arena scratch = {0};
	char *data;
	size_t len;

	if (file_read(&scratch, dirfd, name, MAX_FILE, &data, &len, e) < 0) {
		if (e->code != ENOENT)
			return -e->code;
		*out = (struct seccomp_program){0};
		return 0;
	}
	if (seccomp_restore_bytes(a, data, len, out, e) < 0)
		return err_wrap(e, "%s", name);
	return 0;
}

/* test_seccomp holds these against the tables that the compiler uses. */
const char *const *seccomp_action_names(void)
{
	static const char *const names[] = {
		"SCMP_ACT_ALLOW",       "SCMP_ACT_ERRNO",
		"SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
		"SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
		"SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
		"SCMP_ACT_TRAP",        NULL,
	};

	return names;
}

const char *const *seccomp_operator_names(void)
{
	static const char *const names[] = {
		"SCMP_CMP_EQ", "SCMP_CMP_GE",        "SCMP_CMP_GT", "SCMP_CMP_LE",
		"SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", NULL,
	};

	return names;
}

const char *const *seccomp_arch_names(void)
{
	static const char *const names[] = {
		"SCMP_ARCH_AARCH64",     "SCMP_ARCH_ARM",    "SCMP_ARCH_LOONGARCH64",
		"SCMP_ARCH_M68K",        "SCMP_ARCH_MIPS",   "SCMP_ARCH_MIPS64",
		"SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
		"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
		"SCMP_ARCH_PPC",         "SCMP_ARCH_PPC64",  "SCMP_ARCH_PPC64LE",
		"SCMP_ARCH_RISCV64",     "SCMP_ARCH_S390",   "SCMP_ARCH_S390X",
		"SCMP_ARCH_SH",          "SCMP_ARCH_SHEB",   "SCMP_ARCH_X32",
		"SCMP_ARCH_X86",         "SCMP_ARCH_X86_64", NULL,
	};

	return names;
}

const char *const *seccomp_flag_names(void)
{
	static const char *const names[] = {
		"SECCOMP_FILTER_FLAG_LOG",
		"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
		"SECCOMP_FILTER_FLAG_TSYNC",
		"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
		NULL,
	};

	return names;
}

/* A program at address 0 is EFAULT where the flags are known, EINVAL where they are not. */
static bool flag_supported(uint32_t flag)
{
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

const char *const *seccomp_supported_flag_names(struct arena *a)
{
	const struct word *words = seccomp_words(SECCOMP_FLAGS);
	const char **names;
	size_t n = 0;

	while (words[n].name)
		n++;
	names = arena_array(a, n + 1, sizeof(*names));
	n = 0;
	for (; words->name; words++)
		if (flag_supported((uint32_t)words->value))
			names[n++] = words->name;
	return names;
}
