/* A result as the meta file of isolate(1), for graders that read that one. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "specs/result.h"

struct lines {
	char text[2048];
	size_t len;
};

/* Bounded: few lines, of numbers and of texts that are cut. */
__attribute__((format(printf, 2, 3))) static void line(struct lines *l, const char *fmt, ...)
{
	va_list ap;
	size_t room = sizeof(l->text) - l->len;

	va_start(ap, fmt);
	int n = vsnprintf(l->text + l->len, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n + 1 < room) {
		l->len += (size_t)n;
		l->text[l->len++] = '\n';
	}
}

static void seconds(struct lines *l, const char *key, const uint64_t *ms)
{
	if (ms)
		line(l, "%s:%" PRIu64 ".%03" PRIu64, key, *ms / 1000, *ms % 1000);
}

static void kilobytes(struct lines *l, const char *key, const uint64_t *bytes)
{
	if (bytes)
		line(l, "%s:%" PRIu64, key, *bytes / 1024);
}

static void number(struct lines *l, const char *key, const uint64_t *n)
{
	if (n)
		line(l, "%s:%" PRIu64, key, *n);
}

/*
 * What isolate says of each end.  It tells no exit of what it has ended itself for its time; that
 * memory was the reason stands in cg-oom-killed.
 */
static const struct end {
	const char *status, *word, *message;
	bool killed, tells_exit;
} ends[] = {
	{"timeout",      "TO", "Time limit exceeded (wall clock)",                true,  false},
	{"cpu-time",     "TO", "Time limit exceeded",                             true,  false},
	{"memory",       "SG", "Out of memory",                                   false, true },
	{"output",       "SG", "Output limit exceeded",                           true,  true },
	{"syscall",      "SG", "System call that nothing in a sandbox needs",     true,  true },
	{"warden-lost",  "XX", "The process that watched the sandbox was killed", true,  false},
	{"start-failed", "XX", NULL,					      false, false},
	{"unknown",      "XX", NULL,					      false, false},
};

static const struct end *end_of(const struct brig_result *r)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (str_eq(r->status, ends[i].status))
			return &ends[i];
	return NULL;
}

/* One line, whatever the text: the file is read by lines. */
static void message(struct lines *l, const char *text)
{
	char shown[512];
	size_t n = strnlen(text, sizeof(shown) - 1);

	for (size_t i = 0; i < n; i++)
		shown[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
	shown[n] = '\0';
	line(l, "message:%s", shown);
}

static void how_it_ended(struct lines *l, const struct brig_result *r)
{
	const char *why = r->reason && r->reason->message ? r->reason->message : r->unknown;
	const struct end *end = end_of(r);

	if (!end || end->tells_exit) {
		if (r->exit_code)
			line(l, "exitcode:%d", *r->exit_code);
		if (r->signal)
			line(l, "exitsig:%d", *r->signal);
	}
	if (end) {
		line(l, "status:%s", end->word);
		if (end->killed)
			line(l, "killed:1");
		message(l, end->message ? end->message : why ? why : r->status);
	} else if (r->signal) {
		line(l, "status:SG");
		line(l, "message:Caught fatal signal %d", *r->signal);
	} else if (r->exit_code && *r->exit_code) {
		line(l, "status:RE");
		line(l, "message:Exited with error status %d", *r->exit_code);
	}
}

char *result_print_isolate(struct arena *a, const struct brig_result *r, size_t *len)
{
	struct lines l = {.len = 0};
	const struct result_process *p = r->process;

	seconds(&l, "time", r->cpu ? r->cpu->total_ms : NULL);
	seconds(&l, "time-wall", r->wall_ms);
	kilobytes(&l, "max-rss", p ? p->max_rss : NULL);
	number(&l, "csw-voluntary", p ? p->voluntary_switches : NULL);
	number(&l, "csw-forced", p ? p->forced_switches : NULL);
	kilobytes(&l, "cg-mem", r->memory ? r->memory->peak : NULL);
	if (r->memory && r->memory->oom_kills && *r->memory->oom_kills)
		line(&l, "cg-oom-killed:1");
	how_it_ended(&l, r);
	if (len)
		*len = l.len;
	return arena_strndup(a, l.text, l.len);
}
