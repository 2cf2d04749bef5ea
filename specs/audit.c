#include "specs/audit.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "specs/audit_text.h"

const char *const audit_severities[] = {"debug", "info",     "notice", "warning",
					"error", "critical", NULL};

const struct audit_event audit_events[] = {
	{"LogOpened",             "notice",  false},
	{"LogRotated",            "info",    false},
	{"LogRepaired",           "warning", true },
	{"LogKeyed",              "notice",  true },
	{"SandboxCreated",        "info",    false},
	{"SandboxStarted",        "info",    false},
	{"SandboxExited",         "info",    false},
	{"SandboxDestroyed",      "info",    false},
	{"SandboxReset",          "info",    false},
	{"SandboxRefused",        "warning", true },
	{"ProcessStarted",        "info",    false},
	{"SandboxSignalled",      "info",    false},
	{"SandboxPaused",         "info",    false},
	{"SandboxResumed",        "info",    false},
	{"SandboxUpdated",        "notice",  false},
	{"CapabilityRequested",   "info",    false},
	{"CapabilityGranted",     "notice",  true },
	{"CapabilityDenied",      "warning", true },
	{"CapabilityUsed",        "info",    false},
	{"CapabilityExpired",     "info",    false},
	{"CapabilityRevoked",     "notice",  true },
	{"SystemCallAttempt",     "warning", false},
	{"FileAccess",            "info",    false},
	{"NetworkAccess",         "info",    false},
	{"ViolationDetected",     "warning", true },
	{"AnomalousActivity",     "error",   true },
	{"ResourceLimitExceeded", "warning", false},
	{"SandboxTainted",        "error",   true },
	{"SandboxUntainted",      "warning", true },
	{"SandboxCollected",      "info",    false},
	{"SandboxCommitted",      "notice",  true },
	{"SandboxDiscarded",      "info",    false},
	{"LeaseAcquired",         "info",    false},
	{"LeaseRenewed",          "info",    false},
	{"LeaseReleased",         "info",    false},
	{"LeaseExpired",          "notice",  false},
	{"LeaseRevoked",          "notice",  true },
	{"PolicyRecorded",        "info",    false},
	{"AuditVerified",         "info",    false},
	{NULL,		    NULL,      false},
};

const struct audit_event *audit_event_find(const char *name)
{
	for (const struct audit_event *ev = audit_events; name && ev->name; ev++)
		if (str_eq(ev->name, name))
			return ev;
	return NULL;
}

/*
 * The members of a line in their order, and how long each may be; together they stay below
 * AUDIT_MAX_LINE (test_audit_record.c adds them up).
 */
enum kind { VERSION, NUMBER, TEXT, DATA, EPOCH };
struct member {
	const char *key;
	enum kind kind;
	bool must;
	uint16_t most;
	uint16_t at;
};
#define AT(m) offsetof(struct audit_record, m)
static const struct member members[] = {
	{"v",         VERSION, true,  0,              AT(v)         },
	{"seq",       NUMBER,  true,  0,              AT(seq)       },
	{"ts",        TEXT,    true,  27,             AT(ts)        },
	{"mono",      NUMBER,  true,  0,              AT(mono)      },
	{"boot",      TEXT,    false, 64,             AT(boot)      },
	{"writer",    TEXT,    false, 128,            AT(writer)    },
	{"ev",        TEXT,    true,  64,             AT(event)     },
	{"sev",       TEXT,    true,  16,             AT(severity)  },
	{"id",        TEXT,    false, 1024,           AT(id)        },
	{"gen",       NUMBER,  false, 0,              AT(generation)},
	{"level",     TEXT,    false, 256,            AT(level)     },
	{"cfg",       TEXT,    false, 128,            AT(policy)    },
	{"action",    TEXT,    false, AUDIT_MAX_TEXT, AT(action)    },
	{"resource",  TEXT,    false, AUDIT_MAX_TEXT, AT(resource)  },
	{"outcome",   TEXT,    false, 64,             AT(outcome)   },
	{"source",    TEXT,    false, 64,             AT(source)    },
	{"req",       TEXT,    false, 1024,           AT(request)   },
	{"principal", TEXT,    false, 128,            AT(principal) },
	{"data",      DATA,    false, 0,              AT(data)      },
	{"prev",      TEXT,    true,  64,             AT(prev)      },
	{"ep",        EPOCH,   false, 0,              AT(epoch)     },
	{"mac",       TEXT,    false, 64,             AT(mac)       },
};

