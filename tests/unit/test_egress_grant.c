/* Grants, addresses and ceilings as text. */
#include <netinet/in.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "specs/egress_ceiling.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

/* clang-format off: columns of texts */
static const struct {
	const char *text, *canonical;
} good[] = {
	{"api.example.org",                  "api.example.org:443/tcp"                 },
	{"API.Example.ORG.",                 "api.example.org:443/tcp"                 },
	{"  api.example.org  ",              "api.example.org:443/tcp"                 },
	{"api.example.org:8443",             "api.example.org:8443/tcp"                },
	{"*.example.org:443,80/tcp",         "*.example.org:80,443/tcp"                },
	{"**.example.org/udp",               "**.example.org:443/udp"                  },
	{"api.example.org:8000-8002",        "api.example.org:8000-8002/tcp"           },
	{"xn--bcher-kva.example:443",        "xn--bcher-kva.example:443/tcp"           },
	{"db:5432 private",                  "db:5432/tcp private"                     },
	{"_x.example.org",                   "_x.example.org:443/tcp"                  },
	{"api.example.org:443 ttl=30s",      "api.example.org:443/tcp ttl=30s"         },
	{"a.example.org private ttl=1500ms", "a.example.org:443/tcp ttl=1500ms private"},
	{"a.example.org:80,80,81,79-82",     "a.example.org:79-82/tcp"                 },
	{L63 ".example",                     L63 ".example:443/tcp"                    },
	{"CIDR:203.0.113.0/24:8000-8100",    "CIDR:203.0.113.0/24:8000-8100/tcp"       },
	{"CIDR:203.0.113.7",                 "CIDR:203.0.113.7:443/tcp"                },
	{"CIDR",			     "cidr:443/tcp"                            },
	{"cidr:80",			  "cidr:80/tcp"                             },
	{"CIDR:203.0.113.7/32:*/udp",        "CIDR:203.0.113.7:*/udp"                  },
	{"CIDR:[2001:db8::/32]:53/udp",      "CIDR:[2001:db8::/32]:53/udp"             },
	{"CIDR:2001:DB8::/32/udp",           "CIDR:[2001:db8::/32]:443/udp"            },
	{"CIDR:[2001:db8::1]:*",             "CIDR:[2001:db8::1]:*/tcp"                },
	{"CIDR:192.0.2.1/icmp",              "CIDR:192.0.2.1/icmp"                     },
	{"CIDR:192.0.2.0/24/icmp",           "CIDR:192.0.2.0/24/icmp"                  },
	{"CIDR:0.0.0.0/0:443",               "CIDR:0.0.0.0/0:443/tcp"                  },
	{"CIDR:::/0",			"CIDR:[::/0]:443/tcp"                     },
};

