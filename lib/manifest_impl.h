/* SPDX-License-Identifier: GPL-2.0-only */
/* What the manifest_*.c files share; the interface is manifest.h. */
#ifndef HOLDOVER_MANIFEST_IMPL_H
#define HOLDOVER_MANIFEST_IMPL_H

#include <yyjson.h>

#include "manifest.h"

/** manifest_decode_regions() - the member "regions" of the manifest's root, if
 * there is one. */
_must_check_ int manifest_decode_regions(yyjson_val *root, struct manifest *m, struct err *e);

/* manifest_decode_state.c: where a VM's state is, and of which moment. */
int manifest_decode_blob(yyjson_val *vm, struct blob_ref *b, const struct ledger_geometry *geo,
			 struct err *e);
int manifest_decode_snapshot(yyjson_val *vm, const struct manifest_vm *v,
			     const struct ledger_geometry *geo, struct snapshot *s, struct err *e);
int manifest_decode_canary(yyjson_val *vm, const struct extent *extent, struct canary *c,
			   struct err *e);
int manifest_decode_clock(yyjson_val *root, struct manifest *m, struct err *e);

#endif
