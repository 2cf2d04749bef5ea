/* Names of grants: what DNS takes, and what a wildcard may stand before. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/egress_ceiling.h"
#include "specs/egress_text.h"

enum { LABEL_MAX = 63 };

/*
 * Suffixes below which anybody registers names (the well-known ones of the Public Suffix List): a
 * wildcard there is nearly everything.  Those of one label are all refused.
 */
static const char *const registries[] = {
	"ac.uk",  "co.uk",  "gov.uk", "ltd.uk", "me.uk",  "net.uk", "org.uk", "plc.uk", "com.au",
	"net.au", "org.au", "co.nz",  "net.nz", "org.nz", "co.jp",  "ne.jp",  "or.jp",  "co.kr",
	"or.kr",  "com.br", "net.br", "org.br", "com.cn", "net.cn", "org.cn", "com.tw", "org.tw",
	"com.hk", "com.sg", "com.my", "co.in",  "net.in", "org.in", "co.id",  "co.th",  "com.tr",
	"co.il",  "co.za",  "org.za", "com.mx", "com.ar", "com.co", "com.pe", "com.ua", "com.pl",
	"co.at",  "com.es", "com.pt", "com.vn", "com.ph", "com.sa", "com.eg", "com.ng", "co.ke",
};

/* Zones whose owner gives names in them to everybody. */
static const struct {
	const char *zone;
	bool below; /* also every zone in it: s3.eu-central-1.amazonaws.com */
} shared[] = {
	{"amazonaws.com",            true },
	{"cloudfront.net",           false},
	{"elasticbeanstalk.com",     true },
	{"awsapprunner.com",         true },
	{"on.aws",		   true },
	{"azurewebsites.net",        false},
	{"azureedge.net",            false},
	{"azurefd.net",              false},
	{"core.windows.net",         true },
	{"cloudapp.net",             false},
	{"cloudapp.azure.com",       true },
	{"appspot.com",              true },
	{"googleapis.com",           false},
	{"storage.googleapis.com",   false},
	{"googleusercontent.com",    true },
	{"run.app",                  true },
	{"web.app",                  false},
	{"firebaseapp.com",          false},
	{"firebaseio.com",           false},
	{"cloudfunctions.net",       false},
	{"github.io",                false},
	{"githubpreview.dev",        true },
	{"gitlab.io",                false},
	{"herokuapp.com",            false},
	{"netlify.app",              false},
	{"vercel.app",               false},
	{"pages.dev",                false},
	{"workers.dev",              false},
	{"r2.dev",		   false},
	{"r2.cloudflarestorage.com", false},
	{"trycloudflare.com",        false},
	{"ngrok.io",                 false},
	{"ngrok.app",                false},
	{"ngrok-free.app",           false},
	{"fly.dev",                  false},
	{"onrender.com",             false},
	{"digitaloceanspaces.com",   true },
	{"ondigitalocean.app",       false},
	{"backblazeb2.com",          true },
	{"wasabisys.com",            true },
	{"supabase.co",              false},
	{"blogspot.com",             false},
	{"wordpress.com",            false},
	{"readthedocs.io",           false},
	{"hf.space",                 false},
	{"repl.co",                  true },
	{"glitch.me",                false},
	{"surge.sh",                 false},
	{"duckdns.org",              false},
	{"nip.io",		   true },
	{"sslip.io",                 true },
};

/* Whether name is zone or below it. */
static bool in_zone(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && str_eq(name + n - z, zone) && (n == z || name[n - z - 1] == '.');
}

const char *egress_shared_zone(const struct egress_grant *g)
{
	if (!g->name || g->wild == EGRESS_EXACT)
		return NULL;
	for (size_t i = 0; i < LEN(shared); i++)
		if (str_eq(g->name, shared[i].zone) ||
		    (shared[i].below && in_zone(g->name, shared[i].zone)) ||
		    (g->wild == EGRESS_ANY_LABELS && in_zone(shared[i].zone, g->name)))
			return shared[i].zone;
	return NULL;
}

