/* SPDX-License-Identifier: GPL-2.0-only */
#include "preflight.h"

#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kexec.h"
#include "ledger.h"
#include "ledger_format.h"

void preflight_add(struct preflight *p, enum finding_level level, const char *what, const char *fmt,
		   ...)
{
	struct finding *f = &p->item[p->n];
	va_list ap;

	if (p->n == FINDINGS_MAX)
		return;
	p->n++;
	p->failed += level == FINDING_FAIL;
	p->warned += level == FINDING_WARN;
	f->level = level;
	snprintf(f->what, sizeof(f->what), "%s", what);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

int preflight_error(const struct preflight *p, struct err *e)
{
	char list[900] = "";

	if (!p->failed)
		return 0;
	for (unsigned int i = 0; i < p->n; i++) {
		size_t at = strlen(list);

		if (p->item[i].level == FINDING_FAIL)
			snprintf(list + at, sizeof(list) - at, "%s%s: %s", at ? "; " : "",
				 p->item[i].what, p->item[i].text);
	}
	return err_set(e, ERR_REFUSED, "%s", list);
}

/* The options without which the next kernel cannot give the RAM back. An
 * option that may be a module is found as =y and =m alike. */
static const struct {
	const char *name;
	const char *why;
} kernel_options[] = {
	{ "CONFIG_X86_PMEM_LEGACY", "memmap=SIZE!START becomes a region" },
	{ "CONFIG_LIBNVDIMM", "regions and namespaces" },
	{ "CONFIG_BLK_DEV_PMEM", "claims the namespace and reads its info block" },
	{ "CONFIG_NVDIMM_PFN", "struct pages for the namespace" },
	{ "CONFIG_NVDIMM_DAX", "device-DAX namespaces" },
	{ "CONFIG_DEV_DAX", "/dev/daxX.Y" },
	{ "CONFIG_DEV_DAX_PMEM", "binds device DAX to the namespace" },
};

/* A line "CONFIG_X=y" or "CONFIG_X=m". */
static bool option_set(const char *config, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = config; (p = strstr(p, name)); p += n)
		if ((p == config || p[-1] == '\n') && p[n] == '=' &&
		    (p[n + 1] == 'y' || p[n + 1] == 'm'))
			return true;
	return false;
}

/* Beside the kernel under its name, or where distributions put it under the
 * release. */
static int read_options(const struct target *t, struct buf *out, char *path, size_t size)
{
	const char *base = strrchr(t->kernel, '/'), *dash = strrchr(base ? base : t->kernel, '-');
	char release[128];
	struct err e = { 0 };

	if (dash &&
	    io_path(path, size, &e, "%.*s/config%s", (int)(base ? base - t->kernel : 1),
		    base ? t->kernel : ".", dash) == 0 &&
	    io_read_file(path, 4 << 20, out, &e) == 0)
		return 0;
	if (kexec_release(t->kernel, release, sizeof(release), &e) < 0)
		return -1;
	if (io_path(path, size, &e, "/boot/config-%s", release) == 0 &&
	    io_read_file(path, 4 << 20, out, &e) == 0)
		return 0;
	return io_path(path, size, &e, "/lib/modules/%s/config", release) < 0 ?
		-1 :
		io_read_file(path, 4 << 20, out, &e);
}

static void check_options(struct preflight *p, const struct target *t)
{
	_cleanup_buf_ struct buf config = { 0 };
	bool missing = false;
	char path[4096];

	if (read_options(t, &config, path, sizeof(path)) < 0) {
		preflight_add(p, FINDING_WARN, "kernel options",
			      "cannot be looked at: there is no config file of %s", t->name);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(kernel_options); i++) {
		if (option_set(config.data, kernel_options[i].name))
			continue;
		missing = true;
		preflight_add(p, FINDING_FAIL, "kernel options",
			      "%s is built without %s (%s); use another kernel", t->name,
			      kernel_options[i].name, kernel_options[i].why);
	}
	if (!missing)
		preflight_add(p, FINDING_OK, "kernel options", "%s has what Holdover needs", path);
}