/* --- Printing ------------------------------------------------------------------------- */

static void put_data(struct audit_text *t, const char *json)
{
	const char *at = json, *end = json + strlen(json);
	struct audit_text own = {.a = t->a}, *out = &own;
	char hash[SHA256_HEX];

	if (audit_put_object(out, &at, end) < 0 || at != end) {
		own.len = 0;
		audit_put(out, "{\"unreadable\":", 14);
		audit_put_string(out, json, AUDIT_MAX_TEXT);
		audit_put(out, "}", 1);
	} else if (own.len > AUDIT_MAX_DATA) {
		sha256_hex(own.p, own.len, hash);
		audit_put(t, "{\"cut\":", 7);
		audit_put_uint(t, own.len);
		audit_put(t, ",\"sha256\":", 10);
		audit_put_string(t, hash, sizeof(hash));
		audit_put(t, "}", 1);
		return;
	}
	audit_put(t, own.p, own.len);
}

static void put_member(struct audit_text *t, const struct member *m, const char *record)
{
	const uint64_t *epoch;
	const char *text;
	uint64_t number;

	if (m->kind == VERSION) {
		audit_put_uint(t, 1);
	} else if (m->kind == NUMBER) {
		memcpy(&number, record + m->at, sizeof(number));
		audit_put_uint(t, number);
	} else if (m->kind == EPOCH) {
		memcpy(&epoch, record + m->at, sizeof(epoch));
		audit_put_uint(t, *epoch);
	} else {
		memcpy(&text, record + m->at, sizeof(text));
		if (m->kind == DATA)
			put_data(t, text);
		else
			audit_put_string(t, text ? text : "", m->most);
	}
}

static bool is_absent(const struct member *m, const char *record)
{
	uint64_t number;
	const char *p;

	if (m->must)
		return false;
	if (m->kind == NUMBER) {
		memcpy(&number, record + m->at, sizeof(number));
		return !number;
	}
	memcpy(&p, record + m->at, sizeof(p));
	return !p;
}

char *audit_record_print(struct arena *a, const struct audit_record *r, size_t *len)
{
	struct audit_text t = {.a = a};
	const char *record = (const char *)r;

	for (size_t i = 0; i < LEN(members); i++) {
		const struct member *m = &members[i];

		if (is_absent(m, record) || (m->at == AT(mac) && !r->epoch))
			continue;
		audit_put(&t, t.len ? ",\"" : "{\"", 2);
		audit_put(&t, m->key, strlen(m->key));
		audit_put(&t, "\":", 2);
		put_member(&t, m, record);
	}
	if (!r->epoch || r->mac)
		audit_put(&t, "}", 1);
	if (len)
		*len = t.len;
	return t.p;
}

/* --- Reading -------------------------------------------------------------------------- */

struct line {
	const char *at, *end;
};

static int take_number(struct line *l, uint64_t *out)
{
	const char *begin = l->at;
	uint64_t n = 0;

	for (; l->at < l->end && *l->at >= '0' && *l->at <= '9'; l->at++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*l->at - '0'), &n))
			return -EINVAL;
	*out = n;
	return l->at == begin ? -EINVAL : 0;
}

static int take_value(struct arena *a, struct line *l, const struct member *m, char *record)
{
	struct audit_text data = {.a = a};
	uint64_t number;
	const char *text = NULL;
	int r;

	if (m->kind == TEXT || m->kind == DATA) {
		r = m->kind == TEXT ? audit_take_string(a, &l->at, l->end, &text)
				    : audit_put_object(&data, &l->at, l->end);
		if (m->kind == DATA)
			text = data.p;
		memcpy(record + m->at, &text, sizeof(text));
		return r;
	}
	r = take_number(l, &number);
	if (r < 0)
		return r;
	if (m->kind == NUMBER) {
		memcpy(record + m->at, &number, sizeof(number));
	} else if (m->kind == EPOCH) {
		uint64_t *epoch = arena_new(a, sizeof(*epoch));

		*epoch = number;
		memcpy(record + m->at, &epoch, sizeof(epoch));
	} else if (number != 1) {
		return -EPROTONOSUPPORT;
	} else {
		memcpy(record + m->at, &(int32_t){1}, sizeof(int32_t));
	}
	return 0;
}

