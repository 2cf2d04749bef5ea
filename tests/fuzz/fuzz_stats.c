#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup/survey.h"
#include "net/counters.h"
#include "stats.h"

/*
 * The first byte picks the reader, the rest is the file; as the name of a sandbox's path it
 * must not break the lines of OpenMetrics.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void network(char *text)
{
	struct net_counters c;

	net_counters_parse(text, &c);
	if (!c.devices && (c.rx_bytes || c.tx_packets))
		abort();
}

static void pressure(char *text)
{
	struct cgroup_pressure p;

	cgroup_pressure_parse(text, &p);
	if (p.some.avg10 < -1 || p.full.total_us < -1)
		abort();
}

static void metrics(char *text)
{
	struct arena a = {0};
	struct stats_disk disk = {
		text, true, {1, 2, 3, 4}
        };
	struct stats_sandbox box = {.id = "x", .disks = &disk, .n_disks = 1};
	const struct stats s = {.sandboxes = &box, .n = 1};
	size_t len, lines = 0;

	cgroup_usage_unknown(&box.usage);
	const char *out = stats_openmetrics(&a, &s, &len);
	for (const char *p = out; (p = strchr(p, '\n')); p++)
		lines++;
	char plain[] = "p";
	disk.path = plain;
	for (const char *p = stats_openmetrics(&a, &s, NULL); (p = strchr(p, '\n')); p++)
		lines--;
	if (lines || strlen(out) != len)
		abort();
	(void)stats_json(&a, &s, NULL);
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(char *) = {network, pressure, metrics};

	if (!size)
		return 0;
	char *text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	readers[(size_t)data[0] % (sizeof(readers) / sizeof(*readers))](text);
	free(text);
	return 0;
}
