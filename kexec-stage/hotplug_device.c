/* SPDX-License-Identifier: GPL-2.0-only */
/* From "DRIVER,KEY=VALUE" to the arguments of device_add. */
#include "hotplug.h"

#include <inttypes.h>
#include <string.h>

#include "vmctl.h"

#define PERIPHERAL "/machine/peripheral"

/* The next word up to a single comma, commas that were doubled made one; in
 * place. NULL at the end. */
static char *next_word(char **rest)
{
	char *word = *rest, *from = word, *to = word;

	if (!word)
		return NULL;
	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return word;
}

static const char *text_of(yyjson_val *obj, const char *key)
{
	const char *text = yyjson_get_str(yyjson_obj_get(obj, key));

	return text ? text : "";
}

/* Of a property; empty if the device has none of that name. */
static const char *type_of(yyjson_val *properties, const char *key)
{
	yyjson_val *p;
	size_t i, max;

	yyjson_arr_foreach(properties, i, max, p)
		if (!strcmp(text_of(p, "name"), key))
			return text_of(p, "type");
	return "";
}

static bool is_one_of(const char *value, const char *a, const char *b, const char *c)
{
	return !strcmp(value, a) || !strcmp(value, b) || !strcmp(value, c);
}

/* ", "KEY": VALUE" at the end of the arguments. */
static int add_quoted(struct device_args *a, const char *key, const char *value, struct err *e)
{
	_cleanup_free_ char *k = json_quote(key), *v = json_quote(value);
	size_t at = strlen(a->text);

	if (!k || !v)
		return err_set(e, ERR_USAGE, "--device: '%s' is not UTF-8", key);
	if (snprintf(a->text + at, sizeof(a->text) - at, ", %s: %s", k, v) >=
	    (int)(sizeof(a->text) - at))
		return err_set(e, ERR_USAGE, "--device: that is too long");
	return 0;
}

static int add_number(struct device_args *a, const char *key, const char *value, struct err *e)
{
	bool negative = *value == '-';
	size_t at = strlen(a->text);
	struct err ignored = { 0 };
	uint64_t n;

	if (io_parse_size(value + negative, &n, &ignored) < 0)
		return err_set(e, ERR_USAGE, "--device: %s: '%s' is not a number", key, value);
	/* @key is a property's name: there is nothing to quote in it. */
	if (snprintf(a->text + at, sizeof(a->text) - at, ", \"%s\": %s%" PRIu64, key,
		     negative ? "-" : "", n) >= (int)(sizeof(a->text) - at))
		return err_set(e, ERR_USAGE, "--device: that is too long");
	return 0;
}

static int add_bool(struct device_args *a, const char *key, const char *value, struct err *e)
{
	bool on = is_one_of(value, "on", "yes", "true");
	size_t at = strlen(a->text);

	if (!on && !is_one_of(value, "off", "no", "false"))
		return err_set(e, ERR_USAGE, "--device: %s is on or off, not '%s'", key, value);
	if (snprintf(a->text + at, sizeof(a->text) - at, ", \"%s\": %s", key,
		     on ? "true" : "false") >= (int)(sizeof(a->text) - at))
		return err_set(e, ERR_USAGE, "--device: that is too long");
	return 0;
}

/* A PCI address is a number to QEMU, yet it means another one as a text. */
static int add_option(struct device_args *a, yyjson_val *properties, char *word, struct err *e)
{
	char *value = strchr(word, '=');
	const char *type;

	if (!value || value == word)
		return err_set(e, ERR_USAGE, "--device: '%s' is not KEY=VALUE", word);
	*value++ = '\0';
	if (is_one_of(word, "id", "drive", "driver"))
		return err_set(e, ERR_USAGE, "--device: %s= is holdover's to give", word);
	type = type_of(properties, word);
	if (!strcmp(type, "bool"))
		return add_bool(a, word, value, e);
	if (strcmp(word, "addr") &&
	    (!strncmp(type, "uint", 4) || !strncmp(type, "int", 3) || !strncmp(type, "size", 4)))
		return add_number(a, word, value, e);
	a->bus_given |= !strcmp(word, "bus");
	return add_quoted(a, word, value, e);
}

