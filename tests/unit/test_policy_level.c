/* Level files: what they may say, what they inherit, and which is stricter. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "check.h"
#include "policy/policy.h"
#include "policy/rank.h"

static char dir[] = "/tmp/brig-test-levels-XXXXXX";

static void write_level(const char *name, const char *json)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s.json", dir, name);
	own_file FILE *f = fopen(path, "we");
	CHECK(f && fputs(json, f) >= 0);
}

static void remove_levels(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(system(command) == 0);
}

/* The error of loading NAME from the directory; "" if there is none. */
static const char *load_error(const char *name)
{
	static struct err e;
	own_arena struct arena a = {0};
	struct admin ad = {.levels = dir};
	struct level l;

	e = (struct err){0};
	return policy_level_load(&a, &ad, name, &l, &e) < 0 ? e.msg : "";
}

static void test_embedded(void)
{
	static const char *const all[] = {"custom", "standard", "high"};
	own_arena struct arena a = {0};
	struct admin ad = {.levels = dir};
	struct err e = {0};

	for (size_t i = 0; i < LEN(all); i++) {
		struct level l, again;
		size_t len;

		CHECK(policy_level_load(&a, &ad, all[i], &l, &e) == 0);
		CHECK_STR(l.name, all[i]);
		for (size_t k = 0; k < n_level_fields; k++) {
			const struct level_field *f = &level_fields[k];

			CHECK(level_field_check(f, &l, &e) == 0);
			if (level_field_may_lack(f))
				continue;
			if (!level_field_given(f, &l))
				fprintf(stderr, "%s: %s is not set\n", all[i], f->path);
			CHECK(level_field_given(f, &l));
		}
		const char *text = level_print(&a, &l, &len);
		CHECK(level_parse(&a, text, len, &again, &e) == 0);
		CHECK_STR(level_print(&a, &again, NULL), text);
	}
}

/* The table of the two levels, a line each: what the levels promise is pinned here. */
static void test_values(void)
{
	static const struct {
		const char *field, *standard, *high;
	} rows[] = {
		{"ids",               "range",       "needed"   },
		{"root.readonly",     "true",        "true"     },
		{"writable.size",     "268435456",   "134217728"},
		{"writable.inodes",   "65536",       "32768"    },
		{"capabilities",
		 "CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER,CAP_SETUID,CAP_SETGID,CAP_KILL,"
		 "CAP_NET_BIND_SERVICE",             "none"     },
		{"all_capabilities",  "false",       "false"    },
		{"lock_securebits",   "false",       "true"     },
		{"no_new_privileges", "true",        "true"     },
		{"seccomp.policy",    "standard",    "high"     },
		{"seccomp.violation", "kill",        "notify"   },
		{"proc",              "masked",      "minimal"  },
		{"sys",               "readonly",    "minimal"  },
		{"landlock",          "best-effort", "required" },
		{"network.egress",    "deny",        "deny"     },
		{"cpu.pin",           "none",        "cpus"     },
		{"direct.memory",     "1073741824",  "536870912"},
		{"direct.swap",       "0",           "0"        },
		{"direct.pids",       "512",         "256"      },
		{"direct.nofile",     "65536",       "1024"     },
		{"direct.wall",       "3600000",     "600000"   },
		{"engine.memory",     "none",        "none"     },
		{"engine.wall",       "none",        "none"     },
		{"hooks",             "any",         "allowed"  },
		{"host_namespaces",   "false",       "false"    },
		{"devices",           "false",       "false"    },
		{"preserve_fds",      "true",        "false"    },
		{"env.drop",          "direct",      "all"      },
	};
	own_arena struct arena a = {0};
	struct admin ad = {.levels = dir};
	struct level standard, high;
	struct err e = {0};

	CHECK(policy_level_load(&a, &ad, "standard", &standard, &e) == 0);
	CHECK(policy_level_load(&a, &ad, "high", &high, &e) == 0);
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct level_field *f = level_field_find(rows[i].field);

		CHECK(f);
		if (!f)
			continue;
		CHECK_STR(level_field_text(&a, f, &standard), rows[i].standard);
		CHECK_STR(level_field_text(&a, f, &high), rows[i].high);
	}
	CHECK_STR(level_field_text(&a, level_field_find("writable.paths"), &high),
		  "/tmp,/var/tmp,/run,/workspace");
}

