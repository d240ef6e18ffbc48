/* SPDX-License-Identifier: GPL-2.0-only */
#include "target.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

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
	memset(t, 0, sizeof(*t));
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

static int choose(char **out, const char *option, const char *config, char *fallback, struct err *e)
{
	_cleanup_free_ char *own = fallback;

	if (option || config)
		*out = strdup(option ? option : config);
	else
		*out = steal_ptr(&own);
	return *out ? 0 : err_sys(e, ENOMEM, "target");
}

static int build_cmdline(const struct config *cfg, const struct target_opts *o, char **out,
			 struct err *e)
{
	_cleanup_buf_ struct buf now = { 0 };
	_cleanup_free_ char *with_config = NULL;

	if (o->cmdline) {
		*out = strdup(o->cmdline);
		return *out ? 0 : err_sys(e, ENOMEM, "command line");
	}
	if (io_read_file("/proc/cmdline", 65536, &now, e) < 0)
		return -1;
	now.data[strcspn(now.data, "\n")] = '\0';
	with_config = kexec_cmdline_next(now.data, cfg->append);
	*out = with_config ? kexec_cmdline_next(with_config, o->append) : NULL;
	return *out ? 0 : err_sys(e, ENOMEM, "command line");
}

int target_resolve(const struct config *cfg, const struct target_opts *o, struct target *out,
		   struct err *e)
{
	struct target t _cleanup_target_ = { 0 };
	char path[256], release[128] = "";
	struct utsname uts;

	uname(&uts);
	snprintf(path, sizeof(path), "/boot/vmlinuz-%s", uts.release);
	if (choose(&t.kernel, o->kernel, cfg->kernel, strdup(path), e) < 0)
		return -1;
	/* The configured initrd belongs to the configured kernel. */
	if (!o->initrd && (o->kernel || !cfg->initrd) &&
	    release_of(t.kernel, release, sizeof(release), e) < 0)
		return -1;
	if (choose(&t.initrd, o->initrd, o->kernel ? NULL : cfg->initrd, default_initrd(release),
		   e) < 0 ||
	    build_cmdline(cfg, o, &t.cmdline, e) < 0)
		return -1;
	*out = t;
	memset(&t, 0, sizeof(t));
	return 0;
}
