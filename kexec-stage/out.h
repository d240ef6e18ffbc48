/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON on stdout, the same shape in every verb: one object with "version". */
#ifndef HOLDOVER_OUT_H
#define HOLDOVER_OUT_H

#include "host.h"
#include "json.h"

/** out_begin() - a document whose root is an object with "version": 1; NULL
 * when memory is gone, which out_end() reports. */
yyjson_mut_doc *out_begin(void);

/** out_end() - print and free; returns EXIT_DONE, or EXIT_FAILED if anything
 * could not be built or written. */
int out_end(yyjson_mut_doc *doc);

void out_str(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const char *value);
void out_u64(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, uint64_t value);
void out_uuid(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const uint8_t id[16]);

/** out_add_geometry() - members that describe region, namespace and ledger. */
void out_add_geometry(yyjson_mut_doc *d, yyjson_mut_val *o, const struct store *s,
		      const struct ledger_geometry *g);

/** out_add_regions() - "regions": those beside the ledger's own that were found. */
void out_add_regions(yyjson_mut_doc *d, yyjson_mut_val *o, const struct host *h);

/** out_add_ram() - "offset" and "region" of the first of @n parts, "memory" of
 * all, and "ram" with each; @ram, which may be NULL, adds paths. */
void out_add_ram(yyjson_mut_doc *d, yyjson_mut_val *o, const struct extent *x, unsigned int n,
		 const struct ram *ram);

/** out_geometry() - only these. */
int out_geometry(const struct store *s, const struct ledger_geometry *g);

#endif
