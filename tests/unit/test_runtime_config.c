/* config.json: values, shape rules and the documents engines write. */
#include <errno.h>
#include <stdint.h>

#include "base/arena.h"
#include "check.h"
#include "specs/json_print.h"
#include "specs/runtime.h"

static void refused(const char *members, const char *want)
{
	own_arena struct arena a = {0};
	const char *json = arena_printf(&a, "{\"ociVersion\":\"1.0.0\",%s}", members);
	struct oci_config c;
	struct err e = {0};

	CHECK(oci_config_parse(&a, json, strlen(json), &c, &e) < 0);
	CHECK_STR(e.msg, want);
}

static void taken(const char *members)
{
	own_arena struct arena a = {0};
	const char *json = arena_printf(&a, "{\"ociVersion\":\"1.0.0\",%s}", members);
	struct oci_config c;
	struct err e = {0};

	CHECK(oci_config_parse(&a, json, strlen(json), &c, &e) == 0);
	CHECK_STR(e.msg, "");
}

static void test_version(void)
{
	static const struct {
		const char *version;
		bool good;
	} rows[] = {
		{"1.0.0",              true },
                {"1.3.0",              true },
		{"1.0.2-dev",          true },
                {"1.2.0+dev",          true },
		{"1.0.0-rc.1",         true },
                {"1.0.0-rc5+build.01", true },
		{"1.99.123",           true },
                {"1.0.0-x-y-z.-",      true },
		{"invalid",            false},
                {"2.0.0",              false},
		{"0.5.0-dev",          false},
                {"1.0",                false},
		{"1",                  false},
                {"1.0.0.0",            false},
		{"1.0.0-",             false},
                {"1.0.0+",             false},
		{"1.0.0-a..b",         false},
                {"1.01.0",             false},
		{"1.0.00",             false},
                {"1.0.x",              false},
		{"1.-1.0",             false},
                {"1.0.0 ",             false},
		{" 1.0.0",             false},
                {"10.0.0",             false},
		{"v1.0.0",             false},
                {"",                   false},
		{"1.0.0-a+b+c",        false},
	};
	own_arena struct arena a = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *json = arena_printf(&a, "{\"ociVersion\":\"%s\"}", rows[i].version);
		const char *want = arena_printf(&a, "ociVersion: \"%s\" is not a 1.x version",
						rows[i].version);
		struct oci_config c;
		struct err e = {0};
		int r = oci_config_parse(&a, json, strlen(json), &c, &e);

		CHECK((r == 0) == rows[i].good);
		CHECK_STR(e.msg, rows[i].good ? "" : want);
	}
	refused("\"ociVersion\":\"1.0.0\"", "ociVersion: given twice");
}

#define PROCESS(x) "\"process\":{\"cwd\":\"/\"," x "}"
#define LINUX(x)   "\"linux\":{" x "}"

static void test_process(void)
{
	refused("\"process\":{}", "process: cwd: missing");
	refused("\"process\":{\"cwd\":\"\"}", "process: cwd: \"\" is not absolute");
	refused("\"process\":{\"cwd\":\"tmp\"}", "process: cwd: \"tmp\" is not absolute");
	refused(PROCESS("\"args\":[]"), "process: args: empty");
	taken(PROCESS("\"args\":null"));
	taken(PROCESS("\"args\":[\"\"]"));
	taken(PROCESS("\"env\":[\"A=b\",\"no equals sign\",\"\",\"=x\"]"));
	refused(PROCESS("\"user\":{\"uid\":-1}"), "process: user: uid: -1 does not fit");
	refused(PROCESS("\"user\":{\"gid\":4294967295}"),
		"process: user: gid: 4294967295 does not fit");
	refused(PROCESS("\"user\":{\"additionalGids\":[1,4294967295]}"),
		"process: user: additionalGids[1]: 4294967295 does not fit");
	taken(PROCESS("\"user\":{\"umask\":511}"));
	refused(PROCESS("\"user\":{\"umask\":512}"), "process: user: umask: 512 does not fit");
	taken(PROCESS("\"oomScoreAdj\":-1000"));
	taken(PROCESS("\"oomScoreAdj\":1000"));
	refused(PROCESS("\"oomScoreAdj\":1001"), "process: oomScoreAdj: 1001 does not fit");
	refused(PROCESS("\"consoleSize\":{\"height\":1}"), "process: consoleSize: width: missing");
	refused(PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1},"
			"{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
			"{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1}]"),
		"process: rlimits[2]: RLIMIT_CORE given twice");
	refused(PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_core\",\"soft\":1,\"hard\":1}]"),
		"process: rlimits[0]: type: \"RLIMIT_core\" is not RLIMIT_ and capitals");
	refused(PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_\",\"soft\":1,\"hard\":1}]"),
		"process: rlimits[0]: type: \"RLIMIT_\" is not RLIMIT_ and capitals");
	refused(PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1}]"),
		"process: rlimits[0]: hard: missing");
	taken(PROCESS("\"execCPUAffinity\":{\"initial\":\"0-3, 7\",\"final\":\"\"}"));
	refused(PROCESS("\"execCPUAffinity\":{\"final\":\"all\"}"),
		"process: execCPUAffinity: final: not a list of CPUs");
}