static const struct {
	const char *text, *message;
} bad[] = {
	{"",						    "\"\" is no name"						       },
	{"   ",						 "\"\" is no name"						       },
	{"*",						   "\"*\": a wildcard needs a name behind it"                              },
	{"**",						  "\"**\": a wildcard needs a name behind it"                             },
	{"*.",						  "\"*.\": a wildcard needs a name behind it"                             },
	{"*:443",					       "\"*\": a wildcard needs a name behind it"                              },
	{".",						   "\".\" is no name"						      },
	{":443",						"\"\" is no name"						       },
	{"*.com",					       "\"*.com\": everybody has names below \"com\": a wildcard needs a name that "
		  "belongs to somebody"										},
	{"**.Co.Uk",					    "\"**.co.uk\": everybody has names below \"co.uk\": a wildcard needs a name "
		     "that belongs to somebody"								     },
	{"a.*.example.org",
	 "\"a.*.example.org\": a wildcard is the whole first part: *.NAME or **.NAME"                                                   },
	{"*a.example.org",
	 "\"*a.example.org\": a wildcard is the whole first part: *.NAME or **.NAME"                                                    },
	{"***.example.org",
	 "\"***.example.org\": a wildcard is the whole first part: *.NAME or **.NAME"                                                   },
	{"a..example.org",				      "\"a..example.org\": a part between its dots is empty"                  },
	{".example.org",					"\".example.org\": a part between its dots is empty"                    },
	{"example.org..",				       "\"example.org.\": a part between its dots is empty"                    },
	{L63 "g.example",				       "\"aaaaaaaaaabbbbbbbbbb...\": a part of 64 characters; 63 are the most" },
	{L63 "." L63 "." L63 "." L63,                           "a name of 255 characters; 253 are the most"                            },
	{"-a.example.org",				      "\"-a.example.org\": a part begins or ends with \"-\""                  },
	{"a-.example.org",				      "\"a-.example.org\": a part begins or ends with \"-\""                  },
	{"a\tb.example.org",				    "\"a?b.example.org\": a name has letters, digits, - and . only"         },
	{"user@example.org",				    "\"user@example.org\": a name has letters, digits, - and . only"        },
	{"b\xc3\xbc"
	 "cher.example",			       "\"b\xc3\xbc"
	 "cher.example\": not ASCII: write it as xn--... (idn2 NAME)"                                  },
	{"https://api.example.org",
	 "\"https://api.example.org\" is a URL: a grant has the name alone"                                                             },
	{"192.0.2.1",					   "\"192.0.2.1\" is an address, not a name: write CIDR:192.0.2.1"         },
	{"192.0.2.1:443",				       "\"192.0.2.1\" is an address, not a name: write CIDR:192.0.2.1"         },
	{"127.1",					       "\"127.1\" is an address, not a name: write CIDR:127.1"                 },
	{"0x7f000001",					  "\"0x7f000001\" is an address, not a name: write CIDR:0x7f000001"       },
	{"2001:db8::1",					 "\"2001:db8::1\" is an address, not a name: write CIDR:2001:db8::1"     },
	{"[2001:db8::1]:443",
	 "\"[2001:db8::1]:443\" is an address, not a name: write CIDR:[2001:db8::1]:443"                                                },
	{"a.example:0",					 "\"a.example\": port 0: ports are 1 to 65535"                           },
	{"a.example:65536",				     "\"a.example\": port 65536: ports are 1 to 65535"                       },
	{"a.example:99999999999",                               "\"a.example\": \"99999999999\" is no port"                             },
	{"a.example:http",				      "\"a.example\": \"http\" is no port"                                    },
	{"a.example:",					  "\"a.example\": \"\" is no port"                                        },
	{"a.example:80,",				       "\"a.example\": \"\" is no port"                                        },
	{"a.example:80-79",				     "\"a.example\": ports 80-79: the first one is the smaller one"          },
	{"a.example:-1",					"\"a.example\": \"\" is no port"                                        },
	{"a.example:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
	 "\"a.example\": more than 16 ports and ranges"										 },
	{"a.example:1-17",
	 "\"a.example\": a name takes 16 ports at most; more and * are for CIDR:"                                                       },
	{"a.example:*",					 "\"a.example\": a name takes 16 ports at most; more and * are for CIDR:"},
	{"a.example:443/sctp",				  "\"a.example\": \"sctp\" is no protocol: tcp, udp or icmp"              },
	{"a.example/",					  "\"a.example\": \"\" is no protocol: tcp, udp or icmp"                  },
	{"a.example/index.html",                                "\"a.example\": \"index.html\" is no protocol: tcp, udp or icmp"        },
	{"a.example/icmp",				      "\"a.example\": icmp is for addresses: CIDR:ADDRESS/icmp"               },
	{"CIDR:192.0.2.1:8/icmp",                               "\"CIDR:192.0.2.1\": icmp has no ports"                                 },
	{"a.example ttl=0",				     "\"a.example\": ttl: \"0\": 1ms to 8784h"                               },
	{"a.example ttl=0s",				    "\"a.example\": ttl: \"0s\": 1ms to 8784h"                              },
	{"a.example ttl=soon",				  "\"a.example\": ttl: \"soon\" is no duration such as 30s or 1h"         },
	{"a.example ttl=9000h",				 "\"a.example\": ttl: \"9000h\": 1ms to 8784h"                           },
	{"a.example ttl=1s ttl=2s",                             "\"a.example\": ttl: given twice"                                       },
	{"a.example private private",                           "\"a.example\": private: given twice"                                   },
	{"a.example public",				    "\"a.example\": unknown word \"public\" (ttl=30s, private)"             },
	{"CIDR:10.0.0.0/8 private",
	 "\"CIDR:10.0.0.0/8\": private is for names; a range says itself what it has"                                                   },
	{"CIDR:",					       "\"\" is no address"						    },
	{"CIDR:example.org",				    "\"example.org\" is no address"                                         },
	{"CIDR:10.1.2.3/8",
	 "\"10.1.2.3/8\": bits behind the first 8 are set; the range is 10.0.0.0/8"                                                     },
	{"CIDR:2001:db8::1/32",
	 "\"2001:db8::1/32\": bits behind the first 32 are set; the range is 2001:db8::/32"                                             },
	{"CIDR:192.0.2.1/33",				   "\"192.0.2.1/33\": \"33\" is no number of bits from 0 to 32"            },
	{"CIDR:192.0.2.0/24x",				  "\"CIDR:192.0.2.0/24\": \"x\": behind it come :PORTS and /PROTOCOL"     },
	{"CIDR:192.0.2.01",				     "\"192.0.2.01\" is no address"                                          },
	{"CIDR:192.0.2",					"\"192.0.2\" is no address"                                             },
	{"CIDR:[2001:db8::1",				   "\"[2001:db8::1\": no ] behind the address"                             },
	{"CIDR:[192.0.2.1]:443",                                "\"[192.0.2.1]:443\": brackets are for IPv6"                            },
	{"CIDR:[2001:db8::1]x",
	 "\"CIDR:[2001:db8::1]\": \"x\": behind it come :PORTS and /PROTOCOL"                                                           },
	{"CIDR:fe80::1%eth0",				   "\"fe80::1%eth0\" is no address"                                        },
	{"CIDR:::ffff:192.0.2.1",                               "\"::ffff:192.0.2.1\" is an IPv4 address: write it as one"              },
};

