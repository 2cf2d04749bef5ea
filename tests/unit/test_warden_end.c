/* The file "ended". */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/own.h"
#include "check.h"
#include "warden/warden.h"

static const struct {
	const char *text, *error; /* NULL: taken */
} rows[] = {
	{"{\"v\":1,\"reason\":\"timeout\",\"wallMs\":150}",                                          NULL                    },
	{"{\"v\":1,\"reason\":\"exited\"}",							  NULL                    },
	{"{\"v\":1,\"reason\":\"warden-lost\",\"tainted\":false}",                                   NULL                    },
	{"{\"v\":1,\"reason\":\"syscall\",\"nr\":1,\"count\":1,\"tainted\":true}",                   NULL                    },
	{"{\"v\":1,\"reason\":\"timeout\",\"count\":2,\"tainted\":true}",                            NULL                    },
	{"{\"v\":1,\"reason\":\"exited\",\"later\":[1]}",                                            NULL                    },
	{"",											 "ended: "               },
	{"{}",										       "ended: v: "            },
	{"{\"v\":2,\"reason\":\"timeout\"}",							 "ended: v: format 2"    },
	{"{\"v\":1}",										"ended: reason: "       },
	{"{\"v\":1,\"reason\":\"boredom\"}",							 "ended: reason: \"bored"},
	{"{\"v\":1,\"reason\":\"syscall\"}",							 "ended: tainted: "      },
	{"{\"v\":1,\"reason\":\"timeout\",\"count\":1}",                                             "ended: tainted: "      },
	{"{\"v\":1,\"reason\":\"exited\",\"tainted\":true}",                                         NULL                    },
	{"{\"v\":1,\"reason\":\"syscall\",\"tainted\":true}",                                        "ended: count: "        },
	{"{\"v\":1,\"reason\":\"violation\",\"class\":\"pids\",\"name\":\"pids\",\"tainted\":true}",
	 NULL														},
	{"{\"v\":1,\"reason\":\"violation\",\"class\":\"pids\"}",                                    "ended: tainted: "      },
	{"{\"v\":1,\"reason\":\"violation\",\"tainted\":true}",                                      "ended: class: "        },
	{"{\"v\":1,\"reason\":\"violation\",\"class\":\"x\",\"tainted\":true}",
	 "ended: class: \"x\""											       },
	{"{\"v\":1,\"reason\":\"violation\",\"class\":\"manual\",\"tainted\":true}",
	 "ended: class: "												    },
	{"{\"v\":1,\"reason\":\"timeout\",\"class\":\"pids\",\"tainted\":true}",                     "ended: class: "        },
	{"{\"v\":1,\"reason\":\"exited\",\"name\":\"x\"}",                                           "ended: class: "        },
	{"{\"v\":1,\"reason\":\"violation\",\"class\":\"egress\",\"name\":\"\\n\",\"tainted\":"
	 "true}",											   "ended: name: "													     },
	{"{\"v\":1,\"reason\":\"audit\",\"message\":\"disk full\"}",											  NULL},
	{"{\"v\":1,\"reason\":\"exited\",\"message\":\"x\"}",											  "ended: message: "														    },
	{"{\"v\":1,\"reason\":\"syscall\",\"count\":-1,\"tainted\":true}",											  "ended: count: -1"},
	{"{\"v\":1,\"reason\":\"exited\",\"syscall\":\"a b\"}",											  "ended: syscall: \"a b\""															       },
	{"{\"v\":1,\"reason\":\"exited\",\"arch\":\"\\n\"}",											  "ended: arch: "},
	{"{\"v\":1,\"reason\":\"timeout\"} x",											  "ended: "																	     },
	{"{\"v\":1,\"reason\":\"timeout\",\"wallMs\":-1}",											  "ended: wallMs: "},
};

static void test_parse(void)
{
	for (size_t i = 0; i < LEN(rows); i++) {
		own_arena struct arena a = {0};
		struct err e = {0};
		struct warden_end end;
		int r = warden_end_parse(&a, rows[i].text, strlen(rows[i].text), &end, &e);

		CHECK((r == 0) == !rows[i].error);
		if (rows[i].error && strncmp(e.msg, rows[i].error, strlen(rows[i].error)) != 0)
			CHECK_STR(e.msg, rows[i].error);
	}
}

static void test_print(void)
{
	own_arena struct arena a = {0};
	struct warden_end end = {.reason = "timeout", .wall_ms = 10000};
	size_t len;

	CHECK_STR(warden_end_print(&a, &end, &len),
		  "{\"v\":1,\"reason\":\"timeout\",\"wallMs\":10000,\"tainted\":false}");
	end = (struct warden_end){.reason = "syscall",
				  .syscall = "kexec_load",
				  .nr = 246,
				  .count = 3,
				  .tainted = true};
	CHECK_STR(
		warden_end_print(&a, &end, &len),
		"{\"v\":1,\"reason\":\"syscall\",\"syscall\":\"kexec_load\",\"nr\":246,\"count\":3,"
		"\"tainted\":true}");
	end.syscall = NULL;
	end.arch = "i386";
	CHECK_STR(warden_end_print(&a, &end, &len),
		  "{\"v\":1,\"reason\":\"syscall\",\"arch\":\"i386\",\"nr\":246,\"count\":3,"
		  "\"tainted\":true}");
}

static void test_file(void)
{
	own_arena struct arena a = {0};
	char path[] = "/tmp/brig-ended-XXXXXX";
	struct warden_end end = {.reason = "x"};
	struct err e = {0};

	CHECK(mkdtemp(path) != NULL);
	own_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(warden_end_read(&a, dir, &end, &e) == 0);
	CHECK(!end.reason);
	CHECK(file_replace(dir, WARDEN_ENDED, rows[0].text, strlen(rows[0].text), 0600, &e) == 0);
	CHECK(warden_end_read(&a, dir, &end, &e) == 0);
	CHECK_STR(end.reason, "timeout");
	CHECK(end.wall_ms == 150);
	char *big = calloc(1, 10000);
	CHECK(file_replace(dir, WARDEN_ENDED, big, 10000, 0600, &e) == 0);
	CHECK(warden_end_read(&a, dir, &end, &e) == -EFBIG);
	free(big);
	CHECK(file_remove_tree(AT_FDCWD, path, &e) == 0);
}

int main(void)
{
	test_parse();
	test_print();
	test_file();
	return check_done();
}