#define FILE_OF(name, rest) "{\"v\":1,\"name\":\"" name "\"" rest "}"

static void test_bad_files(void)
{
	static const struct {
		const char *name, *json, *want;
	} rows[] = {
		{"loose",
		 FILE_OF("loose",										   ",\"extends\":\"standard\",\"network\":{\"egress\":\"any\"}"),
		 "level \"loose\": network.egress: \"any\" is weaker than \"deny\" of level "
		 "\"standard\""																							 },
		{"caps",				     FILE_OF("caps",                                        ",\"extends\":\"high\",\"capabilities\":[\"CAP_KILL\"]"),
		 "level \"caps\": capabilities: \"CAP_KILL\" is not in the list of level \"high\""														      },
		{"allcaps",				  FILE_OF("allcaps",                                     ",\"extends\":\"high\",\"all_capabilities\":true"),
		 "level \"allcaps\": all_capabilities: \"true\" is weaker than \"false\" of level "
		 "\"high\""																							     },
		{"nolimit",				  FILE_OF("nolimit",                                     ",\"extends\":\"high\",\"direct\":{\"wall\":0}"),
		 "level \"nolimit\": direct.wall: \"none\" is weaker than \"600000\" of level "
		 "\"high\""																							     },
		{"swap",				     FILE_OF("swap",                                        ",\"extends\":\"high\",\"direct\":{\"swap\":-1}"),
		 "level \"swap\": direct.swap: \"none\" is weaker than \"0\" of level \"high\""															 },
		{"patterns",
		 FILE_OF("patterns",										",\"extends\":\"high\",\"env\":{\"patterns\":[\"*TOKEN*\"]}"),
		 "level \"patterns\": env.patterns: \"*SECRET*\" is left out, which is in the list "
		 "of "
		 "level \"high\""																						       },
		{"sysctl",				   FILE_OF("sysctl",                                      ",\"extends\":\"standard\",\"sysctls\":[\"net.*\"]"),
		 "level \"sysctl\": sysctls: \"net.*\" is not in the list of level \"standard\""															},
		{"word",				     FILE_OF("word",                                        ",\"extends\":\"high\",\"proc\":\"full\""),
		 "level \"word\": proc: \"full\" is none of config,masked,minimal"																      },
		{"capname",
		 FILE_OF("capname",										 ",\"extends\":\"high\",\"capabilities\":[\"CAP_NONE\"]"),
		 "level \"capname\": capabilities[0]: \"CAP_NONE\" is no capability"																    },
		{"path",
		 FILE_OF("path",										    ",\"extends\":\"high\",\"writable\":{\"paths\":[\"/proc/x\"]}"),
		 "level \"path\": writable.paths[0]: \"/proc/x\" is /proc or below it"																  },
		{"own",
		 FILE_OF("own",										     ",\"extends\":\"high\",\"writable\":{\"own\":[{\"path\":\"/tmp\","
				"\"size\":999999999999}]}"),
		 "level \"own\": writable.own[0]: size: \"999999999999\" is weaker than "
		 "\"134217728\" of "
		 "writable.size"																							},
		{"other",				    FILE_OF("another",                                     ",\"extends\":\"high\""),
		 "DIR/other.json: name: \"another\" is not the file's"																		  },
		{"orphan",				   FILE_OF("orphan",                                      ""),							     "DIR/orphan.json: extends: missing"},
		{"plain",				    FILE_OF("plain",                                       ",\"extends\":\"custom\""),
		 "DIR/plain.json: extends: \"custom\" applies nothing; standard, high or a named "
		 "level are "
		 "extended"																							     },
		{"typo",				     FILE_OF("typo",                                        ",\"extends\":\"high\",\"netvork\":{}"),
		 "DIR/typo.json: netvork: unknown"																				      },
		{"deep",				     FILE_OF("deep",                                        ",\"extends\":\"high\",\"network\":{\"ingres\":1}"),
		 "DIR/deep.json: network: ingres: unknown"																			      },
		{"version",				  "{\"v\":2,\"name\":\"version\",\"extends\":\"high\"}",
		 "DIR/version.json: v: format 2 is not known"														      },
		{"nov", "{\"name\":\"nov\",\"extends\":\"high\"}",                            "DIR/nov.json: v: missing"                                                               },
		{"lost",                  FILE_OF("lost",                  ",\"extends\":\"gone\""),
		 "level \"lost\": extends: unknown level \"gone\" (custom, high, lost, standard)"                                   },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		char want[512];
		const char *rest = rows[i].want;

		if (str_starts(rest, "DIR"))
			snprintf(want, sizeof(want), "%s%s", dir, rest + 3);
		else
			snprintf(want, sizeof(want), "%s", rest);
		write_level(rows[i].name, rows[i].json);
		CHECK_STR(load_error(rows[i].name), want);
		char path[256];
		snprintf(path, sizeof(path), "%s/%s.json", dir, rows[i].name);
		CHECK(unlink(path) == 0);
	}
}

