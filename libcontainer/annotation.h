#ifndef BRIG_ANNOTATION_H
#define BRIG_ANNOTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "guard/creds.h"
#include "run/hooks.h"
#include "specs/runtime.h"

/*
 * Annotations of config.json that crun's users know, honoured at level custom, where config.json
 * decides everything:
 *
 *   run.oci.handler               refused: brig has no other way to run a program
 *   run.oci.seccomp.receiver      listenerPath of a seccomp section that has none
 *   run.oci.keep_original_groups  additional groups stay what the caller has
 *   run.oci.hooks.stdout, stderr  files that hooks write to
 */

/* Refuses what cannot be done; puts the receiver into c (a copy of what it changes). */
int annotation_apply(struct arena *a, struct oci_config *c, struct err *e) MUST_CHECK;
void annotation_creds(const struct oci_config *c, struct creds_plan *creds);
/* Opens the files, as the caller of brig sees them; none asked for: both -1. */
int annotation_hook_output(const struct oci_config *c, struct hook_output *out,
			   struct err *e) MUST_CHECK;

#endif
