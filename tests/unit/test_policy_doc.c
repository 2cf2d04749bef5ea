/* What platforms write, and the values inside it: numbers, sizes, durations, paths. */
#include <errno.h>
#include <math.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "policy/policy.h"
#include "policy/rank.h"
#include "policy/wishes.h"
#include "specs/policy_doc.h"

static struct policy_wishes wishes;

/* The error of the reader or of the wishes, "" for none. */
static const char *read_doc(struct arena *a, const char *json, struct policy_doc *d)
{
	static struct err e;

	e = (struct err){0};
	if (policy_doc_parse(a, json, strlen(json), d, &e) < 0 ||
	    policy_wishes_document(a, d, &wishes, &e) < 0)
		return e.msg;
	return "";
}

static void test_whole(void)
{
	static const char json[] =
		"{\"securityLevel\":\"high\",\"runtime\":\"python:3.10\",\"profile\":{\"language\":"
		"\"java\"},"
		"\"timeout\":30000,\"readOnlyRoot\":true,\"writablePaths\":[\"/tmp:64Mi\",\"/"
		"d:1M:noexec\",\"/e\"],"
		"\"runAsUser\":1000,\"resources\":{\"cpu\":\"500m\",\"memory\":\"512Mi\","
		"\"ephemeralStorage\":\"5Gi\",\"cpuPinning\":true,\"pids\":64},"
		"\"networkAccess\":{\"egress\":[{\"domain\":\"api.example.org\",\"ports\":[{"
		"\"port\":443}]}],"
		"\"ingress\":false},\"securityContext\":{\"runAsGroup\":0}}";
	own_arena struct arena a = {0};
	struct policy_doc d;

	CHECK_STR(read_doc(&a, json, &d), "");
	CHECK(d.run_as_user && *d.run_as_user == 1000);
	CHECK(d.run_as_group && *d.run_as_group == 0);
	CHECK_STR(wishes.level, "high");
	CHECK_STR(wishes.language, "jvm");
	CHECK(wishes.wall_ms && *wishes.wall_ms == 30000);
	CHECK(wishes.root_readonly && *wishes.root_readonly);
	CHECK_STR(wishes.pin, "cpus");
	CHECK(wishes.memory && *wishes.memory == 512 << 20);
	CHECK(wishes.disk && *wishes.disk == UINT64_C(5) << 30);
	CHECK(wishes.pids && *wishes.pids == 64);
	CHECK(wishes.cpus && fabs(*wishes.cpus - 0.5) < 1e-9);
	CHECK(wishes.n_write == 3);
	CHECK_STR(wishes.write[0].path, "/tmp");
	CHECK(wishes.write[0].size && *wishes.write[0].size == 64 << 20 && !wishes.write[0].noexec);
	CHECK(*wishes.write[1].size == 1 << 20 && wishes.write[1].noexec);
	CHECK(!wishes.write[2].size);
	CHECK(wishes.n_egress == 1 && str_eq(wishes.egress[0], "api.example.org:443"));
	CHECK(wishes.n_ingress == 0 && wishes.no_ingress);

	/* the other places */
	CHECK_STR(read_doc(&a,
			   "{\"filesystem\":{\"readOnlyRoot\":false,\"writablePaths\":[\"/x\"]},"
			   "\"securityContext\":{\"runAsUser\":5},\"cpuPinning\":false,\"timeout\":"
			   "\"1m30s\","
			   "\"resources\":{\"cpu\":0.5,\"memory\":1048576}}",
			   &d),
		  "");
	CHECK(wishes.root_readonly && !*wishes.root_readonly && wishes.n_write == 1 && !wishes.pin);
	CHECK(*wishes.wall_ms == 90000 && *wishes.memory == 1 << 20 && !wishes.level);
	CHECK_STR(read_doc(&a, "{}", &d), "");
	CHECK(!wishes.memory && !wishes.n_write && !wishes.cpus && !wishes.root_readonly);
}