static const struct {
	const char *may, *asked;
	bool covers;
} pairs[] = {
	{"a.example.org",         "a.example.org",           true },
	{"a.example.org",         "b.example.org",           false},
	{"a.example.org",         "a.example.org:80",        false},
	{"a.example.org",         "a.example.org/udp",       false},
	{"a.example.org:80,443",  "a.example.org:443",       true },
	{"a.example.org:80",      "a.example.org:80,443",    false},
	{"a.example.org ttl=1s",  "a.example.org private",   true },
	{"*.example.org",         "a.example.org",           true },
	{"*.example.org",         "example.org",             false},
	{"*.example.org",         "b.a.example.org",         false},
	{"*.example.org",         "aexample.org",            false},
	{"*.example.org",         "*.example.org",           true },
	{"*.example.org",         "**.example.org",          false},
	{"*.example.org",         "*.a.example.org",         false},
	{"**.example.org",        "b.a.example.org",         true },
	{"**.example.org",        "*.example.org",           true },
	{"**.example.org",        "*.a.example.org",         true },
	{"**.example.org",        "**.a.example.org",        true },
	{"**.a.example.org",      "**.example.org",          false},
	{"CIDR:192.0.2.0/24",     "CIDR:192.0.2.7",          true },
	{"CIDR:192.0.2.0/24",     "CIDR:192.0.0.0/16",       false},
	{"CIDR:192.0.2.0/24",     "CIDR:2001:db8::1",        false},
	{"CIDR:192.0.2.0/24:*",   "CIDR:192.0.2.7:1-9,99",   true },
	{"CIDR:192.0.2.0/24:1-9", "CIDR:192.0.2.7:5-10",     false},
	{"CIDR:0.0.0.0/0",        "a.example.org",           false},
	{"CIDR:0.0.0.0/0",        "CIDR:::/0",               false},
	{"CIDR:2001:db8::/33",    "CIDR:2001:db8:7000::/36", true },
	{"CIDR:2001:db8::/33",    "CIDR:2001:db8:8000::/36", false},
	{"CIDR:192.0.2.1/icmp",   "CIDR:192.0.2.1/icmp",     true },
	{"CIDR:192.0.2.1",        "CIDR:192.0.2.1/icmp",     false},
};

