#ifndef BRIG_CGROUP_JSONBUF_H
#define BRIG_CGROUP_JSONBUF_H

#include <stdint.h>

#include "specs/json_print.h"

/* Key and value in one call; key NULL: an item of a list. */
void put_open(struct json_out *j, const char *key, char bracket);
void put_close(struct json_out *j, char bracket);
void put_u64(struct json_out *j, const char *key, uint64_t v);
void put_str(struct json_out *j, const char *key, const char *v);
/* A number that is text already. */
void put_number(struct json_out *j, const char *key, const char *v);

#endif
