/* SPDX-License-Identifier: GPL-2.0-only */
/* One disk that the walk's QEMU can be given by descriptor. */
#ifndef HOLDOVER_WALK_QEMU_DISK_H
#define HOLDOVER_WALK_QEMU_DISK_H

#include "json.h"

/** disk_command() - a command that is about such a disk: its value, or NULL
 * with @error; NULL with @error untouched if it is none. The texts are static. */
const char *disk_command(const char *name, yyjson_val *args, const char **error);

/** disk_with_device() - the answer to qom-list, query-block or
 * query-named-block-nodes, @text, with the disk in it if it is there. */
const char *disk_with_device(const char *name, const char *text);

#endif