/* NULL: within; backed: 1 yes. */
static const struct {
	const char *ceiling, *asked, *refuses;
	bool backs;
} ceilings[] = {
	{"public",		       "a.example.org:25",               NULL,                                false},
	{"public",		       "CIDR:198.51.100.0/24",           NULL,                                false},
	{"public",		       "CIDR:0.0.0.0/0:443",             NULL,                                false},
	{"public",		       "CIDR:10.1.0.0/16",
	 "10.1.0.0/16 lies in 10.0.0.0/8 (private network (RFC 1918)), and only \"public\" is "
	 "within the ceiling",										  false},
	{"any",			  "CIDR:10.1.0.0/16",               NULL,                                false},
	{"a.example.org",                "a.example.org:1/udp",            NULL,                                false},
	{"a.example.org:443",            "a.example.org:443/udp",          "no entry of the ceiling covers it", false},
	{"a.example.org/udp",            "a.example.org:53/udp",           NULL,                                false},
	{"a.example.org/udp",            "a.example.org:53/tcp",           "no entry of the ceiling covers it", false},
	{"**.svc.cluster.local private", "db.prod.svc.cluster.local:5432", NULL,                                true },
	{"CIDR:10.0.0.0/8",              "CIDR:10.1.0.0/16/icmp",          NULL,                                false},
	{"CIDR:10.0.0.0/8 private",      "CIDR:10.1.0.0/16:5432",          NULL,                                true },
	{"CIDR:10.0.0.0/8:5432",         "CIDR:10.1.0.0/16:5433",          "no entry of the ceiling covers it",
	 false												       },
};
/* clang-format on */

static void parse_all(struct arena *a)
{
	struct egress_grant g, again;
	struct err e;

	for (size_t i = 0; i < LEN(good); i++) {
		int r = egress_grant_parse(a, good[i].text, &g, &e);

		CHECK(r == 0);
		CHECK(r < 0 || str_eq(g.text, good[i].canonical));
		if (r < 0 || !str_eq(g.text, good[i].canonical))
			printf("# %s: %s\n", good[i].text, r < 0 ? e.msg : g.text);
		else
			CHECK(egress_grant_parse(a, g.text, &again, &e) == 0 &&
			      str_eq(again.text, g.text) && egress_grant_covers(&g, &again));
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		int r = egress_grant_parse(a, bad[i].text, &g, &e);

		CHECK(r < 0 && str_eq(e.msg, bad[i].message));
		if (r == 0 || !str_eq(e.msg, bad[i].message))
			printf("# %s: %s\n", bad[i].text, r < 0 ? e.msg : g.text);
	}
}

static void cover_all(struct arena *a)
{
	struct egress_grant may, asked;
	struct egress_ceiling c;
	struct err e;

	for (size_t i = 0; i < LEN(pairs); i++) {
		bool ok = egress_grant_parse(a, pairs[i].may, &may, &e) == 0 &&
			  egress_grant_parse(a, pairs[i].asked, &asked, &e) == 0 &&
			  egress_grant_covers(&may, &asked) == pairs[i].covers;

		CHECK(ok);
		if (!ok)
			printf("# %s covers %s\n", pairs[i].may, pairs[i].asked);
	}
	for (size_t i = 0; i < LEN(ceilings); i++) {
		bool ok = egress_ceiling_parse(a, ceilings[i].ceiling, &c, &e) == 0 &&
			  egress_grant_parse(a, ceilings[i].asked, &asked, &e) == 0;
		const char *why = ok ? egress_ceiling_refuses(a, &c, 1, &asked) : e.msg;

		ok = ok && (ceilings[i].refuses ? str_eq(why, ceilings[i].refuses) : !why) &&
		     egress_ceiling_backs(&c, 1, &asked) == ceilings[i].backs;
		CHECK(ok);
		if (!ok)
			printf("# %s of %s: %s\n", ceilings[i].asked, ceilings[i].ceiling,
			       why ? why : "within");
	}
	CHECK(egress_grant_parse(a, "a.example.org", &asked, &e) == 0 &&
	      str_eq(egress_ceiling_refuses(a, NULL, 0, &asked), "the ceiling is empty"));
	CHECK(egress_ceiling_parse(a, "a.example.org ttl=1s", &c, &e) < 0 &&
	      str_eq(e.msg, "\"a.example.org\": ttl is for grants"));
	CHECK(egress_ceiling_parse(a, "CIDR:0.0.0.0/0 private", &c, &e) < 0 &&
	      strstr(e.msg, "which is named itself or not at all"));
}

