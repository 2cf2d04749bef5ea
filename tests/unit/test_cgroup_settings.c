#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cgroup/convert.h"
#include "cgroup/devices.h"
#include "cgroup/settings.h"
#include "cgroup/systemd.h"
#include "check.h"

/* Limits of config.json as file contents, conversions, device rules: no host needed. */

static struct arena arena;

static const char *value_of(const struct settings *s, const char *file)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].file, file) == 0)
			return s->v[i].value;
	return NULL;
}

static void test_convert(void)
{
	int64_t swap;
	bool set;
	struct err e;

	CHECK(cg_shares_to_weight(0) == 0);
	CHECK(cg_shares_to_weight(2) == 1 && cg_shares_to_weight(1) == 1);
	CHECK(cg_shares_to_weight(1024) == 100);
	CHECK(cg_shares_to_weight(262144) == 10000 && cg_shares_to_weight(1 << 30) == 10000);
	CHECK(cg_shares_to_weight(2048) == 174 && cg_shares_to_weight(512) == 59);
	for (uint64_t n = 3; n < 262144; n++)
		if (cg_shares_to_weight(n) < cg_shares_to_weight(n - 1)) {
			CHECK(false);
			break;
		}
	CHECK(cg_blkio_to_io_weight(10) == 1 && cg_blkio_to_io_weight(1000) == 10000);
	CHECK(cg_memsw_to_swap(100, 150, &swap, &set, &e) == 0 && set && swap == 50);
	CHECK(cg_memsw_to_swap(100, 100, &swap, &set, &e) == 0 && set && swap == 0);
	CHECK(cg_memsw_to_swap(100, 0, &swap, &set, &e) == 0 && !set);
	CHECK(cg_memsw_to_swap(100, -1, &swap, &set, &e) == 0 && set && swap == -1);
	CHECK(cg_memsw_to_swap(-1, 0, &swap, &set, &e) == 0 && set && swap == -1);
	CHECK(cg_memsw_to_swap(0, 150, &swap, &set, &e) == -EINVAL);
	CHECK(cg_memsw_to_swap(200, 150, &swap, &set, &e) == -EINVAL);
}

static const struct oci_throttle_device throttle = {8, 0, 1000};
static const struct oci_weight_device weights = {8, 16, &(uint16_t){500}, NULL};
static const struct oci_block_io block_io = {.weight = &(uint16_t){100},
					     .weight_device = &weights,
					     .n_weight_device = 1,
					     .read_bps = &throttle,
					     .n_read_bps = 1,
					     .write_iops = &throttle,
					     .n_write_iops = 1};
static const struct oci_hugepage_limit huge = {"2MB", 4 << 20};
static const struct oci_rdma rdma = {"mlx5_1", &(uint32_t){3}, &(uint32_t){10000}};

static void test_v1(void)
{
	struct oci_if_priority prio = {"eth0", 500};
	struct oci_network net = {&(uint32_t){1048577}, &prio, 1};
	struct oci_pids pids = {0};
	struct oci_resources r = {.block_io = &block_io,
				  .hugepage_limits = &huge,
				  .n_hugepage_limits = 1,
				  .rdma = &rdma,
				  .n_rdma = 1,
				  .network = &net,
				  .pids = &pids};
	struct settings s = {.a = &arena};
	struct err e;

	CHECK(settings_v1(&s, &r, NULL, &e) == 0);
	CHECK_STR(value_of(&s, "blkio.weight"), "100");
	CHECK_STR(value_of(&s, "blkio.bfq.weight"), "100");
	CHECK_STR(value_of(&s, "blkio.bfq.weight_device"), "8:16 500");
	CHECK_STR(value_of(&s, "blkio.throttle.read_bps_device"), "8:0 1000");
	CHECK_STR(value_of(&s, "blkio.throttle.write_iops_device"), "8:0 1000");
	CHECK_STR(value_of(&s, "hugetlb.2MB.limit_in_bytes"), "4194304");
	CHECK_STR(value_of(&s, "hugetlb.2MB.rsvd.limit_in_bytes"), "4194304");
	CHECK_STR(value_of(&s, "rdma.max"), "mlx5_1 hca_handle=3 hca_object=10000");
	CHECK_STR(value_of(&s, "net_cls.classid"), "1048577");
	CHECK_STR(value_of(&s, "net_prio.ifpriomap"), "eth0 500");
	CHECK(!value_of(&s, "pids.max")); /* 0 in a config is no limit */
}

