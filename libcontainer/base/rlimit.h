#ifndef BRIG_BASE_RLIMIT_H
#define BRIG_BASE_RLIMIT_H

#include "base/str.h"

/* RLIMIT_AS ... of config.json and their numbers, getrlimit(2). */
extern const struct word rlimit_words[];

#endif
