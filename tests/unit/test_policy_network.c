/* Grants of all who may ask, within the ceilings. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "policy/policy.h"
#include "policy/wishes.h"
#include "specs/policy_doc.h"

static struct arena arena;
static struct policy policy;
static char directory[] = "/tmp/brig-network-XXXXXX";

struct asked {
	const char *level;
	const char *admin;                /* members of brig.json behind "v":1 */
	const char *egress, *ingress;     /* annotations */
	const char *conns;                /* annotation net.conns */
	const char *open;                 /* and net.open */
	const char *document;
	const char *flags[4];             /* --egress */
	const char *flag_ingress;
};

static const char *system_config(const char *members)
{
	const char *path = arena_printf(&arena, "%s/brig.json", directory);
	FILE *f = fopen(path, "w");

	CHECK(f);
	if (!f)
		return path;
	fprintf(f, "{\"v\":1%s%s}", members ? "," : "", members ? members : "");
	fclose(f);
	return path;
}

/* The error, "" for none. */
static const char *resolve(const struct asked *q)
{
	struct oci_map notes[4];
	struct oci_config c = {.annotations = notes};
	struct policy_wishes flags = {.egress = q->flags, .ingress = &q->flag_ingress}, document;
	struct policy_request r = {.flag_level = q->level, .config = &c, .direct = q->flags[0]};
	const struct {
		const char *name, *text;
	} rows[] = {
		{"dev.brig.egress",    q->egress },
		{"dev.brig.ingress",   q->ingress},
		{"dev.brig.net.conns", q->conns  },
		{"dev.brig.net.open",  q->open   },
	};
	struct policy_doc doc;
	struct err e;

	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].text)
			notes[c.n_annotations++] = (struct oci_map){rows[i].name, rows[i].text};
	while (flags.n_egress < LEN(q->flags) && q->flags[flags.n_egress])
		flags.n_egress++;
	flags.n_ingress = q->flag_ingress ? 1 : 0;
	r.flags = flags.n_egress || flags.n_ingress ? &flags : NULL;
	r.system_config = system_config(q->admin);
	if (q->document) {
		if (policy_doc_parse(&arena, q->document, strlen(q->document), &doc, &e) < 0 ||
		    policy_wishes_document(&arena, &doc, &document, &e) < 0)
			return arena_strdup(&arena, e.msg);
		r.document = &document;
	}
	return policy_resolve(&arena, &r, &policy, &e) < 0 ? arena_strdup(&arena, e.msg) : "";
}

/* "text backed,text asked" */
static const char *granted(void)
{
	const struct policy_network *n = &policy.network;
	const char *text = "";

	for (size_t i = 0; i < n->n_grants; i++)
		text = arena_printf(&arena, "%s%s%s %s", text, i ? "," : "", n->grants[i].text,
				    n->grants[i].backing == EGRESS_BACKED ? "backed" : "asked");
	return text;
}

static const char *let_in(void)
{
	const char *text = "";

	for (size_t i = 0; i < policy.network.n_ingress; i++)
		text = arena_printf(&arena, "%s%s%s", text, i ? "," : "",
				    egress_ingress_text(&arena, &policy.network.ingress[i]));
	return text;
}

/* Reason of the first decision about asked, "" for none. */
static const char *reason(const char *asked)
{
	for (size_t i = 0; i < policy.n_decisions; i++)
		if (str_eq(policy.decisions[i].asked, asked))
			return policy.decisions[i].reason;
	return "";
}

#define EXAMPLE "[{\"d\":\"api.example.org\"}]"