static void test_names(void)
{
	char path[256];

	CHECK_STR(load_error("x"), "unknown level \"x\" (custom, high, standard)");
	CHECK_STR(load_error("../standard"),
		  "unknown level \"../standard\" (custom, high, standard)");
	CHECK_STR(load_error(""), "unknown level \"\" (custom, high, standard)");
	write_level("a", FILE_OF("a", ",\"extends\":\"b\""));
	write_level("b", FILE_OF("b", ",\"extends\":\"c\""));
	write_level("c", FILE_OF("c", ",\"extends\":\"a\""));
	CHECK_STR(load_error("a"), "level \"a\": extends: a -> b -> c -> a goes in a circle");
	write_level("c", FILE_OF("c", ",\"extends\":\"c\""));
	CHECK_STR(load_error("c"), "level \"c\": extends: c -> c goes in a circle");
	write_level("b", FILE_OF("b", ",\"extends\":\"high\""));
	CHECK_STR(load_error("a"), "");
	snprintf(path, sizeof(path), "%s/b.json", dir);
	CHECK(chmod(path, 0666) == 0);
	CHECK(strstr(load_error("a"), "everybody may write to it"));
	CHECK(chmod(path, 0644) == 0);
	for (int i = 0; i < 20; i++) {
		char name[16], json[128];

		snprintf(name, sizeof(name), "n%d", i);
		snprintf(json, sizeof(json), "{\"v\":1,\"name\":\"n%d\",\"extends\":\"n%d\"}", i,
			 i + 1);
		write_level(name, json);
	}
	CHECK_STR(load_error("n0"), "level \"n0\": extends more than 15 levels");
}

static void test_at_least(void)
{
	own_arena struct arena a = {0};
	struct admin ad = {.levels = dir};
	struct err e = {0};

	write_level("team", FILE_OF("team", ",\"extends\":\"standard\""));
	write_level("team2", FILE_OF("team2", ",\"extends\":\"team\""));
	CHECK(policy_at_least(&a, &ad, "high", "standard", &e) == 1);
	CHECK(policy_at_least(&a, &ad, "high", "custom", &e) == 1);
	CHECK(policy_at_least(&a, &ad, "standard", "high", &e) == 0);
	CHECK(policy_at_least(&a, &ad, "custom", "standard", &e) == 0);
	CHECK(policy_at_least(&a, &ad, "team2", "team", &e) == 1);
	CHECK(policy_at_least(&a, &ad, "team2", "standard", &e) == 1);
	CHECK(policy_at_least(&a, &ad, "team", "high", &e) == 0);
	CHECK(policy_at_least(&a, &ad, "high", "team", &e) == 0);
	CHECK(policy_at_least(&a, &ad, "nope", "high", &e) == -ENOENT);
}

static void test_sha256(void)
{
	char hex[SHA256_HEX], million[1000];
	own_free char *big = malloc(1000000);

	sha256_hex("", 0, hex);
	CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_hex("abc", 3, hex);
	CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
	CHECK_STR(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	sha256_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnop"
		   "qklmnopqrlmnopqrsmnopqrstnopqrstu",
		   112, hex);
	CHECK_STR(hex, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
	memset(big, 'a', 1000000);
	sha256_hex(big, 1000000, hex);
	CHECK_STR(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	/* every length around the padding's edges, against sha256sum's answer for 55, 56, 63, 64 */
	memset(million, 'x', sizeof(million));
	sha256_hex(million, 55, hex);
	CHECK_STR(hex, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
	sha256_hex(million, 64, hex);
	CHECK_STR(hex, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
}

int main(void)
{
	CHECK(mkdtemp(dir));
	test_embedded();
	test_values();
	test_bad_files();
	test_names();
	test_at_least();
	test_sha256();
	remove_levels();
	return check_done();
}
