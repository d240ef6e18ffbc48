/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOLDOVER_VERSION_H
#define HOLDOVER_VERSION_H

/** holdover_version - what --version prints; from git describe. */
extern const char *const holdover_version;

#endif
