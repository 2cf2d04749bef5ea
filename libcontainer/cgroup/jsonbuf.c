#include "cgroup/jsonbuf.h"

static void put_key(struct json_out *j, const char *key)
{
	if (key)
		json_key(j, key);
}

void put_open(struct json_out *j, const char *key, char bracket)
{
	put_key(j, key);
	if (bracket == '{')
		json_object(j);
	else
		json_array(j);
}

void put_close(struct json_out *j, char bracket)
{
	if (bracket == '}')
		json_end_object(j);
	else
		json_end_array(j);
}

void put_u64(struct json_out *j, const char *key, uint64_t v)
{
	put_key(j, key);
	json_uint(j, v);
}

void put_str(struct json_out *j, const char *key, const char *v)
{
	put_key(j, key);
	json_str(j, v);
}

void put_number(struct json_out *j, const char *key, const char *v)
{
	put_key(j, key);
	json_raw(j, v);
}
