/* SPDX-License-Identifier: GPL-2.0-only */
/* What else on this host loads kernels. */
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "preflight.h"

/* /etc/default/kexec, a piece of shell: LOAD_KEXEC=true, quoted or not. */
static bool says_load(const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct err ignored = { 0 };
	bool load = false;
	char *rest, *line;

	if (io_read_file(path, 65536, &text, &ignored) < 0)
		return false;
	rest = text.data;
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		if (strncmp(line, "LOAD_KEXEC=", 11))
			continue;
		line += 11;
		line += strspn(line, "\"'");
		load = !strncmp(line, "true", 4);
	}
	return load;
}

static bool exists(const char *root, const char *pattern)
{
	glob_t found = { 0 };
	struct err ignored = { 0 };
	char path[4096];
	bool any = io_path(path, sizeof(path), &ignored, "%s%s", root, pattern) == 0 &&
		glob(path, 0, NULL, &found) == 0;

	globfree(&found);
	return any;
}

void preflight_replacers(struct preflight *p, const char *root)
{
	struct err ignored = { 0 };
	char path[4096];

	/* kexec-tools of Debian: with the script, the file decides. */
	if (io_path(path, sizeof(path), &ignored, "%s/etc/default/kexec", root) == 0 &&
	    exists(root, "/etc/init.d/kexec-load") && says_load(path))
		preflight_add(p, FINDING_WARN, "other loaders",
			      "/etc/init.d/kexec-load loads a kernel of its own over Holdover's at a "
			      "reboot; set LOAD_KEXEC=false in /etc/default/kexec");
	/* Enabled by an operator, or by a package. */
	if (exists(root, "/etc/systemd/system/*.wants/kexec-load*.service") ||
	    exists(root, "/usr/lib/systemd/system/*.wants/kexec-load*.service"))
		preflight_add(p, FINDING_WARN, "other loaders",
			      "kexec-load.service loads a kernel of its own over Holdover's; "
			      "'systemctl disable kexec-load.service'");
}
