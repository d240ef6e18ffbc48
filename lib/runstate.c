/* SPDX-License-Identifier: GPL-2.0-only */
#include "runstate.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "json.h"
#include "qemu.h"

#define STATE_MAX (1u << 20)

static int vm_path(char path[256], const char *name, const char *file, struct err *e)
{
	if (vm_name_check(name, e) < 0)
		return -1;
	return io_path(path, 256, e, HOLDOVER_RUN_DIR "/%s/%s", name, file);
}

void runstate_free(struct runstate *rs)
{
	scope_close(&rs->pidfd);
	manifest_free(&rs->m);
	*rs = (struct runstate)RUNSTATE_INIT;
}

int runstate_save(const struct runstate *rs, struct err *e)
{
	_cleanup_json_mut_ yyjson_mut_doc *mut = NULL;
	_cleanup_json_ yyjson_doc *doc = NULL;
	_cleanup_buf_ struct buf json = { 0 };
	_cleanup_free_ char *text = NULL;
	yyjson_mut_val *root;
	char path[256];
	size_t len;

	if (vm_path(path, rs->m.vms[0].vm.name, "state.json", e) < 0 ||
	    manifest_encode(&rs->m, &json, e) < 0)
		return -1;
	doc = yyjson_read(json.data, json.len, 0);
	mut = doc ? yyjson_doc_mut_copy(doc, NULL) : NULL;
	root = yyjson_mut_doc_get_root(mut);
	if (!root || !yyjson_mut_obj_add_sint(mut, root, "pid", rs->pid) ||
	    !yyjson_mut_obj_add_uint(mut, root, "start_time", rs->start_time))
		return err_sys(e, ENOMEM, "%s", path);
	text = yyjson_mut_write(mut, YYJSON_WRITE_PRETTY, &len);
	if (!text)
		return err_sys(e, ENOMEM, "%s", path);
	return io_write_file(path, text, len, 0600, e);
}

static int decode(const char *path, struct runstate *rs, struct err *e)
{
	_cleanup_json_ yyjson_doc *doc = NULL;
	_cleanup_buf_ struct buf json = { 0 };
	struct err gone = { 0 };
	uint64_t pid;
	yyjson_val *root;

	if (io_read_file(path, STATE_MAX, &json, e) < 0 || manifest_decode(&json, NULL, &rs->m, e) < 0)
		return -1;
	doc = yyjson_read(json.data, json.len, 0);
	root = yyjson_doc_get_root(doc);
	if (json_u64(root, "pid", INT32_MAX, &pid, e) < 0 ||
	    json_u64(root, "start_time", UINT64_MAX, &rs->start_time, e) < 0)
		return -1;
	if (rs->m.nvms != 1)
		return err_set(e, ERR_FORMAT, "describes %u VMs", rs->m.nvms);
	rs->pid = (pid_t)pid;
	rs->pidfd = qemu_pid_open(rs->pid, rs->start_time, &gone);
	if (rs->pidfd >= 0 || gone.kind == ERR_ABSENT)
		return 0;
	*e = gone;
	return -1;
}

int runstate_load(const char *name, struct runstate *out, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	char path[256];

	if (vm_path(path, name, "state.json", e) < 0)
		return -1;
	if (decode(path, &rs, e) < 0)
		return err_wrap(e, "%s", path);
	if (strcmp(rs.m.vms[0].vm.name, name))
		return err_set(e, ERR_MISMATCH, "%s describes VM %s", path, rs.m.vms[0].vm.name);
	*out = rs;
	rs = (struct runstate)RUNSTATE_INIT;
	return 0;
}

