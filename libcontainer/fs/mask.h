#ifndef BRIG_FS_MASK_H
#define BRIG_FS_MASK_H

#include "fs/plan.h"

/*
 * Takes what masks need while the host's /dev is still in sight: a /dev/null that was checked
 * on brig's side, never one from the container (CVE-2025-31133).
 */
int fs_prepare_masks(const struct fs_plan *p, struct fs *fs, struct err *e) MUST_CHECK;

#endif