static void match_names(struct arena *a)
{
	struct egress_grant g;
	struct err e;

	CHECK(egress_grant_parse(a, "*.example.org", &g, &e) == 0);
	CHECK(egress_name_matches(&g, "a.example.org"));
	CHECK(!egress_name_matches(&g, "example.org"));
	CHECK(!egress_name_matches(&g, ".example.org"));
	CHECK(!egress_name_matches(&g, "a.b.example.org"));
	CHECK(!egress_name_matches(&g, "a.example.org.evil.example"));
	CHECK(!egress_name_matches(&g, "aexample.org"));
	CHECK(!egress_name_matches(&g, ""));
	CHECK(egress_grant_parse(a, "**.example.org", &g, &e) == 0);
	CHECK(egress_name_matches(&g, "a.b.example.org"));
	CHECK(!egress_name_matches(&g, "example.org"));
	CHECK(egress_grant_parse(a, "example.org", &g, &e) == 0);
	CHECK(egress_name_matches(&g, "example.org"));
	CHECK(!egress_name_matches(&g, "a.example.org"));
	CHECK(egress_grant_parse(a, "CIDR:192.0.2.1", &g, &e) == 0);
	CHECK(!egress_name_matches(&g, "192.0.2.1"));
	/* Zones that belong to everybody are only named, with a wildcard. */
	CHECK(egress_grant_parse(a, "*.github.io", &g, &e) == 0 &&
	      str_eq(egress_shared_zone(&g), "github.io"));
	CHECK(egress_grant_parse(a, "*.s3.eu-central-1.amazonaws.com", &g, &e) == 0 &&
	      str_eq(egress_shared_zone(&g), "amazonaws.com"));
	CHECK(egress_grant_parse(a, "**.windows.net", &g, &e) == 0 &&
	      str_eq(egress_shared_zone(&g), "core.windows.net"));
	CHECK(egress_grant_parse(a, "me.github.io", &g, &e) == 0 && !egress_shared_zone(&g));
	CHECK(egress_grant_parse(a, "*.me.github.io", &g, &e) == 0 && !egress_shared_zone(&g));
	CHECK(egress_grant_parse(a, "*.example.org", &g, &e) == 0 && !egress_shared_zone(&g));
}

static void ingress(struct arena *a)
{
	static const struct {
		const char *text, *canonical, *message;
	} rows[] = {
		{"8080",                        "8080/tcp",                    NULL						       },
		{"8000-8010/udp",               "8000-8010/udp",               NULL						       },
		{"*",			   "*/tcp",                       NULL						       },
		{"8080 from=node",              "8080/tcp from=node",          NULL                                                       },
		{"8080 from=any",               "8080/tcp",                    NULL						       },
		{"53,80/tcp from=192.0.2.0/24", "53,80/tcp from=192.0.2.0/24", NULL                                                       },
		{"0",			   NULL,                          "port 0: ports are 1 to 65535"                             },
		{"8080/icmp",                   NULL,                          "icmp: ports inward are of tcp or udp"                     },
		{"http",                        NULL,                          "\"http\" is no port"                                      },
		{"80 node",                     NULL,                          "unknown word \"node\" (from=node, from=any, from=ADDRESS)"},
		{"80 from=host",                NULL,                          "from: \"host\" is none of node, any and an address"       },
		{"80 from=10.0.0.1/8",          NULL,
		 "from: \"10.0.0.1/8\": bits behind the first 8 are set; the range is 10.0.0.0/8"                                         },
	};
	struct egress_ingress in;
	struct err e;

	for (size_t i = 0; i < LEN(rows); i++) {
		int r = egress_ingress_parse(a, rows[i].text, &in, &e);
		const char *got = r < 0 ? e.msg : egress_ingress_text(a, &in);
		bool ok = str_eq(got, r < 0 ? rows[i].message : rows[i].canonical);

		CHECK(ok);
		if (!ok)
			printf("# %s: %s\n", rows[i].text, got);
	}
}

int main(void)
{
	own_arena struct arena a = {0};

	parse_all(&a);
	cover_all(&a);
	match_names(&a);
	ingress(&a);
	return check_done();
}