static int check_label(const char *label, size_t n, const char *name, struct err *e)
{
	if (!n)
		return err_msg(e, EINVAL, "\"%.80s\": a part between its dots is empty", name);
	if (n > LABEL_MAX)
		return err_msg(e, EINVAL, "\"%.20s...\": a part of %zu characters; %d are the most",
			       label, n, LABEL_MAX);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)label[i];

		if (c >= 0x80)
			return err_msg(e, EINVAL,
				       "\"%.80s\": not ASCII: write it as xn--... (idn2 NAME)",
				       name);
		/* The underscore is no letter of host names, but names with it have addresses. */
		if (!isalnum(c) && c != '-' && c != '_')
			return err_msg(e, EINVAL,
				       c == '*' ? "\"%.80s\": a wildcard is the whole first part: "
						  "*.NAME or **.NAME"
						: "\"%.80s\": a name has letters, digits, - and . "
						  "only",
				       name);
	}
	if (label[0] == '-' || label[n - 1] == '-')
		return err_msg(e, EINVAL, "\"%.80s\": a part begins or ends with \"-\"", name);
	return 0;
}

/* What browsers and libc take for an address: the last part is a number (0x7f.1, 127.1). */
static bool is_numeric(const char *name)
{
	const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;

	if (str_starts(last, "0x"))
		return last[strspn(last + 2, "0123456789abcdef") + 2] == '\0';
	return last[strspn(last, "0123456789")] == '\0';
}

static int check_wildcard(const char *name, const char *stars, struct err *e)
{
	bool registry = !strchr(name, '.');

	for (size_t i = 0; i < LEN(registries) && !registry; i++)
		registry = str_eq(registries[i], name);
	if (!registry)
		return 0;
	return err_msg(e, EINVAL,
		       "\"%s%.80s\": everybody has names below \"%.80s\": a wildcard needs a name "
		       "that belongs to somebody",
		       stars, name, name);
}

int egress_name_parse(struct arena *a, const char *text, const char **name, enum egress_wild *wild,
		      struct err *e)
{
	const char *stars = str_starts(text, "**.") ? "**." : str_starts(text, "*.") ? "*." : "";
	const char *rest = text + strlen(stars);
	size_t n = strlen(rest);

	if (n > 1 && rest[n - 1] == '.')
		n--;
	if (!n || str_eq(text, "*") || str_eq(text, "**") || str_eq(rest, "."))
		return err_msg(e, EINVAL,
			       *text == '*' ? "\"%.80s\": a wildcard needs a name behind it"
					    : "\"%.80s\" is no name",
			       text);
	if (n + strlen(stars) > EGRESS_NAME_MAX)
		return err_msg(e, EINVAL, "a name of %zu characters; %d are the most",
			       n + strlen(stars), EGRESS_NAME_MAX);
	char *lower = arena_strndup(a, rest, n);
	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	for (const char *label = lower;; label++) {
		size_t len = strcspn(label, ".");

		if (check_label(label, len, lower, e) < 0)
			return -e->code;
		label += len;
		if (!*label)
			break;
	}
	if (is_numeric(lower))
		return err_msg(e, EINVAL, "\"%.80s\" is an address, not a name: write CIDR:%.80s",
			       lower, lower);
	*name = lower;
	*wild = !*stars ? EGRESS_EXACT : stars[1] == '*' ? EGRESS_ANY_LABELS : EGRESS_ONE_LABEL;
	return *wild == EGRESS_EXACT ? 0 : check_wildcard(lower, stars, e);
}

bool egress_name_matches(const struct egress_grant *g, const char *host)
{
	size_t n, z;

	if (!g->name)
		return false;
	if (g->wild == EGRESS_EXACT)
		return str_eq(g->name, host);
	n = strlen(host);
	z = strlen(g->name);
	/* At least one character and the dot before it. */
	if (n < z + 2 || host[n - z - 1] != '.' || !str_eq(host + n - z, g->name))
		return false;
	return g->wild == EGRESS_ANY_LABELS || !memchr(host, '.', n - z - 1);
}
