/* SPDX-License-Identifier: GPL-2.0-only */
#include "daxfs.h"

#include <string.h>

static const char *const type_names[DAXFS_TYPES] = {
	[DAXFS_NONE] = "none",
	[DAXFS_EXT4] = "ext4",
	[DAXFS_XFS] = "xfs",
};

const char *daxfs_type_name(enum daxfs_type t)
{
	return type_names[t];
}

int daxfs_type_parse(const char *text, enum daxfs_type *out, struct err *e)
{
	for (enum daxfs_type t = DAXFS_EXT4; t < DAXFS_TYPES; t++) {
		if (strcmp(text, type_names[t]))
			continue;
		*out = t;
		return 0;
	}
	return err_set(e, ERR_USAGE, "'%.40s' is not one of ext4 and xfs", text);
}

/* ext4: superblock at 1024, magic at +0x38, uuid at +0x68, label of 16 bytes at
 * +0x78. xfs: at 0, "XFSB", uuid at +32, label of 12 bytes at +108. */
void daxfs_identify(const uint8_t head[DAXFS_HEAD], struct daxfs *out)
{
	static const char label[12] = DAXFS_LABEL;

	out->type = DAXFS_NONE;
	out->ours = false;
	if (head[0x438] == 0x53 && head[0x439] == 0xef) {
		out->type = DAXFS_EXT4;
		memcpy(out->uuid, head + 0x468, 16);
		out->ours = !memcmp(head + 0x478, label, sizeof(label));
	} else if (!memcmp(head, "XFSB", 4)) {
		out->type = DAXFS_XFS;
		memcpy(out->uuid, head + 32, 16);
		out->ours = !memcmp(head + 108, label, sizeof(label));
	}
}
