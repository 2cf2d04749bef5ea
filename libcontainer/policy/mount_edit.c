#include "policy/mount_edit.h"

#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

void mount_edit_begin(struct apply *x, const char *field, const struct oci_mount *m,
		      struct mount_edit *out)
{
	*out = (struct mount_edit){
		.m = *m,
		.field = field,
		.dest = path_clean(x->a, m->destination ? m->destination : ""),
		.words = arena_array(x->a, m->n_options + MOUNT_EDIT_MORE, sizeof(*out->words)),
		.n_words = m->n_options,
	};
	if (m->n_options)
		memcpy(out->words, m->options, m->n_options * sizeof(*out->words));
	out->recursive = mount_edit_has(out, "rbind");
	out->bind = out->recursive || mount_edit_has(out, "bind") || str_eq(m->type, "bind");
}

void mount_edit_end(struct apply *x, struct mount_edit *m, const char *reason)
{
	const char *old = apply_join(x->a, m->m.options, m->m.n_options, ",");
	const char *now = apply_join(x->a, m->words, m->n_words, ",");
	bool cut = false;

	if (str_eq(old, now))
		return;
	for (size_t i = 0; i < m->m.n_options; i++)
		cut |= !mount_edit_has(m, m->m.options[i]);
	if (cut)
		apply_cut(x, m->field, old, now, reason);
	else
		apply_set(x, m->field, now, reason);
	m->words[m->n_words] = NULL;
	m->m.options = m->words;
	m->m.n_options = m->n_words;
}

bool mount_edit_has(const struct mount_edit *m, const char *word)
{
	for (size_t i = 0; i < m->n_words; i++)
		if (str_eq(m->words[i], word))
			return true;
	return false;
}

static bool matches(const char *option, const char *word)
{
	return str_eq(option, word) || (str_ends(word, "=") && str_starts(option, word));
}

void mount_edit_drop(struct mount_edit *m, const char *word)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_words; i++)
		if (!matches(m->words[i], word))
			m->words[n++] = m->words[i];
	m->n_words = n;
}

void mount_edit_add(struct mount_edit *m, const char *word)
{
	if (!mount_edit_has(m, word))
		m->words[m->n_words++] = word;
}

const char *mount_edit_value(const struct mount_edit *m, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < m->n_words; i++)
		if (str_starts(m->words[i], key))
			value = m->words[i] + strlen(key);
	return value;
}

void mount_edit_force(struct mount_edit *m, const char *word)
{
	static const struct {
		const char *word, *not, *recursive_not;
	} opposites[] = {
		{"nosuid",  "suid", "rsuid"},
                {"nodev",   "dev",  "rdev" },
		{"noexec",  "exec", "rexec"},
                {"ro",      "rw",   "rrw"  },
		{"rnosuid", "suid", "rsuid"},
                {"rnodev",  "dev",  "rdev" },
	};

	for (size_t i = 0; i < LEN(opposites); i++)
		if (str_eq(opposites[i].word, word)) {
			mount_edit_drop(m, opposites[i].not );
			mount_edit_drop(m, opposites[i].recursive_not);
		}
	mount_edit_add(m, word);
}

void mount_edit_bound(struct apply *x, struct mount_edit *m, const char *key, uint64_t most)
{
	const char *value = mount_edit_value(m, key);
	int64_t n;

	/* 0 is no bound for the kernel, and percents are of the host's memory. */
	bool fits = value && str_bytes(value, &n) && n > 0 && (uint64_t)n <= most;
	const char *word = fits ? arena_printf(x->a, "%s%s", key, value)
				: arena_printf(x->a, "%s%llu", key, (unsigned long long)most);
	size_t given = 0;

	for (size_t i = 0; i < m->n_words; i++)
		given += str_starts(m->words[i], key);
	if (fits && given == 1)
		return;
	mount_edit_drop(m, key);
	mount_edit_add(m, word);
}

void mount_edit_bound_tmpfs(struct apply *x, struct mount_edit *m)
{
	/* What brig itself puts there has to find room. */
	enum { DEV_BYTES = 64 << 10, DEV_INODES = 1024 };
	const struct level_writable *w = &x->l->writable;
	bool dev = str_eq(m->dest, "/dev");

	if (w->size) {
		mount_edit_drop(m, "nr_blocks=");
		mount_edit_bound(x, m, "size=", dev && *w->size < DEV_BYTES ? DEV_BYTES : *w->size);
	}
	if (w->inodes)
		mount_edit_bound(x, m, "nr_inodes=",
				 dev && *w->inodes < DEV_INODES ? DEV_INODES : *w->inodes);
}

void mount_edit_drop_unmapped(struct apply *x, struct mount_edit *m)
{
	static const struct {
		const char *key;
		bool group;
	} owners[] = {
		{"uid=", false},
		{"gid=", true },
	};
	uint32_t id;

	for (size_t i = 0; i < LEN(owners); i++) {
		const char *value = mount_edit_value(m, owners[i].key);

		if (value && (!str_u32(value, &id) || !apply_maps_id(x, id, owners[i].group)))
			mount_edit_drop(m, owners[i].key);
	}
}

void mount_edit_unshare(struct mount_edit *m)
{
	mount_edit_drop(m, "shared");
	mount_edit_drop(m, "rshared");
}