int runstate_alive(const char *name, struct runstate *out, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct err why = { 0 };

	if (runstate_load(name, &rs, &why) < 0) {
		if (why.kind == ERR_ABSENT)
			return 0;
		return err_set(e, ERR_REFUSED,
			       "nobody can tell whether a QEMU of VM %s is alive (%.600s); if none "
			       "is, remove that file",
			       name, why.msg);
	}
	if (rs.pidfd < 0)
		return 0;
	if (out) {
		*out = rs;
		rs = (struct runstate)RUNSTATE_INIT;
	}
	return 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int runstate_names(char names[VM_MAX][VM_NAME_MAX + 1], struct err *e)
{
	_cleanup_closedir_ DIR *d = opendir(HOLDOVER_RUN_DIR);
	struct err ignored = { 0 };
	struct dirent *de;
	int n = 0;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_sys(e, errno, "reading " HOLDOVER_RUN_DIR);
	while ((de = readdir(d))) {
		char path[256];

		if (vm_path(path, de->d_name, "state.json", &ignored) < 0 || access(path, F_OK) < 0)
			continue;
		if (n == VM_MAX)
			return err_set(e, ERR_REFUSED, "more than %d VMs in " HOLDOVER_RUN_DIR,
				       VM_MAX);
		memcpy(names[n++], de->d_name, strlen(de->d_name) + 1);
	}
	qsort(names, (size_t)n, sizeof(names[0]), by_name);
	return n;
}

int runstate_forget(const char *name, struct err *e)
{
	/* state.json last: while it is there the VM is known. */
	static const char *const files[] = { "paused", "clock", "ctl.sock", "qmp.sock", "state.json" };
	int alive = runstate_alive(name, NULL, e);
	char path[256];

	if (alive < 0)
		return -1;
	/* What it holds would be given to others: SIGKILL does not end a process
	 * that waits for a dead file server. */
	if (alive)
		return err_set(e, ERR_REFUSED,
			       "its QEMU has not ended, not even by SIGKILL, and keeps its RAM and "
			       "disks; 'holdover stop --force %s' once it has",
			       name);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (vm_path(path, name, files[i], e) < 0)
			return -1;
		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(e, errno, "removing %s", path);
	}
	return 0;
}

int runstate_note_lag(const char *name, const struct runstate_lag *lag, struct err *e)
{
	char path[256], text[sizeof(lag->why) + 32], why[sizeof(lag->why)];
	int n;

	if (vm_path(path, name, "clock", e) < 0)
		return -1;
	n = snprintf(text, sizeof(text), "%llu %s\n", (unsigned long long)lag->ms,
		     lag->set ? "set" : json_clean(lag->why, why, sizeof(why)));
	return io_write_file(path, text, (size_t)n, 0600, e);
}

int runstate_read_lag(const char *name, struct runstate_lag *lag, struct err *e)
{
	char path[256], line[256], *end;

	if (vm_path(path, name, "clock", e) < 0 || io_read_line(path, line, sizeof(line), e) < 0)
		return -1;
	lag->ms = strtoull(line, &end, 10);
	if (end == line || *end != ' ')
		return err_set(e, ERR_FORMAT, "%s makes no sense", path);
	lag->set = !strcmp(end + 1, "set");
	snprintf(lag->why, sizeof(lag->why), "%s", lag->set ? "" : end + 1);
	return 0;
}

int runstate_note_pause(const char *name, bool was_running, struct err *e)
{
	const char *text = was_running ? "running\n" : "paused\n";
	char path[256];

	if (vm_path(path, name, "paused", e) < 0)
		return -1;
	return io_write_file(path, text, strlen(text), 0600, e);
}

int runstate_read_pause(const char *name, bool *was_running, struct err *e)
{
	char path[256], line[16];

	if (vm_path(path, name, "paused", e) < 0 || io_read_line(path, line, sizeof(line), e) < 0)
		return -1;
	*was_running = !strcmp(line, "running");
	return 0;
}

int runstate_clear_pause(const char *name, struct err *e)
{
	char path[256];

	if (vm_path(path, name, "paused", e) < 0)
		return -1;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "removing %s", path);
	return 0;
}
