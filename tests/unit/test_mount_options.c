/* Option strings of config.md: what each word means to the kernel's mount calls. */
#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "check.h"
#include "fs/fs.h"
#include "fs/option.h"

static struct arena arena;

static struct fs_options parse(const char *const *words, size_t n)
{
	struct fs_options o;
	struct err e = {0};

	CHECK(fs_options_parse(&arena, words, n, &o, &e) == 0);
	return o;
}

#define PARSE(...)                                                                                 \
	parse((const char *const[]){__VA_ARGS__}, LEN(((const char *const[]){__VA_ARGS__})))

static void test_every_word_of_the_spec(void)
{
	static const char *const words[] = {
		"async",          "atime",      "bind",          "defaults",    "dev",
		"diratime",       "dirsync",    "exec",          "iversion",    "lazytime",
		"loud",           "mand",       "noatime",       "nodev",       "nodiratime",
		"noexec",         "noiversion", "nolazytime",    "nomand",      "norelatime",
		"nostrictatime",  "nosuid",     "nosymfollow",   "private",     "ratime",
		"rbind",          "rdev",       "rdiratime",     "relatime",    "remount",
		"rexec",          "rnoatime",   "rnodiratime",   "rnoexec",     "rnorelatime",
		"rnostrictatime", "rnosuid",    "rnosymfollow",  "ro",          "rprivate",
		"rrelatime",      "rro",        "rrw",           "rshared",     "rslave",
		"rstrictatime",   "rsuid",      "rsymfollow",    "runbindable", "rw",
		"shared",         "silent",     "slave",         "strictatime", "suid",
		"symfollow",      "sync",       "tmpcopyup",     "unbindable",  "idmap",
		"ridmap",         "rnodev",     "brig.unmapped",
	};
	const char *const *names = fs_mount_option_names(&arena);
	size_t n = 0;

	for (size_t i = 0; i < LEN(words); i++) {
		bool found = false;

		for (size_t k = 0; names[k]; k++)
			found |= str_eq(names[k], words[i]);
		if (!found)
			fprintf(stderr, "missing: %s\n", words[i]);
		CHECK(found);
		/* understood, so none of it is data of the file system under its own name */
		struct fs_options o = PARSE(words[i]);
		CHECK(o.n_data <= 1);
	}
	for (; names[n]; n++)
		CHECK(n == 0 || strcmp(names[n - 1], names[n]) < 0);
	CHECK(n == LEN(words));
}

static void test_attributes(void)
{
	struct fs_options o = PARSE("ro", "nosuid", "noexec");

	CHECK(o.attrs.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
	CHECK(o.attrs.clear == 0);
	o = PARSE("ro", "rw", "nodev", "dev", "suid");
	CHECK(o.attrs.set == 0);
	CHECK(o.attrs.clear == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID));
	o = PARSE("rw", "ro");
	CHECK(o.attrs.set == MOUNT_ATTR_RDONLY && o.attrs.clear == 0);
	o = PARSE("rro", "rnosuid", "rexec");
	CHECK(o.recursive.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
	CHECK(o.recursive.clear == MOUNT_ATTR_NOEXEC && o.attrs.set == 0 && o.attrs.clear == 0);
	o = PARSE("nosymfollow", "rsymfollow");
	CHECK(o.attrs.set == MOUNT_ATTR_NOSYMFOLLOW && o.recursive.clear == MOUNT_ATTR_NOSYMFOLLOW);
}

/* mount_setattr(2) refuses an access time mode unless the whole field is cleared. */
static void test_access_times(void)
{
	struct fs_options o = PARSE("noatime");

	CHECK(o.attrs.set == MOUNT_ATTR_NOATIME && o.attrs.clear == MOUNT_ATTR__ATIME);
	o = PARSE("noatime", "strictatime");
	CHECK(o.attrs.set == MOUNT_ATTR_STRICTATIME && o.attrs.clear == MOUNT_ATTR__ATIME);
	o = PARSE("noatime", "relatime");
	CHECK(o.attrs.set == 0 && o.attrs.clear == MOUNT_ATTR__ATIME);
	o = PARSE("noatime", "nodiratime");
	CHECK(o.attrs.set == (MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME));
	CHECK(o.attrs.clear == MOUNT_ATTR__ATIME);
	o = PARSE("norelatime", "nostrictatime");
	CHECK(o.attrs.set == 0 && o.attrs.clear == 0);
	o = PARSE("rnoatime");
	CHECK(o.recursive.set == MOUNT_ATTR_NOATIME && o.recursive.clear == MOUNT_ATTR__ATIME);
}

static void test_switches_and_propagation(void)
{
	struct fs_options o = PARSE("rbind", "rslave", "shared", "ridmap");

	CHECK(o.bind && o.recursive_bind && o.idmap && o.recursive_idmap && !o.remount);
	CHECK(o.n_propagation == 2);
	CHECK(o.propagation[0].type == MS_SLAVE && o.propagation[0].recursive);
	CHECK(o.propagation[1].type == MS_SHARED && !o.propagation[1].recursive);
	o = PARSE("bind", "remount", "tmpcopyup", "idmap");
	CHECK(o.bind && !o.recursive_bind && o.remount && o.copy_up && o.idmap &&
	      !o.recursive_idmap);
	uint64_t type;
	bool recursive;
	CHECK(fs_propagation_word("runbindable", &type, &recursive));
	CHECK(type == MS_UNBINDABLE && recursive);
	CHECK(!fs_propagation_word("ro", &type, &recursive));
	CHECK(!fs_propagation_word("", &type, &recursive));
}

static void test_data(void)
{
	struct fs_options o = PARSE("size=64k,mode=755,,noswap", "sync", "acl", "a\\,b=c\\,d,e=");

	CHECK(o.n_data == 7);
	CHECK_STR(o.data[0].key, "size");
	CHECK_STR(o.data[0].value, "64k");
	CHECK_STR(fs_options_data(&o, "mode"), "755");
	CHECK_STR(o.data[2].key, "noswap");
	CHECK(!o.data[2].value);
	CHECK_STR(o.data[3].key, "sync");
	CHECK_STR(o.data[4].key, "acl");
	CHECK_STR(o.data[5].key, "a\\,b");
	CHECK_STR(o.data[5].value, "c\\,d");
	CHECK_STR(fs_options_data(&o, "e"), "");
	CHECK(!fs_options_data(&o, "nothing"));
	o = PARSE("mode=1", "mode=2");
	CHECK_STR(fs_options_data(&o, "mode"), "2");
	o = PARSE("", ",", ",,");
	CHECK(o.n_data == 0);
	/* a known word inside a list of data belongs to the file system */
	o = PARSE("lowerdir=a,ro");
	CHECK(o.n_data == 2 && o.attrs.set == 0);
}

static void test_refused(void)
{
	static const char *const unnamed[] = {"=x"};
	static const char *const many[] = {"slave", "slave", "slave", "slave", "shared"};
	struct fs_options o;
	struct err e = {0};

	CHECK(fs_options_parse(&arena, unnamed, LEN(unnamed), &o, &e) == -EINVAL);
	CHECK(strstr(e.msg, "option \"=x\""));
	CHECK(fs_options_parse(&arena, many, LEN(many), &o, &e) == -EINVAL);
	CHECK(strstr(e.msg, "option \"shared\""));
}

int main(void)
{
	test_every_word_of_the_spec();
	test_attributes();
	test_access_times();
	test_switches_and_propagation();
	test_data();
	test_refused();
	arena_free(&arena);
	return check_done();
}