static void ceilings(void)
{
	static const struct {
		struct asked q;
		const char *error, *grants, *cut, *why;
	} rows[] = {
		{{.level = "standard", .egress = EXAMPLE}, "", "api.example.org:443/tcp asked", NULL,
		 NULL},
		{{.level = "high", .egress = EXAMPLE}, "", "", "api.example.org:443/tcp",
		 "annotation dev.brig.egress: beyond the ceiling of level \"high\" (egress.ceiling of "
		 "brig.json opens it): the ceiling is empty"},
		{{.level = "high",
		  .egress = EXAMPLE,
		  .admin = "\"egress\":{\"ceiling\":[\"*.example.org\"]}"},
		 "", "api.example.org:443/tcp asked", NULL, NULL},
		{{.level = "standard",
		  .egress = EXAMPLE,
		  .admin = "\"egress\":{\"ceiling\":[\"none\"]}"},
		 "", "", "api.example.org:443/tcp",
		 "annotation dev.brig.egress: beyond the ceiling of brig.json: the ceiling is empty"},
		{{.level = "standard", .egress = "[{\"cidr\":\"10.0.0.0/8\",\"p\":[\"*\"]}]"}, "", "",
		 "CIDR:10.0.0.0/8:*/tcp",
		 "annotation dev.brig.egress: beyond the ceiling of level \"standard\": 10.0.0.0/8 "
		 "lies in 10.0.0.0/8 (private network (RFC 1918)), and only \"public\" is within the "
		 "ceiling"},
		{{.level = "standard", .egress = "[{\"d\":\"db.example\",\"private\":true}]"}, "",
		 "db.example:443/tcp asked", "db.example:443/tcp private",
		 "annotation dev.brig.egress: private addresses are for an entry with \"private\" in "
		 "the ceiling of brig.json"},
		{{.level = "standard",
		  .egress = "[{\"d\":\"db.prod.svc.cluster.local\",\"p\":[5432],\"private\":true}]",
		  .admin = "\"egress\":{\"ceiling\":[\"**.svc.cluster.local private\"]}"},
		 "", "db.prod.svc.cluster.local:5432/tcp private backed", NULL, NULL},
		{{.level = "standard", .flags = {"CIDR:10.1.0.0/16:5432", "api.example.org"}}, "",
		 "CIDR:10.1.0.0/16:5432/tcp backed,api.example.org:443/tcp backed", NULL, NULL},
		{{.level = "standard", .flags = {"CIDR:0.0.0.0/0"}}, "",
		 "CIDR:0.0.0.0/0:443/tcp asked", NULL, NULL},
		{{.level = "high", .flags = {"api.example.org"}}, "",
		 "api.example.org:443/tcp backed", NULL, NULL},
		{{.level = "standard",
		  .flags = {"api.example.org:80"},
		  .admin = "\"egress\":{\"ceiling\":[\"api.example.org:443\"]}"},
		 "level \"standard\": --egress: api.example.org:80/tcp: beyond the ceiling of "
		 "brig.json: no entry of the ceiling covers it",
		 "", NULL, NULL},
		{{.level = "standard", .flags = {"*.com"}},
		 "level \"standard\": --egress: \"*.com\": everybody has names below \"com\": a "
		 "wildcard needs a name that belongs to somebody",
		 "", NULL, NULL},
		/* each once, whoever asks; brig.json stands behind its own */
		{{.level = "standard",
		  .egress = "[{\"d\":\"b.example\"},{\"d\":\"B.example.\"},{\"d\":\"a.example\"}]",
		  .admin = "\"egress\":{\"allow\":[\"b.example\"]}"},
		 "", "a.example:443/tcp asked,b.example:443/tcp backed", NULL, NULL},
		{{.level = "custom", .admin = "\"egress\":{\"allow\":[\"b.example\"]}"}, "", "", NULL,
		 NULL},
		{{.level = "custom", .egress = EXAMPLE}, "", "api.example.org:443/tcp backed", NULL,
		 NULL},
		{{.level = "standard",
		  .document = "{\"networkAccess\":{\"allowedDomains\":[\"a.example\"],\"allowedPorts\":"
			      "[443,{\"port\":53,\"protocol\":\"UDP\"},80]}}"},
		 "", "a.example:53/udp asked,a.example:80,443/tcp asked", NULL, NULL},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		CHECK_STR(resolve(&rows[i].q), rows[i].error);
		if (*rows[i].error)
			continue;
		CHECK_STR(granted(), rows[i].grants);
		if (rows[i].cut)
			CHECK_STR(reason(rows[i].cut), rows[i].why);
	}
}

static void inward(void)
{
	static const struct {
		struct asked q;
		const char *error, *rules;
		bool asked;
	} rows[] = {
		{{.level = "standard"}, "", "", false},
		{{.level = "standard", .ingress = "false"}, "", "", true},
		{{.level = "standard", .ingress = "[{\"from\":\"node\",\"ports\":[8080]}]"}, "",
		 "8080/tcp from=node,8080/udp from=node", true},
		{{.level = "standard", .ingress = "[{\"from\":\"any\",\"proto\":\"tcp\"}]"}, "",
		 "*/tcp from=node", true},
		{{.level = "standard",
		  .ingress = "[{\"from\":\"any\",\"proto\":\"tcp\",\"ports\":[\"80-90\"]}]",
		  .admin = "\"ingress\":{\"ceiling\":[\"any\"]}"},
		 "", "80-90/tcp", true},
		{{.level = "standard", .ingress = "[{\"from\":\"192.0.2.1\",\"proto\":\"tcp\"}]"}, "", "",
		 true},
		{{.level = "standard",
		  .ingress = "[{\"from\":\"192.0.2.1\",\"proto\":\"tcp\"}]",
		  .admin = "\"ingress\":{\"ceiling\":[\"node\",\"192.0.2.0/24\"]}"},
		 "", "*/tcp from=192.0.2.1", true},
		{{.level = "standard", .ingress = "[{\"from\":\"me\",\"proto\":\"tcp\"}]"},
		 "level \"standard\": annotation dev.brig.ingress: from: \"me\" is none of node, any "
		 "and an address",
		 "", false},
		{{.level = "standard", .document = "{\"networkAccess\":{\"ingress\":true}}"}, "",
		 "*/tcp from=node,*/udp from=node", true},
		{{.level = "standard", .document = "{\"networkAccess\":{\"ingress\":false}}"}, "", "",
		 true},
		{{.level = "high", .flags = {"a.example"}, .flag_ingress = "8080"}, "", "8080/tcp",
		 true},
		{{.level = "high",
		  .flags = {"a.example"},
		  .flag_ingress = "8080",
		  .admin = "\"ingress\":{\"ceiling\":[\"node\"]}"},
		 "level \"high\": --ingress: 8080/tcp: beyond ingress.ceiling of brig.json", "",
		 false},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		CHECK_STR(resolve(&rows[i].q), rows[i].error);
		if (*rows[i].error)
			continue;
		CHECK_STR(let_in(), rows[i].rules);
		CHECK(policy.network.asked_ingress == rows[i].asked);
	}
}

