/* SPDX-License-Identifier: GPL-2.0-only */
#include "version.h"

#ifndef HOLDOVER_VERSION
#define HOLDOVER_VERSION "unknown"
#endif

const char *const holdover_version = HOLDOVER_VERSION;