static void test_root_mounts_hooks(void)
{
	refused("\"root\":{}", "root: path: missing");
	refused("\"root\":{\"path\":\"\"}", "root: path: empty");
	refused("\"mounts\":[{\"type\":\"proc\"}]", "mounts[0]: destination: missing");
	refused("\"mounts\":[{\"destination\":\"\"}]", "mounts[0]: destination: empty");
	taken("\"mounts\":[{\"destination\":\"relative\",\"options\":[]}]");
	refused("\"mounts\":[{\"destination\":\"/a\"},{\"destination\":\"/b\",\"options\":[1]}]",
		"mounts[1]: options[0]: not a string");
	refused("\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[{\"containerID\":0,"
		"\"hostID\":0,\"size\":1}]}]",
		"mounts[0]: uidMappings and gidMappings: one without the other");
	refused("\"hooks\":{\"prestart\":[{\"path\":\"bin/x\"}]}",
		"hooks: prestart[0]: path: \"bin/x\" is not absolute");
	refused("\"hooks\":{\"poststop\":[{\"path\":\"/x\"},{\"path\":\"/x\",\"timeout\":0}]}",
		"hooks: poststop[1]: timeout: 0 is not greater than 0");
	refused("\"hooks\":{\"poststart\":[{\"path\":\"/x\",\"timeout\":-1}]}",
		"hooks: poststart[0]: timeout: -1 is not greater than 0");
	taken("\"hooks\":{\"createRuntime\":[{\"path\":\"/x\",\"timeout\":1,\"args\":[]}]}");
	refused("\"annotations\":{\"\":\"x\"}", "annotations: empty key");
	taken("\"annotations\":{\"a\":\"\",\"A\":\"\"}");
}

