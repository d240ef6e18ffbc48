/* SPDX-License-Identifier: GPL-2.0-only */
/* State records, in the ledger and as this boot remembers them. */
#include <string.h>

#include "json.h"
#include "qemu.h"
#include "runstate.h"

#define NOTE_MAX 4096

static int note_dir(char path[256], const char *name, struct err *e)
{
	if (vm_name_check(name, e) < 0)
		return -1;
	return io_path(path, 256, e, HOLDOVER_RUN_DIR "/%s", name);
}

static int note_path(char path[256], const char *name, struct err *e)
{
	if (vm_name_check(name, e) < 0)
		return -1;
	return io_path(path, 256, e, HOLDOVER_RUN_DIR "/%s/record", name);
}

static int write_note(const char *name, const struct vm_record *rec, struct err *e)
{
	char path[256], ticket[33], boot[33], text[512];
	int n;

	io_hex(rec->ticket_id, 16, ticket);
	io_hex(rec->boot_id, 16, boot);
	n = snprintf(text, sizeof(text),
		     "{\"state\":\"%s\",\"reason\":%u,\"attempt\":%u,\"generation\":%llu,"
		     "\"ticket_id\":\"%s\",\"boot_id\":\"%s\"}\n",
		     vm_state_name(rec->state), (unsigned int)rec->reason, rec->attempt,
		     (unsigned long long)rec->generation, ticket, boot);
	if (note_dir(path, name, e) < 0 || io_mkdir_p(HOLDOVER_RUN_DIR, 0700, e) < 0 ||
	    io_mkdir_p(path, 0700, e) < 0 || note_path(path, name, e) < 0)
		return -1;
	return io_write_file(path, text, (size_t)n, 0600, e);
}

static int decode_note(const struct buf *json, struct vm_record *out, struct err *e)
{
	_cleanup_json_ yyjson_doc *doc = yyjson_read(json->data, json->len, 0);
	yyjson_val *root = yyjson_doc_get_root(doc);
	uint64_t reason, attempt;
	const char *state;

	if (json_str(root, "state", &state, e) < 0 ||
	    json_u64(root, "reason", ERR_KINDS - 1, &reason, e) < 0 ||
	    json_u64(root, "attempt", UINT16_MAX, &attempt, e) < 0 ||
	    json_u64(root, "generation", UINT64_MAX, &out->generation, e) < 0 ||
	    json_hex(root, "ticket_id", out->ticket_id, 16, e) < 0 ||
	    json_hex(root, "boot_id", out->boot_id, 16, e) < 0)
		return -1;
	out->reason = (enum err_kind)reason;
	out->attempt = (unsigned int)attempt;
	for (unsigned int i = VM_NONE; i < VM_STATES; i++) {
		out->state = (enum vm_state)i;
		if (!strcmp(vm_state_name(out->state), state))
			return 0;
	}
	return err_set(e, ERR_FORMAT, "'%.40s' is no state", state);
}

/* 0 also if there is no note: then @out is VM_NONE. */
static int read_note(const char *name, struct vm_record *out, struct err *e)
{
	_cleanup_buf_ struct buf json = { 0 };
	char path[256];

	memset(out, 0, sizeof(*out));
	if (note_path(path, name, e) < 0)
		return -1;
	if (io_read_file(path, NOTE_MAX, &json, e) < 0) {
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e);
		return 0;
	}
	return decode_note(&json, out, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* How far along its way across one jump a state is. What says that the VM may
 * have run outweighs what says that it has not, whichever was written last. */
static const unsigned int ranks[VM_STATES] = {
	[VM_NONE] = 0,	   [VM_SEALED] = 1,  [VM_CLAIMED] = 2, [VM_FAILED] = 3,
	[VM_RELEASED] = 4, [VM_ABORTED] = 5, [VM_RUNNING] = 6, [VM_CONSUMED] = 7,
};

void record_later(struct vm_record *rec, const struct vm_record *note)
{
	unsigned int attempt = rec->attempt > note->attempt ? rec->attempt : note->attempt;

	if (note->state == VM_NONE || note->generation != rec->generation ||
	    memcmp(note->ticket_id, rec->ticket_id, 16))
		return;
	if (ranks[note->state] > ranks[rec->state])
		*rec = *note;
	/* So that setting the count back gives no more attempts. */
	rec->attempt = attempt;
}

int record_read(const struct ledger *l, unsigned int index, const char *name, struct vm_record *out,
		struct err *e)
{
	struct vm_record note;

	if (ledger_record_read(l, index, out, e) < 0 || read_note(name, &note, e) < 0)
		return -1;
	record_later(out, &note);
	return 0;
}

int record_write(struct ledger *l, unsigned int index, const char *name,
		 const struct vm_record *rec, struct err *e)
{
	/* The note second: a ledger that cannot be written must not leave a
	 * note of what never came to be. */
	if (ledger_record_write(l, index, rec, e) < 0)
		return -1;
	return write_note(name, rec, e);
}