static void test_v2(void)
{
	struct oci_map unified[] = {
		{"io.max",  "259:0 rbps=1 wiops=2\n253:0 rbps=3"},
                {"foo.bar", "1\n2"                              }
        };
	struct oci_resources r = {.block_io = &block_io,
				  .hugepage_limits = &huge,
				  .n_hugepage_limits = 1,
				  .unified = unified,
				  .n_unified = LEN(unified)};
	struct settings s = {.a = &arena};
	struct err e;
	size_t lines = 0;

	CHECK(settings_v2(&s, &r, NULL, &e) == 0);
	CHECK_STR(value_of(&s, "io.bfq.weight"), "100");
	CHECK_STR(value_of(&s, "io.weight"), "default 910");
	CHECK_STR(value_of(&s, "io.max"), "8:0 rbps=1000");
	CHECK_STR(value_of(&s, "hugetlb.2MB.max"), "4194304");
	CHECK_STR(value_of(&s, "foo.bar"), "1\n2");
	for (size_t i = 0; i < s.n; i++)
		lines += strcmp(s.v[i].file, "io.max") == 0;
	CHECK(lines == 4);
	CHECK(settings_ctrls(&s) == (CG_BIT(CG_IO) | CG_BIT(CG_HUGETLB) | CG_BIT(CG_CORE)));
}

static void refuse_v2(struct oci_resources r, const char *words)
{
	struct settings s = {.a = &arena};
	struct err e = {0};

	CHECK(settings_v2(&s, &r, NULL, &e) < 0);
	CHECK(strstr(e.msg, words));
}

static void test_refused(void)
{
	struct oci_map slash = {"../x.y", "1"}, bare = {"max", "1"}, procs = {"cgroup.procs", "1"};
	struct oci_network net = {.class_id = &(uint32_t){1}};
	struct oci_memory oom = {.disable_oom_killer = &(bool){true}};
	struct oci_memory low = {.limit = &(int64_t){-2}};
	struct oci_cpu rt = {.realtime_runtime = &(int64_t){5}};
	struct oci_cpu list = {.cpus = "0-"};
	struct oci_hugepage_limit page = {"../2MB", 1};

	refuse_v2((struct oci_resources){.unified = &slash, .n_unified = 1}, "no slashes");
	refuse_v2((struct oci_resources){.unified = &bare, .n_unified = 1}, "CONTROLLER");
	refuse_v2((struct oci_resources){.unified = &procs, .n_unified = 1}, "can't be set");
	refuse_v2((struct oci_resources){.network = &net}, "network");
	refuse_v2((struct oci_resources){.memory = &oom}, "disableOOMKiller");
	refuse_v2((struct oci_resources){.memory = &low}, "limit");
	refuse_v2((struct oci_resources){.cpu = &rt}, "realtime");
	refuse_v2((struct oci_resources){.cpu = &list}, "cpus");
	refuse_v2((struct oci_resources){.hugepage_limits = &page, .n_hugepage_limits = 1},
		  "page size");
}

