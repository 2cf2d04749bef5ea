#ifndef BRIG_CMD_SIGNALS_H
#define BRIG_CMD_SIGNALS_H

#include <stdbool.h>

/* TERM, SIGTERM, sigterm, 15, 0, SIGRTMIN+3, RTMAX-1: a signal's number; false: none of them. */
bool signal_parse(const char *s, int *sig);

#endif