static void test_limits(void)
{
	own_arena struct arena a = {0};
	struct policy_doc d;

	CHECK_STR(read_doc(&a,
			   "{\"maxExecutionTime\":1500,\"maxCPUTime\":\"5s\",\"gracePeriod\":250,"
			   "\"resources\":{\"openFiles\":64,\"swap\":\"0\",\"fileSize\":\"1Mi\","
			   "\"inodes\":900,\"output\":\"64k\",\"io\":[\"root:rbps=10M\"]}}",
			   &d),
		  "");
	CHECK(*wishes.wall_ms == 1500 && *wishes.cpu_ms == 5000 && *wishes.grace_ms == 250);
	CHECK(*wishes.nofile == 64 && *wishes.swap == 0 && *wishes.fsize == 1 << 20);
	CHECK(*wishes.inodes == 900 && *wishes.output == 64 << 10 && wishes.n_io == 1);
	CHECK_STR(wishes.io[0], "root:rbps=10M");
	CHECK_STR(read_doc(&a, "{}", &d), "");
	CHECK(!wishes.wall_ms && !wishes.cpu_ms && !wishes.grace_ms && !wishes.nofile);
	CHECK(!wishes.swap && !wishes.fsize && !wishes.inodes && !wishes.output && !wishes.n_io);
}

static void test_bad_limits(void)
{
	static const struct {
		const char *json, *error;
	} rows[] = {
		{"{\"timeout\":1,\"maxExecutionTime\":1}",
		 "timeout, maxExecutionTime: given twice"										  },
		{"{\"maxExecutionTime\":\"x\"}",           "policy document: maxExecutionTime: \"x\" is no "
						 "duration such as 90s, 1m30s or 1500 (ms)"},
		{"{\"maxCPUTime\":-1}",                    "policy document: maxCPUTime: \"-1\" is no duration such "
					"as 90s, 1m30s or 1500 (ms)"                                },
		{"{\"maxCPUTime\":true}",                  "policy document: maxCPUTime: \"true\" is no duration "
					  "such as 90s, 1m30s or 1500 (ms)"                       },
		{"{\"resources\":{\"inodes\":1.5}}",
		 "policy document: resources: inodes: \"1.5\" is no number"                                                                },
		{"{\"resources\":{\"output\":\"10 m\"}}",
		 "policy document: resources: output: \"10 m\" is no size such as 64Mi, 512M or "
		 "1048576"														 },
		{"{\"resources\":{\"io\":\"x\"}}",         "resources: io: not an array"                                                   },
	};
	own_arena struct arena a = {0};
	struct policy_doc d;

	for (size_t i = 0; i < LEN(rows); i++)
		CHECK_STR(read_doc(&a, rows[i].json, &d), rows[i].error);
}

