#ifndef BRIG_CGROUP_SURVEY_H
#define BRIG_CGROUP_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroup/meters.h"
#include "specs/state.h"

/*
 * Many cgroups looked at one after the other, straight from the records of state.json: without
 * a handle, memory or a look whether each directory is there.  The directories that they stand
 * in are mostly the same few, and stay open.
 */
enum { SURVEY_PARENTS = 32 };
struct cgroup_survey {
	struct survey_parent {
		char *path; /* of len bytes; the survey's own copy */
		size_t len;
		int fd;
	} parents[SURVEY_PARENTS];
	size_t n, next; /* next: which one makes room when all are taken */
};
void cgroup_survey_close(struct cgroup_survey *s); /* a zeroed one is an empty one */

/* As cgroup_meters_read of a handle on the record. */
void cgroup_survey_usage(struct cgroup_survey *s, const struct cgroup_record *r, uint32_t meters,
			 struct cgroup_usage *out);
/* As cgroup_is_frozen. */
bool cgroup_survey_frozen(struct cgroup_survey *s, const struct cgroup_record *r);

/* Pressure stall information: how much of the time some or all processes waited for a resource. */
struct cgroup_stall {
	int64_t avg10;    /* in hundredths of a percent; -1: not told */
	int64_t total_us; /* -1: not told */
};
struct cgroup_pressure {
	struct cgroup_stall some, full;
};
enum cgroup_resource { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURES };
/* From cgroup2's directory, which v1 alone has not. */
void cgroup_survey_pressure(struct cgroup_survey *s, const struct cgroup_record *r,
			    struct cgroup_pressure out[PRESSURES]);
/* The same text from any file, such as /proc/pressure/cpu: cut into pieces. */
void cgroup_pressure_parse(char *text, struct cgroup_pressure *out);

#endif