/* A small interpreter of the instructions that the device program uses. */
static int run(const struct bpf_insn *v, size_t n, uint32_t kind, uint32_t access, uint32_t major,
	       uint32_t minor)
{
	uint32_t ctx[3] = {access << 16 | kind, major, minor}, r[11] = {0};

	for (size_t i = 0, steps = 0; i < n && steps < 100000; i++, steps++) {
		uint32_t *d = &r[v[i].dst_reg], k = (uint32_t)v[i].imm;

		switch (v[i].code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			*d = ctx[v[i].off / 4];
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			*d = r[v[i].src_reg];
			break;
		case BPF_ALU | BPF_LSH | BPF_K:
			*d <<= k;
			break;
		case BPF_ALU | BPF_OR | BPF_X:
			*d |= r[v[i].src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			*d = k;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			*d >>= k;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			*d &= k;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			i += *d != k ? (size_t)v[i].off : 0;
			break;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			i += *d == k ? (size_t)v[i].off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			return -1;
		}
	}
	return -2;
}

static void test_devices(void)
{
	enum { B = BPF_DEVCG_DEV_BLOCK, C = BPF_DEVCG_DEV_CHAR };
	const int64_t one = 1, eleven = 11, eight = 8, zero = 0;
	struct oci_device_cgroup rules[] = {
		{.allow = true,  .access = "rwm"            }, /* cancelled by the next */
		{							 .allow = false,    .access = "rwm"},
		{					      .allow = true, .type = "c",  .major = &one, .minor = &eleven, .access = "rw"},
		{					    .allow = false, .type = "c",    .major = &one, .minor = &eleven, .access = "w"},
		{							 .allow = true,    .type = "b",                  .major = &eight, .access = "r"},
		{ .allow = false,     .type = "b",                              .major = &eight, .minor = &zero, .access = "r"},
	};
	struct oci_resources r = {.devices = rules, .n_devices = LEN(rules)};
	const struct bpf_rule *plan;
	size_t n, n_insns;
	struct err e;

	CHECK(cg_devices_plan(&arena, &r, &plan, &n, &e) == 0);
	CHECK(!plan[0].allow && plan[0].type == 'a');
	const struct bpf_insn *v = cg_devices_program(&arena, plan, n, &n_insns);
	CHECK(run(v, n_insns, C, DEV_READ, 1, 11) == 1);
	CHECK(run(v, n_insns, C, DEV_WRITE, 1, 11) == 0);
	CHECK(run(v, n_insns, C, DEV_READ | DEV_WRITE, 1, 11) == 0);
	CHECK(run(v, n_insns, C, DEV_READ | DEV_WRITE, 1, 3) == 1);
	CHECK(run(v, n_insns, C, DEV_READ | DEV_WRITE, 136, 77) == 1);
	CHECK(run(v, n_insns, B, DEV_READ, 8, 1) == 1);
	CHECK(run(v, n_insns, B, DEV_READ, 8, 0) == 0);
	CHECK(run(v, n_insns, B, DEV_MKNOD, 254, 0) == 1);
	CHECK(run(v, n_insns, B, DEV_MKNOD | DEV_READ, 254, 0) == 0);
	CHECK(run(v, n_insns, B, DEV_READ, 1, 3) == 0);
	CHECK(run(v, n_insns, C, DEV_MKNOD, 200, 9) == 1);
	CHECK(run(v, n_insns, C, DEV_MKNOD | DEV_WRITE, 1, 11) == 0);
	CHECK(run(v, n_insns, C, DEV_ALL, 5, 2) == 1);
	CHECK(run(v, n_insns, C, DEV_READ, 5, 1) == 0);
	/* and as words for v1 */
	struct settings s = {.a = &arena};
	cg_devices_v1(&s, plan, n);
	CHECK_STR(s.v[0].file, "devices.deny");
	CHECK_STR(s.v[0].value, "a");
	CHECK_STR(s.v[1].value, "c 1:11 rw");
	CHECK_STR(s.v[3].value, "b 8:* r");
	/* "a" with numbers is one rule for each kind, never everything */
	struct oci_device_cgroup some = {
		.allow = true, .type = "a", .major = &one, .minor = &eleven, .access = "r"};
	r = (struct oci_resources){.devices = &some, .n_devices = 1};
	CHECK(cg_devices_plan(&arena, &r, &plan, &n, &e) == 0);
	CHECK(plan[1].type == 'c' && plan[2].type == 'b' && plan[2].minor == 11);
	/* privileged: nothing is added */
	struct oci_device_cgroup all = {.allow = true};
	r.devices = &all;
	CHECK(cg_devices_plan(&arena, &r, &plan, &n, &e) == 0 && n == 1 && plan[0].allow);
	all.access = "rx";
	CHECK(cg_devices_plan(&arena, &r, &plan, &n, &e) == -EINVAL);
}

static void test_systemd(void)
{
	struct cg_scope sc;
	struct err e;
	size_t n;

	CHECK(cg_systemd_names(&arena, NULL, "x", false, &sc, &e) == 0);
	CHECK_STR(sc.unit, "brig-x.scope");
	CHECK_STR(sc.slice, "system.slice");
	CHECK(cg_systemd_names(&arena, "machine.slice:libpod:abc", "x", true, &sc, &e) == 0);
	CHECK_STR(sc.unit, "libpod-abc.scope");
	CHECK_STR(sc.slice, "machine.slice");
	CHECK(cg_systemd_names(&arena, ":p:n", "x", true, &sc, &e) == 0);
	CHECK_STR(sc.slice, "user.slice");
	CHECK(cg_systemd_names(&arena, "/a/b", "x", false, &sc, &e) == -EINVAL);
	CHECK(cg_systemd_names(&arena, "a--b.slice:p:n", "x", false, &sc, &e) == -EINVAL);
	CHECK(cg_systemd_names(&arena, "a.slice:p:n/..", "x", false, &sc, &e) == -EINVAL);
	struct oci_cpu cpu = {.quota = &(int64_t){25500},
			      .period = &(uint64_t){50000},
			      .shares = &(uint64_t){1024}};
	struct oci_memory mem = {.limit = &(int64_t){100}, .swap = &(int64_t){-1}};
	struct oci_map map = {"pids.max", "max"};
	struct oci_resources r = {.cpu = &cpu, .memory = &mem, .unified = &map, .n_unified = 1};
	const char **v = cg_systemd_properties(&arena, &r, true, &n);
	CHECK(n == 6);
	CHECK_STR(v[0], "MemoryMax=100");
	CHECK_STR(v[1], "MemorySwapMax=infinity");
	CHECK_STR(v[2], "CPUWeight=100");
	CHECK_STR(v[4], "CPUQuotaPerSecUSec=510000");
	CHECK_STR(v[5], "TasksMax=infinity");
}

int main(void)
{
	test_convert();
	test_v1();
	test_v2();
	test_refused();
	test_devices();
	test_systemd();
	arena_free(&arena);
	return check_done();
}
