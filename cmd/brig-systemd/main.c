#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

/*
 * brig-systemd --system|--user start-scope UNIT SLICE PID [NAME=VALUE]...
 *                              set-properties UNIT [NAME=VALUE]...
 *                              attach UNIT SUBCGROUP PID
 *                              stop-unit UNIT
 *
 * The systemd cgroup driver of brig: one request, then exit.  0 done; 1 with one line on
 * standard error.  It is a program of its own so that only who asks for systemd loads libsystemd.
 */

#define DESTINATION "org.freedesktop.systemd1"
#define OBJECT      "/org/freedesktop/systemd1"
#define MANAGER     "org.freedesktop.systemd1.Manager"

enum { JOB_SECONDS = 30, MAX_CPUS = 8192 };

/* The job that is waited for. */
struct job {
	const char *path;
	char result[32]; /* "" while it runs */
};

static int fail(const char *what, int r, const sd_bus_error *error)
{
	const char *text = error && error->message ? error->message : strerror(-r);

	fprintf(stderr, "%s: %s\n", what, text);
	return 1;
}

enum property_kind { NUMBER, CPU_SET };

static const struct property {
	const char *name;
	enum property_kind kind;
} properties[] = {
	{"MemoryMax",          NUMBER },
        {"MemoryLimit",        NUMBER },
	{"MemoryHigh",         NUMBER },
        {"MemoryLow",          NUMBER },
	{"MemoryMin",          NUMBER },
        {"MemorySwapMax",      NUMBER },
	{"CPUWeight",          NUMBER },
        {"CPUShares",          NUMBER },
	{"CPUQuotaPerSecUSec", NUMBER },
        {"CPUQuotaPeriodUSec", NUMBER },
	{"IOWeight",           NUMBER },
        {"TasksMax",           NUMBER },
	{"AllowedCPUs",        CPU_SET},
        {"AllowedMemoryNodes", CPU_SET},
};

/* "0-3,7" as systemd wants it: a bit per CPU, least significant first. */
static int append_set(sd_bus_message *m, const char *list)
{
	uint8_t bits[MAX_CPUS / 8] = {0};
	size_t used = 0;

	while (*list) {
		char *end;
		unsigned long from = strtoul(list, &end, 10), to = from;

		if (end == list)
			return -EINVAL;
		if (*end == '-') {
			list = end + 1;
			to = strtoul(list, &end, 10);
			if (end == list)
				return -EINVAL;
		}
		if (to < from || to >= MAX_CPUS)
			return -ERANGE;
		for (unsigned long i = from; i <= to; i++)
			bits[i / 8] |= (uint8_t)(1U << i % 8);
		if (to / 8 + 1 > used)
			used = to / 8 + 1;
		list = end + strspn(end, ", \n");
	}
	int r = sd_bus_message_open_container(m, 'v', "ay");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', bits, used);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_number(sd_bus_message *m, const char *value)
{
	uint64_t n = UINT64_MAX;

	if (strcmp(value, "infinity") != 0) {
		char *end;

		errno = 0;
		n = strtoull(value, &end, 10);
		if (errno || end == value || *end)
			return -EINVAL;
	}
	return sd_bus_message_append(m, "v", "t", n);
}

/* One "NAME=VALUE" of the command line as (sv). */
static int append_property(sd_bus_message *m, const char *text)
{
	const char *value = strchr(text, '=');
	size_t n = value ? (size_t)(value - text) : 0;

	for (size_t i = 0; n && i < sizeof(properties) / sizeof(*properties); i++) {
		const struct property *p = &properties[i];

		if (strlen(p->name) != n || strncmp(p->name, text, n) != 0)
			continue;
		int r = sd_bus_message_open_container(m, 'r', "sv");
		if (r >= 0)
			r = sd_bus_message_append(m, "s", p->name);
		if (r >= 0)
			r = p->kind == CPU_SET ? append_set(m, value + 1)
					       : append_number(m, value + 1);
		return r < 0 ? r : sd_bus_message_close_container(m);
	}
	return -EINVAL;
}

static int append_properties(sd_bus_message *m, char **props, const char **bad)
{
	for (; *props; props++) {
		int r = append_property(m, *props);

		if (r < 0) {
			*bad = *props;
			return r;
		}
	}
	return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct job *job = userdata;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (job->path && strcmp(path, job->path) == 0)
		snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

/*
 * Sends the request and waits for its job.  Signals that come between the reply and the wait
 * are queued by sd-bus, so the path is known before any of them is looked at.  fine, if not NULL,
 * is the name of an error that is as good as done.
 */
static int call_job(sd_bus *bus, sd_bus_message *m, const char *what, const char *fine)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	struct job job = {0};
	int r = sd_bus_match_signal(bus, NULL, DESTINATION, OBJECT, MANAGER, "JobRemoved",
				    on_job_removed, &job);

	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &job.path);
	for (uint64_t left = JOB_SECONDS; r >= 0 && !job.result[0];) {
		r = sd_bus_process(bus, NULL);
		if (r != 0)
			continue;
		r = sd_bus_wait(bus, 1000000);
		if (r == 0 && --left == 0)
			r = -ETIMEDOUT;
		if (r == -EINTR)
			r = 0;
	}
	bool done = fine && sd_bus_error_has_name(&error, fine);
	int code = r < 0 && !done ? fail(what, r, &error) : 0;
	if (!code && !done && strcmp(job.result, "done") != 0) {
		fprintf(stderr, "%s: the job ended with \"%s\"\n", what, job.result);
		code = 1;
	}
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return code;
}

