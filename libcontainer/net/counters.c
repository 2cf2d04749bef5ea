#include "net/counters.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

/* net/core/net-procfs.c, dev_seq_printf_stats: 8 numbers each way. */
enum { RX_BYTES = 0, RX_PACKETS = 1, TX_BYTES = 8, TX_PACKETS = 9, COLUMNS = 10 };

static bool numbers(char *rest, uint64_t v[COLUMNS])
{
	char *word;
	int n = 0;

	while (n < COLUMNS && (word = strsep(&rest, " ")))
		if (word[0] && !str_u64(word, &v[n++]))
			return false;
	return n == COLUMNS;
}

void net_counters_parse(char *text, struct net_counters *out)
{
	uint64_t v[COLUMNS];
	char *line;

	*out = (struct net_counters){0};
	while ((line = strsep(&text, "\n"))) {
		char *name = line + strspn(line, " ");
		char *colon = strchr(name, ':');

		if (!colon || !numbers(colon + 1, v))
			continue;
		*colon = '\0';
		if (strcmp(name, "lo") == 0)
			continue;
		out->devices++;
		/* Wrapped around is what a counter may do. */
		out->rx_bytes += v[RX_BYTES];
		out->rx_packets += v[RX_PACKETS];
		out->tx_bytes += v[TX_BYTES];
		out->tx_packets += v[TX_PACKETS];
	}
}