/* The row of the key at l, which is then behind it with its colon. */
static const struct member *take_key(struct line *l)
{
	for (size_t i = 0; i < LEN(members); i++) {
		size_t n = strlen(members[i].key);

		if ((size_t)(l->end - l->at) < n + 3 || l->at[0] != '"' || l->at[n + 1] != '"' ||
		    l->at[n + 2] != ':' || memcmp(l->at + 1, members[i].key, n))
			continue;
		l->at += n + 3;
		return &members[i];
	}
	return NULL;
}

static int take_members(struct arena *a, struct line *l, struct audit_record *out, struct err *e)
{
	const struct member *m, *last = NULL;
	uint32_t seen = 0;

	for (char before = '{'; l->at < l->end && *l->at == before; before = ',') {
		l->at++;
		m = take_key(l);
		if (!m)
			return err_msg(e, EINVAL, "audit record: a key that it may not have");
		if (seen & UINT32_C(1) << (m - members))
			return err_msg(e, EEXIST, "audit record: %s is there twice", m->key);
		seen |= UINT32_C(1) << (m - members);
		if (last && m < last)
			return err_msg(e, EINVAL, "audit record: %s is not in its place", m->key);
		int r = take_value(a, l, m, (char *)out);
		if (r == -EPROTONOSUPPORT)
			return err_msg(e, EPROTONOSUPPORT, "audit record: its version is not 1");
		if (r == -EEXIST)
			return err_msg(e, EEXIST, "audit record: a key in data is there twice");
		if (r < 0)
			return err_msg(e, EINVAL, "audit record: %s: not a value", m->key);
		last = m;
	}
	for (size_t i = 0; i < LEN(members); i++)
		if (members[i].must && !(seen & UINT32_C(1) << i))
			return err_msg(e, EINVAL, "audit record: %s is missing", members[i].key);
	return 0;
}

static bool is_hash(const char *s)
{
	uint8_t bytes[SHA256_BYTES];

	return hex_read(s, bytes) == 0;
}

static bool is_time(const char *s)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";

	for (size_t i = 0; i < sizeof(shape); i++)
		if (shape[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
			return false;
	return true;
}

static bool is_event(const char *s)
{
	return *s >= 'A' && *s <= 'Z' &&
	       !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")];
}

static bool is_severity(const char *s)
{
	for (const char *const *w = audit_severities; *w; w++)
		if (str_eq(*w, s))
			return true;
	return false;
}

static int check_members(const struct audit_record *r, struct err *e)
{
	const struct {
		const char *key;
		bool ok;
	} checks[] = {
		{"seq",  r->seq > 0                },
                {"ts",   is_time(r->ts)            },
		{"ev",   is_event(r->event)        },
                {"sev",  is_severity(r->severity)  },
		{"prev", is_hash(r->prev)          },
                {"mac",  !r->mac || is_hash(r->mac)},
		{"ep",   !r->epoch == !r->mac      },
	};

	for (size_t i = 0; i < LEN(checks); i++)
		if (!checks[i].ok)
			return err_msg(e, EINVAL, "audit record: %s: not what it must be",
				       checks[i].key);
	return 0;
}

int audit_record_parse(struct arena *a, const char *line, size_t len, struct audit_record *out,
		       struct err *e)
{
	struct line l = {line, line + len};
	size_t again_len;

	if (len > AUDIT_MAX_LINE)
		return err_msg(e, EMSGSIZE, "audit record: longer than %d bytes", AUDIT_MAX_LINE);
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)line[i] < 0x20 || line[i] == 0x7f)
			return err_msg(e, EILSEQ, "audit record: a control character at byte %zu",
				       i + 1);
	*out = (struct audit_record){0};
	int r = take_members(a, &l, out, e);
	if (r == 0 && (l.end - l.at != 1 || *l.at != '}'))
		r = err_msg(e, EINVAL, "audit record: it has no end, or something behind it");
	if (r == 0)
		r = check_members(out, e);
	if (r < 0)
		return r;
	const char *again = audit_record_print(a, out, &again_len);
	if (again_len != len || memcmp(again, line, len))
		return err_msg(e, EINVAL, "audit record: not written in the one way it can be");
	return 0;
}