static int append_scope(sd_bus_message *m, char **argv, const char **bad)
{
	const char *unit = argv[0], *slice = argv[1];
	uint32_t pid = (uint32_t)strtoul(argv[2], NULL, 10);
	int r = sd_bus_message_append(m, "ss", unit, "fail");

	if (!pid)
		return -EINVAL;
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
					  "brig container", "Slice", "s", slice, "Delegate", "b", 1,
					  "PIDs", "au", 1, pid, "MemoryAccounting", "b", 1,
					  "CPUAccounting", "b", 1, "TasksAccounting", "b", 1,
					  "DefaultDependencies", "b", 0);
	if (r >= 0)
		r = append_properties(m, argv + 3, bad);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static int start_scope(sd_bus *bus, int argc, char **argv)
{
	sd_bus_message *m = NULL;
	const char *bad = argv[0];

	if (argc < 3)
		return fail("start-scope", -EINVAL, NULL);
	int r = sd_bus_message_new_method_call(bus, &m, DESTINATION, OBJECT, MANAGER,
					       "StartTransientUnit");
	if (r >= 0)
		r = append_scope(m, argv, &bad);
	int code = r < 0 ? fail(bad, r, NULL) : call_job(bus, m, argv[0], NULL);
	sd_bus_message_unref(m);
	return code;
}

static int set_properties(sd_bus *bus, int argc, char **argv)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	const char *bad = argv[0];

	(void)argc;
	int r = sd_bus_message_new_method_call(bus, &m, DESTINATION, OBJECT, MANAGER,
					       "SetUnitProperties");
	if (r >= 0)
		r = sd_bus_message_append(m, "sb", argv[0], 1); /* runtime: a scope has no file */
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = append_properties(m, argv + 1, &bad);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &error, NULL);
	int code = r < 0 ? fail(bad, r, &error) : 0;
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	return code;
}

static int attach(sd_bus *bus, int argc, char **argv)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;

	if (argc < 3)
		return fail("attach", -EINVAL, NULL);
	int r = sd_bus_call_method(bus, DESTINATION, OBJECT, MANAGER, "AttachProcessesToUnit",
				   &error, NULL, "ssau", argv[0], argv[1], 1,
				   (uint32_t)strtoul(argv[2], NULL, 10));
	int code = r < 0 ? fail(argv[0], r, &error) : 0;
	sd_bus_error_free(&error);
	return code;
}

/* A scope ends by itself with its last process: gone already is success. */
static int stop_unit(sd_bus *bus, int argc, char **argv)
{
	static const char no_such_unit[] = "org.freedesktop.systemd1.NoSuchUnit";
	sd_bus_message *m = NULL;

	(void)argc;
	int r = sd_bus_message_new_method_call(bus, &m, DESTINATION, OBJECT, MANAGER, "StopUnit");
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", argv[0], "replace");
	int code = r < 0 ? fail(argv[0], r, NULL) : call_job(bus, m, argv[0], no_such_unit);
	sd_bus_message_unref(m);
	/* A failed scope (out of memory, for one) would keep the name: best effort. */
	(void)sd_bus_call_method(bus, DESTINATION, OBJECT, MANAGER, "ResetFailedUnit", NULL, NULL,
				 "s", argv[0]);
	return code;
}

static const struct {
	const char *name;
	int (*run)(sd_bus *bus, int argc, char **argv);
} verbs[] = {
	{"start-scope",    start_scope   },
	{"set-properties", set_properties},
	{"attach",         attach        },
	{"stop-unit",      stop_unit     },
};

/*
 * A scope asked for behind the death of its brig, whose process is a zombie by then, would be
 * active for good, and who deletes has looked for it before.  Nobody reads the pipe any more that
 * is our standard error (pipe(7)) where it died before we were to die with it.
 */
static bool die_with_caller(void)
{
	struct pollfd p = {.fd = STDERR_FILENO};

	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	       (poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR));
}

int main(int argc, char **argv)
{
	bool user = argc > 1 && strcmp(argv[1], "--user") == 0;
	sd_bus *bus = NULL;

	if (argc < 4 || (!user && strcmp(argv[1], "--system") != 0)) {
		fprintf(stderr, "usage: brig-systemd --system|--user VERB UNIT [ARGUMENT]...\n");
		return 1;
	}
	if (!die_with_caller())
		return 1;
	int r = user ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);
	if (r < 0)
		return fail("connect to the bus of systemd", r, NULL);
	int code = 1;
	bool known = false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(argv[2], verbs[i].name) != 0)
			continue;
		known = true;
		code = verbs[i].run(bus, argc - 3, argv + 3);
	}
	if (!known)
		fprintf(stderr, "unknown verb %s\n", argv[2]);
	sd_bus_flush_close_unref(bus);
	return code;
}