static void check_initrd(struct preflight *p, const char *initrd)
{
	struct err e = { 0 };
	char said[32];
	int has;

	if (access(initrd, R_OK) < 0) {
		preflight_add(p, FINDING_FAIL, "initrd", "%s cannot be read; name it with --initrd",
			      initrd);
		return;
	}
	has = kexec_initrd_has_module(initrd, &e);
	if (has < 0)
		preflight_add(p, FINDING_FAIL, "initrd", "%s", e.msg);
	else if (!has)
		preflight_add(p, FINDING_FAIL, "initrd",
			      "%s does not contain holdover-agent; build it anew with 'dracut "
			      "--force --add holdover'",
			      initrd);
	else if (kexec_initrd_agent(initrd, said, sizeof(said), &e) != 1)
		preflight_add(p, FINDING_WARN, "initrd",
			      "%s contains a holdover-agent that reads ledgers up to format %s and "
			      "not those of this program (%s); what it cannot read waits for "
			      "holdover-resume.service; build it anew with 'dracut --force'",
			      initrd, *said ? said : "1.1",
			      ledger_reads + strlen(LEDGER_FORMAT_MARK));
	else
		preflight_add(p, FINDING_OK, "initrd", "%s contains holdover-agent", initrd);
}

/* An initramfs of another kernel has no driver that this one could load. */
static void check_modules(struct preflight *p, const struct target *t)
{
	struct err e = { 0 };
	char release[128], path[256];
	int has;

	if (kexec_release(t->kernel, release, sizeof(release), &e) < 0)
		return; /* what it is shows when it is loaded */
	has = kexec_initrd_has_modules(t->initrd, release, &e);
	snprintf(path, sizeof(path), "/lib/modules/%s", release);
	if (has == 0)
		preflight_add(p, access(path, F_OK) < 0 ? FINDING_WARN : FINDING_FAIL, "initrd",
			      "%s has no modules of kernel %s; name the one that belongs to it with "
			      "--initrd, or build it with 'dracut --force --kver %s'",
			      t->initrd, release, release);
}

static void check_cmdline(struct preflight *p, const char *cmdline)
{
	struct pmem_range ranges[PMEM_RANGES_MAX];
	struct err e = { 0 };
	int n = pmem_iomem_ranges(ranges, &e);

	if (kexec_cmdline_off(cmdline))
		preflight_add(p, FINDING_FAIL, "command line",
			      "rd.holdover= tells the agent to do nothing; leave it out with "
			      "--cmdline");
	if (n < 0 || kexec_cmdline_check(cmdline, ranges, n, &e) < 0)
		preflight_add(p, FINDING_FAIL, "command line", "%s", e.msg);
	else
		preflight_add(p, FINDING_OK, "command line",
			      "covers %d persistent range%s of this boot", n, n == 1 ? "" : "s");
}

static void check_lockdown(struct preflight *p)
{
	char line[128];
	struct err e = { 0 };
	uint64_t disabled;

	if (io_read_u64("/proc/sys/kernel/kexec_load_disabled", &disabled, &e) == 0 && disabled)
		preflight_add(p, FINDING_FAIL, "kexec",
			      "kernel.kexec_load_disabled is set until the next ordinary reboot");
	if (access("/sys/kernel/kexec_loaded", F_OK) < 0)
		preflight_add(p, FINDING_FAIL, "kexec", "this kernel is built without kexec");
	if (io_read_line("/sys/kernel/security/lockdown", line, sizeof(line), &e) < 0 ||
	    strstr(line, "[none]"))
		preflight_add(p, FINDING_OK, "lockdown", "off");
	else
		preflight_add(p, FINDING_WARN, "lockdown",
			      "%s: the next kernel must carry a signature that this one trusts",
			      line);
}

static void check_kernel(struct preflight *p, const struct target *t)
{
	struct err e = { 0 };

	if (access(t->kernel, R_OK) < 0) {
		preflight_add(p, FINDING_FAIL, "kernel", "%s cannot be read; name it with --kernel",
			      t->name);
		return;
	}
	if (kexec_image_whole(t->kernel, &e) < 0)
		preflight_add(p, FINDING_FAIL, "kernel", "%s", e.msg);
	else
		preflight_add(p, FINDING_OK, "kernel", "%s", t->name);
	check_options(p, t);
}

void preflight_target(struct preflight *p, const struct target *t)
{
	check_kernel(p, t);
	check_initrd(p, t->initrd);
	check_modules(p, t);
	check_cmdline(p, t->cmdline);
	check_lockdown(p);
}
