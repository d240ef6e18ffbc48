/* SPDX-License-Identifier: GPL-2.0-only */
/* What the manifest_*.c files share; the interface is manifest.h. */
#ifndef HOLDOVER_MANIFEST_IMPL_H
#define HOLDOVER_MANIFEST_IMPL_H

#include <yyjson.h>

#include "manifest.h"

/** manifest_decode_regions() - the member "regions" of the manifest's root, if
 * there is one. */
_must_check_ int manifest_decode_regions(yyjson_val *root, struct manifest *m, struct err *e);

/** manifest_dup_str() - a text of @obj, owned by the caller. */
_must_check_ int manifest_dup_str(yyjson_val *obj, const char *key, char **out, struct err *e);

/* manifest_ram.c: the parts of a VM's RAM. */
int manifest_decode_ram(yyjson_val *obj, struct manifest_vm *v, struct err *e);
int manifest_check_regions(const struct manifest *m, const struct manifest_vm *v, struct err *e);

/** manifest_add_parts() - the extents beside each VM's first one, to @t. */
int manifest_add_parts(const struct manifest *m, struct extent_table *t, struct err *e);

/* manifest_decode_state.c: where a VM's state is, and of which moment. */
int manifest_decode_blob(yyjson_val *vm, struct blob_ref *b, const struct ledger_geometry *geo,
			 struct err *e);
int manifest_decode_snapshot(yyjson_val *vm, const struct manifest_vm *v,
			     const struct ledger_geometry *geo, struct snapshot *s, struct err *e);
int manifest_decode_canary(yyjson_val *vm, const struct extent *extent, struct canary *c,
			   struct err *e);
int manifest_decode_clock(yyjson_val *root, struct manifest *m, struct err *e);

#endif