/* ---- a place for it ---------------------------------------------------- */

static int qom_list(struct qmp *q, const char *path, struct qmp_msg *m, struct err *e)
{
	_cleanup_free_ char *quoted = json_quote(path);

	if (!quoted)
		return err_set(e, ERR_PROTOCOL, "QEMU names a device that is not UTF-8");
	return qmp_call(q, "qom-list", -1, VMCTL_TIMEOUT_MS, m, e, "{\"path\": %s}", quoted);
}

static bool is_port(const char *type)
{
	return is_one_of(type, "child<pcie-root-port>", "child<ioh3420>",
			 "child<xio3130-downstream>");
}

/* 1 with the name of the bus behind the port at @path if nothing is plugged
 * into it, 0 if something is. */
static int free_bus(struct qmp *q, const char *path, char bus[64], struct err *e)
{
	struct qmp_msg port _cleanup_qmp_msg_ = { 0 }, slots _cleanup_qmp_msg_ = { 0 };
	const char *name = NULL;
	yyjson_val *child;
	char full[512];
	size_t i, max;

	if (qom_list(q, path, &port, e) < 0)
		return -1;
	yyjson_arr_foreach(port.body, i, max, child)
		if (!strcmp(text_of(child, "type"), "child<PCIE>"))
			name = text_of(child, "name");
	if (!name || strlen(name) >= 64)
		return 0;
	if (io_path(full, sizeof(full), e, "%s/%s", path, name) < 0 ||
	    qom_list(q, full, &slots, e) < 0)
		return -1;
	yyjson_arr_foreach(slots.body, i, max, child)
		if (!strncmp(text_of(child, "name"), "child[", 6))
			return 0;
	snprintf(bus, 64, "%s", name);
	return 1;
}

/* Of a port without an id the bus has a name that others have too. */
static int find_port(struct qmp *q, char bus[64], struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *child;
	size_t i, max;

	if (qom_list(q, PERIPHERAL, &m, e) < 0)
		return -1;
	yyjson_arr_foreach(m.body, i, max, child) {
		char path[256];
		int r;

		if (!is_port(text_of(child, "type")))
			continue;
		if (io_path(path, sizeof(path), e, PERIPHERAL "/%s", text_of(child, "name")) < 0)
			return -1;
		r = free_bus(q, path, bus, e);
		if (r)
			return r < 0 ? -1 : 0;
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------- */

static int fill(struct qmp *q, struct device_args *a, yyjson_val *properties, char *rest,
		struct err *e)
{
	char *word;

	while ((word = next_word(&rest)))
		if (add_option(a, properties, word, e) < 0)
			return -1;
	if (!*type_of(properties, "drive"))
		return err_set(e, ERR_REFUSED, "it takes no disk");
	/* Only what sits on a PCI bus has an address there. */
	if (a->bus_given || !*type_of(properties, "addr"))
		return 0;
	if (find_port(q, a->bus, e) < 0)
		return err_wrap(e, "looking for a free port");
	return *a->bus ? add_quoted(a, "bus", a->bus, e) : 0;
}

int hotplug_device(struct qmp *q, const char *device, const char *id, struct device_args *out,
		   struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	_cleanup_free_ char *copy = strdup(device), *quoted = NULL;
	char *rest = copy, *driver = next_word(&rest);

	*out = (struct device_args){ .bus = "" };
	quoted = driver && *driver ? json_quote(driver) : NULL;
	if (!quoted)
		return err_set(e, ERR_USAGE, "--device: '%s' does not begin with a driver", device);
	if (qmp_call(q, "device-list-properties", -1, VMCTL_TIMEOUT_MS, &m, e, "{\"typename\": %s}",
		     quoted) < 0)
		return err_wrap(e, "device %s", driver);
	snprintf(out->text, sizeof(out->text), "\"id\": \"%s\", \"drive\": \"%s\"", id, id);
	if (add_quoted(out, "driver", driver, e) < 0 || fill(q, out, m.body, rest, e) < 0)
		return err_wrap(e, "device %s", driver);
	return 0;
}