static void test_linux(void)
{
	refused(LINUX("\"namespaces\":[{\"type\":\"net\"}]"),
		"linux: namespaces[0]: type: \"net\" is not a namespace");
	refused(LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\",\"path\":\"/x\"}]"),
		"linux: namespaces[1]: pid given twice");
	refused(LINUX("\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]"),
		"linux: namespaces[0]: path: \"x\" is not absolute");
	taken(LINUX(
		"\"namespaces\":[{\"type\":\"pid\",\"path\":\"\"},{\"type\":\"network\"},"
		"{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"user\"},"
		"{\"type\":\"cgroup\"},{\"type\":\"time\"}]"));
	refused(LINUX("\"devices\":[{\"type\":\"x\",\"path\":\"/dev/a\"}]"),
		"linux: devices[0]: type: \"x\" is not one of c b u p");
	refused(LINUX("\"devices\":[{\"type\":\"\",\"path\":\"/dev/a\"}]"),
		"linux: devices[0]: type: \"\" is not one of c b u p");
	refused(LINUX("\"devices\":[{\"type\":\"c\",\"path\":\"/dev/a\",\"minor\":1}]"),
		"linux: devices[0]: major: missing");
	refused(LINUX("\"devices\":[{\"type\":\"b\",\"path\":\"/dev/a\",\"major\":1}]"),
		"linux: devices[0]: minor: missing");
	taken(LINUX("\"devices\":[{\"type\":\"p\",\"path\":\"/dev/fifo\"}]"));
	refused(LINUX("\"maskedPaths\":[\"/a\",\"b\"]"),
		"linux: maskedPaths[1]: \"b\" is not absolute");
	refused(LINUX("\"readonlyPaths\":[\"\"]"), "linux: readonlyPaths[0]: \"\" is not absolute");
	refused(LINUX("\"seccomp\":{}"), "linux: seccomp: defaultAction: missing");
	refused(LINUX("\"seccomp\":{\"defaultAction\":\"x\",\"syscalls\":[{\"names\":[],"
		      "\"action\":\"x\"}]}"),
		"linux: seccomp: syscalls[0]: names: empty");
	refused(LINUX("\"seccomp\":{\"defaultAction\":\"x\",\"syscalls\":[{\"names\":[\"x\"],"
		      "\"action\":\"x\",\"args\":[{\"index\":0,\"op\":\"x\"}]}]}"),
		"linux: seccomp: syscalls[0]: args[0]: value: missing");
	refused(LINUX("\"seccomp\":{\"defaultAction\":\"x\",\"listenerMetadata\":\"x\"}"),
		"linux: seccomp: listenerMetadata: given without listenerPath");
	refused(LINUX("\"intelRdt\":{\"memBwSchema\":\"L3:0\"}"),
		"linux: intelRdt: memBwSchema: does not begin with MB:");
	refused(LINUX("\"intelRdt\":{\"schemata\":[\"a\",\"b\\nc\"]}"),
		"linux: intelRdt: schemata[1]: more than one line");
	refused(LINUX("\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"0MB\",\"limit\":1}]}"),
		"linux: resources: hugepageLimits[0]: pageSize: \"0MB\" is not a size such as 2MB");
	taken(LINUX("\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"64KB\",\"limit\":0},"
		    "{\"pageSize\":\"1GB\",\"limit\":9223372036854771712}]}"));
	refused(LINUX("\"resources\":{\"pids\":{}}"), "linux: resources: pids: limit: missing");
	refused(LINUX("\"resources\":{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1,"
		      "\"minor\":2,\"rate\":-5}]}}"),
		"linux: resources: blockIO: throttleReadBpsDevice[0]: rate: -5 does not fit");
}

static void test_values(void)
{
	static const char json[] =
		"{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/w\",\"args\":[\"sh\",\"-c\"],"
		"\"apparmorProfile\":\"\",\"user\":{\"uid\":1,\"gid\":2,\"additionalGids\":[5,6],"
		"\"umask\":18},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,"
		"\"hard\":18446744073709551615}]},\"linux\":{\"netDevices\":{\"eth0\":{\"name\":"
		"\"c0\"},"
		"\"eth1\":{}},\"devices\":[{\"type\":\"c\",\"path\":\"/dev/fuse\",\"major\":10,"
		"\"minor\":229,\"fileMode\":8630,\"uid\":0,\"gid\":0}],\"resources\":{\"memory\":"
		"{\"limit\":-1,\"swappiness\":18446744073709551615,\"disableOOMKiller\":false},"
		"\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3}},\"unified\":{\"memory.high\":\"max\"},"
		"\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},\"sysctl\":{\"a.b\":\"1\"},"
		"\"timeOffsets\":{\"boottime\":{\"secs\":-5,\"nanosecs\":7}}}}";
	own_arena struct arena a = {0};
	struct oci_config c;
	struct err e = {0};

	CHECK(oci_config_parse(&a, json, sizeof(json) - 1, &c, &e) == 0);
	CHECK_STR(c.oci_version, "1.3.0");
	CHECK(!c.root && !c.hostname && !c.hooks && !c.mounts && !c.annotations);
	CHECK(c.process->n_args == 2 && !c.process->args[2]);
	CHECK_STR(c.process->args[1], "-c");
	CHECK(!c.process->apparmor_profile && !c.process->terminal && !c.process->capabilities);
	CHECK(c.process->user.uid == 1 && c.process->user.gid == 2 &&
	      *c.process->user.umask == 022);
	CHECK(c.process->user.additional_gids[1] == 6);
	CHECK(c.process->rlimits[0].soft == 1024 && c.process->rlimits[0].hard == UINT64_MAX);
	CHECK(c.linux_->n_net_devices == 2 && !c.linux_->net_devices[1].name);
	CHECK_STR(c.linux_->net_devices[0].host_name, "eth0");
	CHECK_STR(c.linux_->net_devices[0].name, "c0");
	CHECK(*c.linux_->devices[0].major == 10 && *c.linux_->devices[0].minor == 229);
	CHECK(*c.linux_->devices[0].file_mode == 0666);
	const struct oci_resources *r = c.linux_->resources;
	CHECK(*r->memory->limit == -1 && *r->memory->swappiness == UINT64_MAX);
	CHECK(r->memory->disable_oom_killer && !*r->memory->disable_oom_killer && !r->memory->swap);
	CHECK_STR(r->rdma[0].device, "mlx5_1");
	CHECK(*r->rdma[0].hca_handles == 3 && !r->rdma[0].hca_objects);
	CHECK_STR(r->unified[0].key, "memory.high");
	CHECK(!r->devices[0].allow && !r->devices[0].major && !r->devices[0].type);
	CHECK_STR(c.linux_->sysctl[0].value, "1");
	CHECK(c.linux_->time_offsets->boottime->secs == -5 && !c.linux_->time_offsets->monotonic);
}

