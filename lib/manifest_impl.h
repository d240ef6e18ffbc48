/* SPDX-License-Identifier: GPL-2.0-only */
/* What the manifest_*.c files share; the interface is manifest.h. */
#ifndef HOLDOVER_MANIFEST_IMPL_H
#define HOLDOVER_MANIFEST_IMPL_H

#include <yyjson.h>

#include "manifest.h"

/** manifest_decode_regions() - the member "regions" of the manifest's root, if
 * there is one. */
_must_check_ int manifest_decode_regions(yyjson_val *root, struct manifest *m, struct err *e);

#endif
