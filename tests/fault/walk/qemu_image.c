/* SPDX-License-Identifier: GPL-2.0-only */
#include "qemu_image.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scope.h"

#define SLOTS 4
#define TABLE_AT 4096
#define STATE_MAX 8192

/* name[0] == 0: free. */
struct slot {
	char name[64];
	uint64_t id, date_ns, counter, size;
	char state[STATE_MAX];
};

static struct table {
	uint64_t last_id;
	struct slot slot[SLOTS];
} table;
static bool dirty;

/* What is not there yet reads as zero. */
static void fetch(const char *path)
{
	_cleanup_close_ int fd = -1;

	if (dirty)
		return;
	memset(&table, 0, sizeof(table));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && pread(fd, &table, sizeof(table), TABLE_AT) < 0)
		_exit(94);
}

void image_flush(const char *path)
{
	_cleanup_close_ int fd = -1;

	if (!dirty)
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, &table, sizeof(table), TABLE_AT) != sizeof(table))
		_exit(94);
	dirty = false;
}

void image_write(const char *path, uint64_t counter)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && pwrite(fd, &counter, sizeof(counter), 0) < 0)
		_exit(97);
}

bool image_counter(const char *path, uint64_t *counter)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	*counter = 0;
	return fd >= 0 && pread(fd, counter, sizeof(*counter), 0) >= 0;
}

static struct slot *find(const char *tag)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (!strcmp(table.slot[i].name, tag))
			return &table.slot[i];
	return NULL;
}

const char *image_nodes(const char *path)
{
	static char text[4096];
	const char *comma = "";
	size_t n;

	if (access(path, F_OK))
		return "[]";
	fetch(path);
	n = (size_t)snprintf(text, sizeof(text),
			     "[{\"node-name\": \"#n1\", \"drv\": \"qcow2\", \"ro\": false, \"image\": {"
			     "\"filename\": \"%s\", \"snapshots\": [",
			     path);
	for (unsigned int i = 0; i < SLOTS; i++) {
		const struct slot *s = &table.slot[i];

		if (!*s->name)
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%s{\"id\": \"%" PRIu64
				      "\", \"name\": \"%s\", \"vm-state-size\": %" PRIu64
				      ", \"date-sec\": %" PRIu64 ", \"date-nsec\": %" PRIu64
				      ", \"vm-clock-sec\": 0, \"vm-clock-nsec\": %" PRIu64 "}",
				      comma, s->id, s->name, s->size, s->date_ns / 1000000000,
				      s->date_ns % 1000000000, s->counter);
		comma = ", ";
	}
	snprintf(text + n, sizeof(text) - n, "]}}]");
	return text;
}

const char *image_save(const char *path, const char *tag, const char *state, size_t size)
{
	struct slot *s;
	struct timespec t;

	fetch(path);
	s = find("");
	if (!s || size > STATE_MAX || strlen(tag) >= sizeof(s->name))
		return "No space left on device";
	clock_gettime(CLOCK_REALTIME, &t);
	*s = (struct slot){ .id = ++table.last_id,
			    .date_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec,
			    .size = size };
	strcpy(s->name, tag);
	memcpy(s->state, state, size);
	if (!image_counter(path, &s->counter))
		return "No such file or directory";
	dirty = true;
	return NULL;
}

const char *image_load(const char *path, const char *tag, char *state, size_t size, size_t *got)
{
	const struct slot *s;

	fetch(path);
	s = find(tag);
	if (!*tag || !s || s->size > size)
		return "Snapshot does not exist in one or more devices";
	memcpy(state, s->state, s->size);
	*got = s->size;
	image_write(path, s->counter);
	/* New tables, which make the file longer. */
	if (truncate(path, TABLE_AT + (off_t)sizeof(table) + (off_t)(s->date_ns % 8191 + 1)) < 0)
		return "No space left on device";
	return NULL;
}

const char *image_delete(const char *path, const char *tag)
{
	struct slot *s;

	fetch(path);
	s = *tag ? find(tag) : NULL;
	if (!s)
		return "Snapshot does not exist";
	memset(s, 0, sizeof(*s));
	dirty = true;
	image_flush(path);
	return NULL;
}

/* ---- jobs ----------------------------------------------------------------- */

static struct {
	char id[64], why[128];
	bool unsaid;
} job;

void image_job(const char *id, const char *why)
{
	snprintf(job.id, sizeof(job.id), "%s", id);
	snprintf(job.why, sizeof(job.why), "%s", why ? why : "");
	job.unsaid = true;
}

const char *image_jobs(const char **error)
{
	static char text[512];

	(void)error;
	snprintf(text, sizeof(text), "[{\"id\": \"%s\", \"status\": \"concluded\"%s%s%s}]", job.id,
		 *job.why ? ", \"error\": \"" : "", job.why, *job.why ? "\"" : "");
	return *job.id ? text : "[]";
}

const char *image_job_ended(void)
{
	static char text[128];

	if (!job.unsaid)
		return NULL;
	job.unsaid = false;
	snprintf(text, sizeof(text), "{\"id\": \"%s\", \"status\": \"concluded\"}", job.id);
	return text;
}