static void limits(void)
{
	struct asked q = {.level = "high", .conns = "10", .open = "8"};

	CHECK_STR(resolve(&q), "");
	CHECK(policy.network.total == 10 && *policy.level.network.open == 8);
	CHECK(*policy.level.network.rate == 50);
	q.open = "1000";
	CHECK_STR(resolve(&q), "");
	CHECK(*policy.level.network.open == 256);
	q.conns = "0";
	CHECK_STR(resolve(&q), "level \"high\": annotation dev.brig.net.conns: 0 is too little: 1 is "
			       "the least");
	q.conns = "4294967296";
	CHECK_STR(resolve(&q), "level \"high\": annotation dev.brig.net.conns: 4294967296 does not "
			       "fit: 4294967295 is the most");
	q = (struct asked){.level = "custom", .conns = "10"};
	CHECK_STR(resolve(&q), "");
	CHECK(policy.network.total == 10);
}

static void too_many(void)
{
	enum { TOO_MANY = EGRESS_MAX_GRANTS + 1, EACH = 32 };
	own_free char *json = malloc(TOO_MANY * EACH);
	struct asked q = {.level = "standard", .egress = json};
	size_t n = 0;

	CHECK(json);
	for (int i = 0; json && i < TOO_MANY; i++)
		n += (size_t)sprintf(json + n, "%c{\"d\":\"n%d.example\"}", i ? ',' : '[', i);
	if (!json)
		return;
	strcpy(json + n, "]");
	CHECK_STR(resolve(&q),
		  "level \"standard\": annotation dev.brig.egress: more than 5000 grants");
	/* one less */
	strcpy(strrchr(json, ','), "]");
	CHECK_STR(resolve(&q), "");
	CHECK(policy.network.n_grants == EGRESS_MAX_GRANTS);
}

static void admin_files(void)
{
	static const struct {
		const char *members, *error;
	} rows[] = {
		{"\"egress\":{\"ceiling\":[\"none\",\"public\"]}",
		 "egress: ceiling[0]: none stands alone"},
		{"\"egress\":{\"ceiling\":[\"*\"]}",
		 "egress: ceiling[0]: \"*\": a wildcard needs a name behind it"},
		{"\"egress\":{\"allow\":[\"a.example:0\"]}",
		 "egress: allow[0]: \"a.example\": port 0: ports are 1 to 65535"},
		{"\"egress\":{\"never\":[\"10.0.0.1/8\"]}",
		 "egress: never[0]: \"10.0.0.1/8\": bits behind the first 8 are set; the range is "
		 "10.0.0.0/8"},
		{"\"egress\":{\"resolvers\":[\"192.0.2.0/24\"]}",
		 "egress: resolvers[0]: \"192.0.2.0/24\" is more than one address"},
		{"\"egress\":{\"pool\":\"10.0.0.0/31\"}",
		 "egress: pool: \"10.0.0.0/31\" is no IPv4 range of /10 to /30"},
		{"\"egress\":{\"pool6\":\"10.0.0.0/16\"}",
		 "egress: pool6: \"10.0.0.0/16\" is no IPv6 range of /48 to /126"},
		{"\"egress\":{\"pasta\":\"pasta\"}",
		 "egress: pasta: \"pasta\" is not an absolute path"},
		{"\"ingress\":{\"ceiling\":[\"nobody\"]}",
		 "ingress: ceiling[0]: \"nobody\" is none of node, any and an address"},
		{"\"ingress\":{\"allow\":[]}", "ingress: allow: unknown"},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct asked q = {.level = "standard", .admin = rows[i].members};
		const char *error = resolve(&q), *behind = strstr(error, "brig.json: ");

		CHECK_STR(behind ? behind + strlen("brig.json: ") : error, rows[i].error);
	}
}

int main(void)
{
	CHECK(mkdtemp(directory));
	ceilings();
	inward();
	limits();
	too_many();
	admin_files();
	(void)unlink(arena_printf(&arena, "%s/brig.json", directory));
	CHECK(rmdir(directory) == 0);
	arena_free(&arena);
	return check_done();
}
