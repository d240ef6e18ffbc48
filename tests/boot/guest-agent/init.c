/* SPDX-License-Identifier: GPL-2.0-only */
/* First program of the guest: starts Debian's qemu-ga, and becomes ../guest/init.c,
 * which ticks. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define AGENT "/sbin/qemu-ga"

/* The port of the only virtio-serial device. */
static int find_port(char path[64])
{
	DIR *dev = opendir("/dev");
	const struct dirent *d;
	int found = 0;

	while (dev && (d = readdir(dev)) && !found)
		found = !strncmp(d->d_name, "vport", 5) &&
			snprintf(path, 64, "/dev/%.50s", d->d_name) > 0;
	if (dev)
		closedir(dev);
	return found;
}

/* The kernel makes the port when the host has told it of it, and tells nobody
 * here when that is. */
static int run_agent(void)
{
	char port[64];

	while (!find_port(port))
		poll(NULL, 0, 50);
	for (int fd = 0; fd < 3; fd++) {
		close(fd);
		if (open("/dev/null", O_RDWR) != fd)
			return 1;
	}
	execl(AGENT, AGENT, "--method=virtio-serial", "--path", port, "--statedir=/run",
	      (char *)NULL);
	return 1;
}

int main(void)
{
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	if (!fork())
		_exit(run_agent());
	execl("/tick", "/init", (char *)NULL);
	return 1;
}
