#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { READER_MS = 2000 };

static struct {
	int fd;
	enum log_format format;
	enum log_level level;
} sink = {-1, LOG_TEXT, LOG_LEVEL_INFO};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_setup(int fd, enum log_format format, enum log_level level)
{
	sink.fd = fd;
	sink.format = format;
	sink.level = level;
}

bool log_wants(enum log_level level)
{
	return level <= sink.level;
}

int log_fd(void)
{
	return sink.fd;
}

/* Quotes for both formats: what JSON must escape is what a log line must escape. */
static void quote(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s && n + 7 < size; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c < ' ' || c == 0x7f) {
			n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
		} else {
			out[n++] = (char)c;
		}
	}
	out[n] = '\0';
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char msg[1024], quoted[2100], when[64], line[2400];
	int saved = errno;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	quote(quoted, sizeof(quoted), msg);
	clock_rfc3339(when, sizeof(when), 0);
	const char *form = sink.format == LOG_JSON
				   ? "{\"level\":\"%s\",\"msg\":\"%s\",\"time\":\"%s\"}\n"
				   : "level=%s msg=\"%s\"\n";
	int n = sink.format == LOG_JSON ? 0 : snprintf(line, sizeof(line), "time=\"%s\" ", when);
	/* One write: lines of several processes do not mix. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n += snprintf(line + n, sizeof(line) - (size_t)n, form, level_names[level], quoted, when);
#pragma GCC diagnostic pop
	struct pollfd out = {.fd = sink.fd >= 0 ? sink.fd : STDERR_FILENO, .events = POLLOUT};
	/* A reader that reads no more must not keep anything from being cleaned up. */
	if (poll(&out, 1, READER_MS) != 0)
		(void)!write(out.fd, line, (size_t)n);
	errno = saved;
}
