/* Rates of block devices: what is read, refused, and which of several holds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "io_device.h"
#include "policy/wishes.h"
#include "policy_fixture.h"

static struct arena arena;

static void test_words(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"8:0",			   "8: \"0\" is none of rbps=, wbps=, riops=, wiops="            },
		{"",			      "\"\" is not DEVICE:rbps=10M,wiops=100"                       },
		{":rbps=1",                       "\":rbps=1\" is not DEVICE:rbps=10M,wiops=100"                },
		{"root",			  "\"root\" is not DEVICE:rbps=10M,wiops=100"                   },
		{"root:",                         "root: \"\" is none of rbps=, wbps=, riops=, wiops="          },
		{"root:rbps",                     "root: \"rbps\" is none of rbps=, wbps=, riops=, wiops="      },
		{"root:rbp=1",                    "root: \"rbp=1\" is none of rbps=, wbps=, riops=, wiops="     },
		{"root:rbpss=1",                  "root: \"rbpss=1\" is none of rbps=, wbps=, riops=, wiops="   },
		{"root:rbps=1,",                  "root: \"\" is none of rbps=, wbps=, riops=, wiops="          },
		{"root:rbps=1,rbps=1",            "root: rbps: given twice"                                     },
		{"root:rbps=0",                   "root: rbps: 0 is too little: 1 is the least"                 },
		{"root:wiops=00",                 "root: wiops: 0 is too little: 1 is the least"                },
		{"root:wiops=-1",                 "root: wiops: \"-1\" is no number"                            },
		{"root:wiops=1k",                 "root: wiops: \"1k\" is no number"                            },
		{"root:riops=4294967296",
		 "root: riops: 4294967296 does not fit: 4294967295 is the most"                                 },
		{"root:rbps=9223372036854775808",
		 "root: rbps: \"9223372036854775808\" is no size such as 64Mi, 512M or 1048576"                 },
		{"Root:rbps=1",                   "\"Root\" is no device: MAJOR:MINOR, root or a path with a /" },
		{"8:0:1:rbps=1",                  "\"8:0:1\" is no device: MAJOR:MINOR, root or a path with a /"},
		{"8:1048576:rbps=1",
		 "\"8:1048576\" is no device: MAJOR:MINOR, root or a path with a /"                             },
		{"-8:0:rbps=1",                   "\"-8:0\" is no device: MAJOR:MINOR, root or a path with a /" },
		{"4095:1048575:rbps=1",           ""							    },
		{"/a:b:rbps=1",                   ""							    },
		{"root:riops=4294967295",         ""							    },
	};
	struct policy_io io;
	struct err e;

	for (size_t i = 0; i < LEN(rows); i++) {
		e.msg[0] = '\0';
		CHECK((wish_io(&arena, rows[i].text, &io, &e) < 0) == (*rows[i].error != '\0'));
		CHECK_STR(e.msg, rows[i].error);
	}
	CHECK(wish_io(&arena, "/a:b:wiops=7,rbps=1Ki,wbps=2kB,riops=9", &io, &e) == 0);
	CHECK_STR(io.device, "/a:b");
	CHECK(io.rates[POLICY_IO_RBPS] == 1024 && io.rates[POLICY_IO_WBPS] == 2048);
	CHECK(io.rates[POLICY_IO_RIOPS] == 9 && io.rates[POLICY_IO_WIOPS] == 7 && io.major == -1);
}

/* Annotation upon document upon config.json: the smallest of each device and rate. */
static void test_smallest(void)
{
	static const struct oci_throttle_device given[] = {
		{8, 0,  900},
		{8, 16, 900},
		{8, 32, 0  },
	};
	const struct oci_block_io b = {.read_bps = given, .n_read_bps = 3};
	const struct oci_resources r = {.block_io = &b};
	const struct oci_linux l = {.resources = &r};
	const char *const doc[] = {"8:0:rbps=500,wbps=7", "8:32:rbps=3"};
	const char *const note[] = {"8:0:rbps=600", "8:16:rbps=901"};
	const struct policy_wishes first = {.io = doc, .n_io = 2}, second = {.io = note, .n_io = 2};
	struct policy_facts f = fixture_facts();
	struct oci_config c = {.linux_ = &l};
	struct policy p;
	struct err e = {0};

	CHECK(fixture_policy(&arena, "standard", false, &p, &e) == 0);
	CHECK(wishes_merge(&arena, &p, &first, BY_DOCUMENT, NULL, &e) == 0);
	CHECK(wishes_merge(&arena, &p, &second, BY_ANNOTATION, NULL, &e) == 0);
	CHECK(p.n_io == 4);
	for (size_t i = 0; i < p.n_io; i++)
		CHECK(policy_io_is_number(p.io[i].device, &p.io[i].major, &p.io[i].minor));
	CHECK(policy_apply(&arena, &p, &f, &c, &e) < 0 || c.linux_->resources);
	const struct oci_block_io *now = c.linux_->resources->block_io;
	CHECK(now && now->n_read_bps == 3 && now->n_write_bps == 1 && !now->n_read_iops);
	CHECK(now->read_bps[0].rate == 500 && now->read_bps[1].rate == 900);
	CHECK(now->read_bps[2].rate == 3 && now->write_bps[0].rate == 7);
	CHECK(given[0].rate == 900);
	const struct policy_decision *d =
		fixture_decision(&p, "linux.resources.blockIO.throttleReadBpsDevice");
	CHECK(d && d->outcome == OUTCOME_CUT);
	CHECK_STR(d->asked, "8:0 900");
	CHECK_STR(d->value, "8:0 500");
}