static void test_errors(void)
{
	static const struct {
		const char *json, *error;
	} rows[] = {
		{"{\"securitylevel\":\"high\"}",						 "securitylevel: unknown"                             },
		{"{\"resources\":{\"gpu\":1}}",						  "resources: gpu: unknown"                            },
		{"{\"cpuPinning\":true,\"resources\":{\"cpuPinning\":true}}",
		 "resources: cpuPinning: given twice"												 },
		{"{\"readOnlyRoot\":true,\"filesystem\":{\"readOnlyRoot\":true}}",
		 "filesystem: readOnlyRoot: given twice"											      },
		{"{\"writablePaths\":[],\"filesystem\":{\"writablePaths\":[]}}",
		 "filesystem: writablePaths: given twice"											     },
		{"{\"writablePaths\":[\"/ok\",\"/proc/1\"]}",
		 "policy document: writablePaths[1]: \"/proc/1\" is /proc or below it"                                                                },
		{"{\"writablePaths\":[\"/ok:1M:exec\"]}",
		 "policy document: writablePaths[0]: /ok: \"exec\" is not noexec"                                                                     },
		{"{\"timeout\":\"never\"}",						      "policy document: timeout: \"never\" is no duration "
					    "such as 90s, 1m30s or 1500 (ms)"                              },
		{"{\"timeout\":{}}",							     "timeout: not a plain value"                         },
		{"{\"timeout\":[]}",							     "timeout: not a plain value"                         },
		{"{\"timeout\":1.5}",							    "policy document: timeout: \"1.5\" is no duration such as "
				      "90s, 1m30s or 1500 (ms)"                                                  },
		{"{\"resources\":{\"cpu\":\"0\"}}",
		 "policy document: resources: cpu: \"0\" CPUs do not fit"									     },
		{"{\"resources\":{\"cpu\":\"0.5m\"}}",
		 "policy document: resources: cpu: \"0.5m\" is no number of CPUs such as 2, 0.5 or "
		 "500m"															       },
		{"{\"resources\":{\"cpu\":99999999999999999999}}",
		 "policy document: resources: cpu: \"99999999999999999999\" is no number of CPUs "
		 "such as 2, 0.5 or "
		 "500m"															       },
		{"{\"resources\":{\"memory\":-1}}",                                              "policy document: resources: memory: \"-1\" is "
						    "no size such as 64Mi, 512M or 1048576"        },
		{"{\"resources\":{\"pids\":-1}}",
		 "policy document: resources: pids: \"-1\" is no number"									      },
		{"{\"runAsUser\":4294967295}",						   "runAsUser: 4294967295 does not fit"                 },
		{"{\"runAsUser\":\"root\"}",						     "runAsUser: not an integer"                          },
		{"{\"networkAccess\":{\"ingress\":[true,false]}}",
		 "networkAccess: ingress[0]: not an object"											   },
		{"{\"networkAccess\":{\"egress\":[{\"domain\":\"a.example\",\"cidr\":\"192.0.2.1\"}"
		 "]}}",							 "networkAccess: egress[0]: domain, cidr: one of them"},
		{"{\"networkAccess\":{\"denyByDefault\":false}}",
		 "policy document: networkAccess: denyByDefault: only true is possible: what may "
		 "be reached is listed"													       },
		{"{\"networkAccess\":{\"allowDNS\":false,\"allowedDomains\":[\"a.example\"]}}",
		 "policy document: networkAccess: allowDNS: false, but \"a.example\" is a name"                                                       },
		{"{\"networkAccess\":{\"allowedPorts\":[443]}}",
		 "policy document: networkAccess: allowedPorts: of no name in allowedDomains"                                                         },
		{"{\"networkAccess\":{\"blockKubeAPI\":false}}",
		 "policy document: networkAccess: blockKubeAPI: only true is possible: list its "
		 "name or address in egress"													  },
		{"{\"networkAccess\":{\"egress\":[{\"domain\":\"a.example:80/udp private\"}]}}",
		 "policy document: networkAccess: egress[0]: name: \"a.example:80/udp private\" "
		 "has a \":\""															},
		{"{\"networkAccess\":{\"egress\":[{\"domain\":\"a.example\",\"ports\":[{"
		 "\"protocol\":\"TCP\"}]}]}}",				  "networkAccess: egress[0]: ports[0]: port: missing"  },
		{"{\"networkAccess\":{\"egress\":[{\"ports\":[1]}]}}",
		 "networkAccess: egress[0]: domain: missing"											  },
		{"{\"networkAccess\":{\"egress\":[\"x\"]}}",
		 "networkAccess: egress[0]: not an object"											    },
	};
	own_arena struct arena a = {0};
	struct policy_doc d;

	for (size_t i = 0; i < LEN(rows); i++)
		CHECK_STR(read_doc(&a, rows[i].json, &d), rows[i].error);
}

static void test_paths(void)
{
	static const struct {
		const char *path;
		bool ok;
	} rows[] = {
		{"/tmp",     true },
                {"/a/b",     true },
                {"/a..b",    true },
                {"/...",     true },
		{"/devices", true },
                {"/process", true },
                {"",         false},
                {"/",        false},
		{"tmp",      false},
                {"/a/",      false},
                {"//a",      false},
                {"/a//b",    false},
		{"/.",       false},
                {"/a/.",     false},
                {"/..",      false},
                {"/a/../b",  false},
		{"/dev",     false},
                {"/dev/x",   false},
                {"/proc",    false},
                {"/sys/fs",  false},
		{"/a:b",     false},
                {"/a,b",     false},
                {"/a\nb",    false},
	};
	struct err e;

	for (size_t i = 0; i < LEN(rows); i++) {
		if ((level_path_check(rows[i].path, &e) == 0) != rows[i].ok)
			fprintf(stderr, "path \"%s\"\n", rows[i].path);
		CHECK((level_path_check(rows[i].path, &e) == 0) == rows[i].ok);
	}
}

int main(void)
{
	test_whole();
	test_limits();
	test_bad_limits();
	test_errors();
	test_paths();
	return check_done();
}
