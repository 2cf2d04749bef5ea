/* exec --user: what is taken is digits, and means exactly what it says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/creds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[64], uid_text[16], gid_text[16];
	uint32_t uid = 4000000001U, gid = 4000000002U;
	struct err e;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (creds_parse_user(text, &uid, &gid, &e) < 0) {
		if (uid != 4000000001U || gid != 4000000002U)
			abort();
		return 0;
	}
	if (uid == UINT32_MAX || gid == UINT32_MAX || strspn(text, "0123456789:") != strlen(text))
		abort();
	/* Written again, leading zeros aside, the numbers stand in the text. */
	snprintf(uid_text, sizeof(uid_text), "%u", uid);
	snprintf(gid_text, sizeof(gid_text), "%u", gid);
	const char *colon = strchr(text, ':');
	if (text[0] != ':' && !strstr(text, uid_text))
		abort();
	if (colon && !strstr(colon, gid_text))
		abort();
	return 0;
}
