#include "cgroup/devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

/*
 * What every container may use, whatever the config says: the devices of its /dev
 * (config-linux.md, Default Devices) and making nodes, which gives no access to them.
 */
static const struct bpf_rule defaults[] = {
	{-1,  -1, DEV_MKNOD, true, 'c'},
        {-1,  -1, DEV_MKNOD, true, 'b'},
	{1,   3,  DEV_ALL,   true, 'c'}, /* null */
	{1,   5,  DEV_ALL,   true, 'c'}, /* zero */
	{1,   7,  DEV_ALL,   true, 'c'}, /* full */
	{1,   8,  DEV_ALL,   true, 'c'}, /* random */
	{1,   9,  DEV_ALL,   true, 'c'}, /* urandom */
	{5,   0,  DEV_ALL,   true, 'c'}, /* tty */
	{5,   2,  DEV_ALL,   true, 'c'}, /* ptmx */
	{136, -1, DEV_ALL,   true, 'c'}, /* pts */
};

static int access_of(const char *s, unsigned int *out, struct err *e)
{
	*out = 0;
	for (; s && *s; s++) {
		if (*s == 'r')
			*out |= DEV_READ;
		else if (*s == 'w')
			*out |= DEV_WRITE;
		else if (*s == 'm')
			*out |= DEV_MKNOD;
		else
			return err_msg(e, EINVAL, "access \"%s\" is not made of r, w and m", s);
	}
	if (!*out)
		*out = DEV_ALL;
	return 0;
}

static int number_of(const int64_t *given, const char *name, int64_t *out, struct err *e)
{
	*out = given ? *given : -1;
	if (*out < -1 || *out > UINT32_MAX)
		return err_msg(e, ERANGE, "%s %lld is out of range", name, (long long)*out);
	return 0;
}

static int read_rule(const struct oci_device_cgroup *d, struct bpf_rule *out, struct err *e)
{
	const char *type = d->type && d->type[0] ? d->type : "a";

	*out = (struct bpf_rule){.allow = d->allow, .type = type[0]};
	if (type[1] || !strchr("abcu", type[0]))
		return err_msg(e, EINVAL, "unknown device type \"%s\"", type);
	if (out->type == 'u')
		out->type = 'c';
	int r = access_of(d->access, &out->access, e);
	if (r >= 0)
		r = number_of(d->major, "major", &out->major, e);
	if (r >= 0)
		r = number_of(d->minor, "minor", &out->minor, e);
	return r;
}

static bool is_everything(const struct bpf_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && r->access == DEV_ALL;
}

/* One that comes again at the end: later rules win, so the early one says nothing. */
static bool is_default(const struct bpf_rule *r)
{
	for (size_t i = 0; i < LEN(defaults); i++) {
		const struct bpf_rule *d = &defaults[i];

		if (r->allow && r->type == d->type && r->major == d->major &&
		    r->minor == d->minor && r->access == d->access)
			return true;
	}
	return false;
}

int cg_devices_plan(struct arena *a, const struct oci_resources *r, const struct bpf_rule **out,
		    size_t *n, struct err *e)
{
	size_t given = r ? r->n_devices : 0, from = 0;
	struct bpf_rule *v = arena_array(a, 1 + 2 * given + LEN(defaults), sizeof(*v));
	size_t used = 0;

	v[used++] = (struct bpf_rule){-1, -1, DEV_ALL, false, 'a'};
	for (size_t i = 0; i < given; i++) {
		struct bpf_rule rule;

		if (read_rule(&r->devices[i], &rule, e) < 0)
			return err_wrap(e, "linux.resources.devices[%zu]", i);
		if (is_everything(&rule)) {
			from = used;
			v[used++] = rule;
			continue;
		}
		if (is_default(&rule))
			continue;
		/* To the v1 kernel "a" is everything, whatever follows it: so one of each. */
		bool both = rule.type == 'a';
		if (both)
			rule.type = 'c';
		v[used++] = rule;
		if (both) {
			rule.type = 'b';
			v[used++] = rule;
		}
	}
	/* Everything allowed and no word after that: there is nothing to add. */
	if (!(v[used - 1].allow && from == used - 1)) {
		memcpy(v + used, defaults, sizeof(defaults));
		used += LEN(defaults);
	}
	*out = v + from;
	*n = used - from;
	return 0;
}

void cg_devices_v1(struct settings *s, const struct bpf_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct bpf_rule *r = &rules[i];
		const char *file = r->allow ? "devices.allow" : "devices.deny";
		char major[24] = "*", minor[24] = "*", access[4];
		size_t k = 0;

		if (is_everything(r)) {
			settings_add(s, CG_DEVICES, SET_KEEP, file, "a");
			continue;
		}
		if (r->major >= 0)
			snprintf(major, sizeof(major), "%lld", (long long)r->major);
		if (r->minor >= 0)
			snprintf(minor, sizeof(minor), "%lld", (long long)r->minor);
		if (r->access & DEV_READ)
			access[k++] = 'r';
		if (r->access & DEV_WRITE)
			access[k++] = 'w';
		if (r->access & DEV_MKNOD)
			access[k++] = 'm';
		access[k] = '\0';
		settings_addf(s, CG_DEVICES, SET_KEEP, file, "%c %s:%s %s", r->type, major, minor,
			      access);
	}
}
