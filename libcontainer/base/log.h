#ifndef BRIG_BASE_LOG_H
#define BRIG_BASE_LOG_H

#include <stdbool.h>

/*
 * One sink, set once by the command before anything is cloned.  Library code uses log_debug
 * and, where the spec demands a warning (runtime.md, Warnings), log_warn; errors are returned
 * and logged once, by the command.
 */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/*
 * fd: where lines go (owned by the log from now on; -1: standard error, no file).  The text
 * is runc's: time="RFC 3339" level=error msg="..."; or one JSON object with level, msg, time.
 */
void log_setup(int fd, enum log_format format, enum log_level level);
bool log_wants(enum log_level level);
/* A line for which there is no room for two seconds (a pipe that nobody reads) is lost. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The descriptor of the sink, -1 without one: set-up code must not close it too early. */
int log_fd(void);

#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_wants(LOG_LEVEL_DEBUG))                                                    \
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);                                    \
	} while (0)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
