#include "guard/caps.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

enum { MAX_CAPS = 64, NAME_MAX_LEN = 40 };

static uint64_t bit(unsigned int cap)
{
	return UINT64_C(1) << cap;
}

unsigned int caps_last(void)
{
	unsigned int last = CAP_LAST_CAP;

	/* The kernel may be older or newer than the headers; EINVAL marks its end. */
	while (last > 0 && prctl(PR_CAPBSET_READ, last) < 0)
		last--;
	while (last + 1 < MAX_CAPS && prctl(PR_CAPBSET_READ, last + 1) >= 0)
		last++;
	return last;
}

/*
 * libcap takes small letters, numbers and words without prefix too; the specification knows only
 * CAP_X.
 */
static int cap_number(const char *name, unsigned int last)
{
	char small[NAME_MAX_LEN];
	cap_value_t value;
	size_t n = strlen(name);

	if (!str_starts(name, "CAP_") || n >= sizeof(small))
		return -1;
	for (size_t i = 0; i <= n; i++) {
		if (islower((unsigned char)name[i]))
			return -1;
		small[i] = (char)tolower((unsigned char)name[i]);
	}
	if (cap_from_name(small, &value) < 0 || value < 0 || (unsigned int)value > last)
		return -1;
	/* The library stops at the first odd character: "CAP_KILL " would pass. */
	char *back = cap_to_name(value);
	bool same = str_eq(back, small);

	(void)cap_free(back);
	return same ? value : -1;
}

/* CAP_X in capital letters, as the specification and error messages write it. */
static void cap_word(unsigned int cap, char *out, size_t size)
{
	char *name = cap_to_name((cap_value_t)cap);

	snprintf(out, size, "%s", name ? name : "CAP_?");
	(void)cap_free(name);
	for (char *p = out; *p; p++)
		*p = (char)toupper((unsigned char)*p);
}

struct unknown {
	char text[256];
	size_t n;
};

static void note_unknown(struct unknown *u, const char *name)
{
	char item[NAME_MAX_LEN + 2];
	size_t used = strlen(u->text);

	snprintf(item, sizeof(item), "%s%.38s", u->n ? " " : "", name);
	if (!strstr(u->text, name))
		snprintf(u->text + used, sizeof(u->text) - used, "%s", item);
	u->n++;
}

static uint64_t mask_of(const char *const *names, size_t n, unsigned int last, struct unknown *u)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		int cap = cap_number(names[i], last);

		if (cap < 0)
			note_unknown(u, names[i]);
		else
			mask |= bit((unsigned int)cap);
	}
	return mask;
}

int caps_plan_make(const struct oci_capabilities *c, struct caps_plan *out, struct err *e)
{
	struct unknown unknown = {.n = 0};
	unsigned int last = caps_last();

	(void)e; /* nothing is refused today; the level's policy will */
	*out = (struct caps_plan){0};
	if (!c)
		return 0;
	out->bounding = mask_of(c->bounding, c->n_bounding, last, &unknown);
	out->effective = mask_of(c->effective, c->n_effective, last, &unknown);
	out->permitted = mask_of(c->permitted, c->n_permitted, last, &unknown);
	out->inheritable = mask_of(c->inheritable, c->n_inheritable, last, &unknown);
	out->ambient = mask_of(c->ambient, c->n_ambient, last, &unknown);
	if (unknown.n)
		log_warn("ignoring unknown or unavailable capabilities: [%s]", unknown.text);
	/* What is inheritable but not bounded makes capset(2) fail as a whole. */
	out->inheritable &= out->ambient & out->bounding;
	return 0;
}

int caps_plan_add(struct caps_plan *p, const char *name, struct err *e)
{
	int cap = cap_number(name, caps_last());

	if (cap < 0)
		return err_msg(e, EINVAL, "unknown or unavailable capability \"%s\"", name);
	p->bounding |= bit((unsigned int)cap);
	p->permitted |= bit((unsigned int)cap);
	p->effective |= bit((unsigned int)cap);
	return 0;
}

int caps_drop_bounding(const struct caps_plan *p, struct err *e)
{
	for (unsigned int cap = 0; cap < MAX_CAPS; cap++) {
		if (p->bounding & bit(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap) == 0)
			continue;
		int there = prctl(PR_CAPBSET_READ, cap);

		if (there < 0)
			break; /* past the kernel's last one */
		/* Without CAP_SETPCAP only what is still there is a failure. */
		if (there > 0) {
			char word[NAME_MAX_LEN];

			cap_word(cap, word, sizeof(word));
			return err_set(e, EPERM, "drop %s from the bounding set", word);
		}
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "keep capabilities");
	return 0;
}

static int raw_capset(const struct caps_plan *p)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(p->effective >> 32 * i);
		data[i].permitted = (uint32_t)(p->permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(p->inheritable >> 32 * i);
	}
	return (int)syscall(SYS_capset, &head, data);
}

static int raw_permitted(uint64_t *permitted)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static void warn_missing(uint64_t missing)
{
	char word[NAME_MAX_LEN];
	struct unknown list = {.n = 0};

	for (unsigned int cap = 0; cap < MAX_CAPS; cap++) {
		if (!(missing & bit(cap)))
			continue;
		cap_word(cap, word, sizeof(word));
		note_unknown(&list, word);
	}
	log_warn("cannot grant capabilities that the runtime lacks: [%s]", list.text);
}

static void raise_ambient(uint64_t ambient)
{
	for (unsigned int cap = 0; cap < MAX_CAPS; cap++) {
		char word[NAME_MAX_LEN];

		if (!(ambient & bit(cap)) ||
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) == 0)
			continue;
		int code = errno;

		cap_word(cap, word, sizeof(word));
		log_warn("can't raise ambient capability %s: %s", word, err_text(code));
	}
}

int caps_apply(const struct caps_plan *p, struct err *e)
{
	struct caps_plan can = *p;
	uint64_t have = 0;
	int r = raw_permitted(&have);

	if (r < 0)
		return err_set(e, -r, "read capabilities");
	if (p->permitted & ~have)
		warn_missing(p->permitted & ~have);
	/* capset(2) takes effective within permitted within what there is, or nothing at all. */
	can.permitted &= have;
	can.effective &= can.permitted;
	can.inheritable &= have;
	if (raw_capset(&can) < 0)
		return err_set(e, errno, "set capabilities");
	/* EINVAL: kernel without ambient capabilities (before 4.3) has none to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_set(e, errno, "clear ambient capabilities");
	raise_ambient(can.ambient);
	/* EPERM: locked by securebits, with nothing to keep; execve ends it all the same. */
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 && errno != EPERM)
		return err_set(e, errno, "end keeping capabilities");
	return 0;
}

const char *const *caps_names(struct arena *a)
{
	const char **names = arena_array(a, MAX_CAPS + 1, sizeof(*names));
	size_t n = 0;

	for (unsigned int cap = 0; cap < MAX_CAPS; cap++) {
		char word[NAME_MAX_LEN];

		cap_word(cap, word, sizeof(word));
		if (!str_starts(word, "CAP_") || str_eq(word, "CAP_?"))
			break; /* libcap prints a number for what it does not know */
		names[n++] = arena_strdup(a, word);
	}
	str_sort(names, n);
	return names;
}
