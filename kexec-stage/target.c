/* SPDX-License-Identifier: GPL-2.0-only */
#include "target.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "entry.h"
#include "io.h"
#include "kexec.h"

/* Where distributions put a kernel's initramfs: Debian, Fedora, SUSE/Arch. */
static const char *const initrd_names[] = {
	"/boot/initrd.img-%s",
	"/boot/initramfs-%s.img",
	"/boot/initrd-%s",
};

void target_free(struct target *t)
{
	free(t->kernel);
	free(t->initrd);
	free(t->cmdline);
	free(t->name);
	scope_close(&t->kernel_fd);
	scope_close(&t->initrd_fd);
	*t = (struct target)TARGET_INIT;
}

void target_parse_option(struct target_opts *o, int c, const char *value)
{
	switch (c) {
	case 'k':
		o->kernel = value;
		break;
	case 'i':
		o->initrd = value;
		break;
	case 'a':
		o->append = value;
		break;
	case 'c':
		o->cmdline = value;
		break;
	case 'e':
		o->entry = value;
		break;
	}
}

static char *default_initrd(const char *release)
{
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(initrd_names); i++) {
		size_t mark = strcspn(initrd_names[i], "%");

		snprintf(path, sizeof(path), "%.*s%s%s", (int)mark, initrd_names[i], release,
			 initrd_names[i] + mark + 2);
		if (access(path, R_OK) == 0)
			break;
	}
	return strdup(path);
}

/* The release in "vmlinuz-RELEASE", through links like /boot/vmlinuz. */
static int release_of(const char *kernel, char *out, size_t size, struct err *e)
{
	_cleanup_free_ char *real = realpath(kernel, NULL);
	const char *path = real ? real : kernel, *base = strrchr(path, '/');
	static const char prefix[] = "vmlinuz-";

	base = base ? base + 1 : path;
	if (strncmp(base, prefix, strlen(prefix)))
		return err_set(e, ERR_USAGE,
			       "which initramfs belongs to kernel %s cannot be told from its name; "
			       "name it with --initrd",
			       kernel);
	return io_path(out, size, e, "%s", base + strlen(prefix));
}

static int copy(char **out, const char *value, struct err *e)
{
	*out = strdup(value);
	return *out ? 0 : err_sys(e, ENOMEM, "target");
}

/* What the kernel, its entry or the running kernel asks for, and the appends. */
static int complete_cmdline(const struct config *cfg, const struct target_opts *o, struct target *t,
			    struct err *e)
{
	_cleanup_buf_ struct buf now = { 0 };
	_cleanup_free_ char *with_config = NULL, *own = steal_ptr(&t->cmdline);

	if (o->cmdline)
		return copy(&t->cmdline, o->cmdline, e);
	if (!own) {
		if (io_read_file("/proc/cmdline", 65536, &now, e) < 0)
			return -1;
		now.data[strcspn(now.data, "\n")] = '\0';
	}
	with_config = kexec_cmdline_next(own ? own : now.data, cfg->append);
	t->cmdline = with_config ? kexec_cmdline_next(with_config, o->append) : NULL;
	return t->cmdline ? 0 : err_sys(e, ENOMEM, "command line");
}

static int from_entry(const char *name, struct target *t, struct err *e)
{
	struct entry en _cleanup_entry_ = { 0 };

	if (entry_find("", name, &en, e) < 0 || copy(&t->name, name, e) < 0)
		return -1;
	t->kernel = steal_ptr(&en.kernel);
	t->cmdline = steal_ptr(&en.options);
	return en.n ? target_join(t, en.initrds, en.n, e) : 0;
}

static int from_files(const struct config *cfg, const struct target_opts *o, struct target *t,
		      struct err *e)
{
	const char *initrd = o->initrd ? o->initrd : o->kernel ? NULL : cfg->initrd;
	char path[256];
	struct utsname uts;

	uname(&uts);
	snprintf(path, sizeof(path), "/boot/vmlinuz-%s", uts.release);
	if (copy(&t->kernel,
		 o->kernel	     ? o->kernel :
			 cfg->kernel ? cfg->kernel :
				       path,
		 e) < 0 ||
	    copy(&t->name, t->kernel, e) < 0)
		return -1;
	/* The configured initrd belongs to the configured kernel. */
	return initrd ? copy(&t->initrd, initrd, e) : 0;
}

int target_resolve(const struct config *cfg, const struct target_opts *o, struct target *out,
		   struct err *e)
{
	struct target t _cleanup_target_ = TARGET_INIT;
	const char *entry = o->entry ? o->entry : o->kernel ? NULL : cfg->entry;
	char release[128];

	if (o->entry && (o->kernel || o->initrd))
		return err_set(e, ERR_USAGE, "--entry names kernel and initramfs: give it alone");
	if ((entry ? from_entry(entry, &t, e) : from_files(cfg, o, &t, e)) < 0 ||
	    target_unpack(&t, e) < 0)
		return -1;
	if (!t.initrd && entry)
		return err_set(e, ERR_ABSENT, "boot loader entry %s has no initramfs", entry);
	if (!t.initrd) {
		if (t.kernel_fd >= 0)
			return err_set(e, ERR_ABSENT,
				       "%s holds no initramfs; name one with --initrd", t.name);
		if (release_of(t.kernel, release, sizeof(release), e) < 0)
			return -1;
		t.initrd = default_initrd(release);
		if (!t.initrd)
			return err_sys(e, ENOMEM, "target");
	}
	if (complete_cmdline(cfg, o, &t, e) < 0)
		return -1;
	*out = t;
	t = (struct target)TARGET_INIT;
	return 0;
}
