/* SPDX-License-Identifier: GPL-2.0-only */
/* The QEMU guest agent of a VM, over the channel that its arguments give it. */
#ifndef HOLDOVER_GUEST_AGENT_H
#define HOLDOVER_GUEST_AGENT_H

#include "vm.h"

/**
 * guest_agent_path() - socket of the agent's channel
 *
 * That is the path of the listening -chardev socket of the -device
 * virtserialport (or isa-serial) with name=org.qemu.guest_agent.0. False if
 * @vm has none, or it is given as JSON.
 */
bool guest_agent_path(const struct vm *vm, char *out, size_t size);

/**
 * struct guest_agent - one conversation: guest-sync-delimited, guest-set-time
 * @path: of the socket
 * @time_ns: called when the agent has shown that it listens: the time to set,
 *	nanoseconds since 1970; 0 ends the conversation
 * @ctx: for @time_ns
 * @done: result: the agent has set the guest's clock
 * @err: result if not @done
 */
struct guest_agent {
	const char *path;
	uint64_t (*time_ns)(void *ctx);
	void *ctx;
	bool done;
	struct err err;
	/* private */
	int64_t deadline;
	int fd;
	int phase;
	uint32_t id;
	char in[2048];
	size_t len;
};

/** guest_agent_run() - all of @ga at once: an agent that has not answered within
 * @timeout_ms is TIMEOUT; one that has is given four seconds more, since it sets
 * the guest's RTC as well. Whatever an agent says, this ends. */
void guest_agent_run(struct guest_agent *ga, unsigned int n, int timeout_ms);

#endif