/* More mappings than the kernel takes (340): counting them is not the reader's work. */
static void test_many_mappings(void)
{
	own_arena struct arena a = {0};
	enum { MANY = 400 };
	struct oci_config c;
	struct json_out o;
	struct err e = {0};
	size_t len;

	json_begin(&o, &a, 1);
	json_object(&o);
	json_key_str(&o, "ociVersion", "1.0.0");
	json_key(&o, "linux");
	json_object(&o);
	json_key(&o, "uidMappings");
	json_array(&o);
	for (uint32_t i = 0; i < MANY; i++) {
		json_object(&o);
		json_key_uint(&o, "containerID", i);
		json_key_uint(&o, "hostID", 4294967295 - i);
		json_key_uint(&o, "size", i + 1);
		json_end_object(&o);
	}
	json_end_array(&o);
	json_end_object(&o);
	json_end_object(&o);
	const char *json = json_done(&o, &len);
	CHECK(oci_config_parse(&a, json, len, &c, &e) == 0);
	CHECK(c.linux_->n_uid_mappings == MANY && c.linux_->n_gid_mappings == 0);
	bool same = true;
	for (uint32_t i = 0; i < MANY; i++) {
		const struct oci_id_mapping *m = &c.linux_->uid_mappings[i];

		same &= m->container_id == i && m->host_id == 4294967295 - i && m->size == i + 1;
	}
	CHECK(same);
}

static void test_size(void)
{
	own_arena struct arena a = {0};
	char *s = arena_new(&a, OCI_MAX_BYTES + 1);
	struct oci_config c;
	struct err e = {0};

	memset(s, 'x', OCI_MAX_BYTES + 1);
	memcpy(s, "{\"ociVersion\":\"1.0.0\",\"hostname\":\"", 34);
	memcpy(s + OCI_MAX_BYTES - 2, "\"}", 2);
	CHECK(oci_config_parse(&a, s, OCI_MAX_BYTES, &c, &e) == 0);
	CHECK(strlen(c.hostname) == OCI_MAX_BYTES - 36);
	CHECK(oci_config_parse(&a, s, OCI_MAX_BYTES + 1, &c, &e) == -E2BIG);
}

static void test_parts(void)
{
	own_arena struct arena a = {0};
	struct oci_process p;
	struct oci_resources r;
	struct err e = {0};
	static const char process[] = "{\"cwd\":\"/\",\"args\":[\"id\"],\"terminal\":true}";
	static const char resources[] =
		"{\"memory\":{\"limit\":1048576},\"cpu\":{\"shares\":0,"
		"\"quota\":-1,\"cpus\":\"\",\"mems\":\"\"},\"blockIO\":null}";

	CHECK(oci_process_parse(&a, process, sizeof(process) - 1, &p, &e) == 0);
	CHECK(p.terminal && p.n_args == 1);
	CHECK(oci_process_parse(&a, "{}", 2, &p, &e) < 0);
	CHECK_STR(e.msg, "cwd: missing");
	CHECK(oci_resources_parse(&a, resources, sizeof(resources) - 1, &r, &e) == 0);
	CHECK(*r.memory->limit == 1048576 && *r.cpu->shares == 0 && *r.cpu->quota == -1);
	CHECK(!r.cpu->cpus && !r.block_io);
	CHECK(oci_resources_parse(&a, "{\"cpu\":{\"idle\":\"1\"}}", 20, &r, &e) < 0);
	CHECK_STR(e.msg, "cpu: idle: not an integer");
}

int main(void)
{
	test_version();
	test_process();
	test_root_mounts_hooks();
	test_linux();
	test_values();
	test_many_mappings();
	test_size();
	test_parts();
	return check_done();
}
