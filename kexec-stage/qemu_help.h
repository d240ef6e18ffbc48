/* SPDX-License-Identifier: GPL-2.0-only */
/* What a QEMU program says about itself. */
#ifndef HOLDOVER_QEMU_HELP_H
#define HOLDOVER_QEMU_HELP_H

#include "io.h"

/** qemu_help() - what `QEMU OPTION help` prints, e.g. "-machine" or "-L"; of the
 * program on disk, which may be newer than the one that runs. */
_must_check_ int qemu_help(const char *qemu, const char *option, struct buf *out, struct err *e);

#endif