static void test_not_looked_up(void)
{
	const char *const io[] = {"root:rbps=500"};
	const struct policy_wishes w = {.io = io, .n_io = 1};
	struct policy_facts f = fixture_facts();
	struct oci_config c = {.hostname = "x"};
	struct policy p;
	struct err e = {0};

	CHECK(fixture_policy(&arena, "custom", true, &p, &e) == 0);
	CHECK(wishes_merge(&arena, &p, &w, BY_FLAG, NULL, &e) == 0);
	CHECK(policy_apply(&arena, &p, &f, &c, &e) == -EPERM);
	CHECK(strstr(e.msg, "nobody looked which device it is"));
	/* a tenant names no path */
	const char *const path[] = {"/etc:rbps=500"};
	const struct policy_wishes theirs = {.io = path, .n_io = 1};
	CHECK(wishes_merge(&arena, &p, &theirs, BY_DOCUMENT, NULL, &e) == -EPERM);
	CHECK_STR(e.msg, "level \"custom\": policy document: resources.io: \"/etc\" is a path of "
			 "the host: MAJOR:MINOR or root");
}

/* On this machine's own devices. */
static void test_devices(void)
{
	int64_t major_, minor_;
	char path[64];
	struct stat st;
	struct err e;

	CHECK(io_device_find(&arena, "/proc", &major_, &minor_, &e) == -ENODEV);
	CHECK_STR(e.msg, "/proc is on proc, which has no block device of its own");
	CHECK(io_device_find(&arena, "/nonexistent/x", &major_, &minor_, &e) == -ENOENT);
	CHECK(io_device_find(&arena, "4095:7", &major_, &minor_, &e) == -ENODEV);
	CHECK_STR(e.msg, "4095:7 is no block device of this host");
	CHECK(stat("/", &st) == 0);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(st.st_dev),
		 minor(st.st_dev));
	int r = io_device_find(&arena, "/", &major_, &minor_, &e);
	if (!major(st.st_dev)) { /* an overlay, tmpfs or btrfs: a device below it, or a clear word
				  */
		CHECK(r == 0 || strstr(e.msg, "no block device"));
		return;
	}
	CHECK(r == 0);
	if (access(path, F_OK) < 0)
		CHECK(major_ == major(st.st_dev) && minor_ == minor(st.st_dev));
	else
		CHECK(major_ != major(st.st_dev) || minor_ != minor(st.st_dev));
}

int main(void)
{
	test_words();
	test_smallest();
	test_not_looked_up();
	test_devices();
	arena_free(&arena);
	return check_done();
}
