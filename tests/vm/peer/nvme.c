/* As much of an NVMe driver as reads need (NVMe 1.4): admin queue, one I/O queue, Identify for the size of the first namespace. */
#include "peer.h"

#include <errno.h>
#include <string.h>

enum {
	REGISTER_CAPABILITIES = 0x00,
	REGISTER_CONFIGURATION = 0x14,
	REGISTER_STATUS = 0x1c,
	REGISTER_ADMIN_ATTRIBUTES = 0x24,
	REGISTER_ADMIN_SUBMISSION = 0x28,
	REGISTER_ADMIN_COMPLETION = 0x30,
	REGISTER_DOORBELLS = 0x1000,
};

/* Entries of 64 and 16 bytes, the NVM command set, pages of 4 KiB, enabled. */
#define CONFIGURATION 0x460001u
#define READY 1u
#define FATAL 2u
#define SECONDS_MAX 30ull
#define ADMIN_ENTRIES 32u
#define COMMAND_DWORDS 16u
#define COMPLETION_DWORDS 4u

enum { CREATE_SUBMISSION = 0x01, CREATE_COMPLETION = 0x05, IDENTIFY = 0x06 };

static uint32_t read32(const struct nvme *nvme, unsigned at)
{
	return *(volatile uint32_t *)(nvme->bar + at);
}

static void write32(const struct nvme *nvme, unsigned at, uint32_t value)
{
	*(volatile uint32_t *)(nvme->bar + at) = value;
}

static void write64(const struct nvme *nvme, unsigned at, uint64_t value)
{
	write32(nvme, at, (uint32_t)value);
	write32(nvme, at + 4, (uint32_t)(value >> 32));
}

static void await_ready(const struct nvme *nvme, uint32_t wanted)
{
	uint64_t start = now();
	uint32_t status;

	while (((status = read32(nvme, REGISTER_STATUS)) & READY) != wanted) {
		errno = 0;
		if ((status & FATAL) != 0)
			die("The controller reports a fatal status");
		if (now() - start > SECONDS_MAX * 1000000000u)
			die("The controller did not %s", wanted ? "become ready" : "stop");
	}
}

static size_t whole(size_t length)
{
	return (length + PAGE - 1) / PAGE * PAGE;
}

static struct queue make_queue(struct nvme *nvme, unsigned id, unsigned entries)
{
	struct memory commands = allocate(&nvme->device, whole(entries * COMMAND_DWORDS * 4));
	struct memory completions = allocate(&nvme->device, whole(entries * COMPLETION_DWORDS * 4));
	volatile uint8_t *doorbells = nvme->bar + REGISTER_DOORBELLS + 2 * id * nvme->stride;

	return (struct queue){
		.commands = commands.bytes,
		.completions = completions.bytes,
		.commands_iova = commands.iova,
		.completions_iova = completions.iova,
		.tail_doorbell = (volatile uint32_t *)doorbells,
		.head_doorbell = (volatile uint32_t *)(doorbells + nvme->stride),
		.entries = entries,
		.phase = 1,
	};
}

void put(struct queue *queue, const struct command *command)
{
	uint32_t *entry = queue->commands + queue->tail * COMMAND_DWORDS;

	entry[0] = (uint32_t)command->id << 16 | command->opcode;
	entry[1] = command->namespace;
	entry[6] = (uint32_t)command->prp1;
	entry[7] = (uint32_t)(command->prp1 >> 32);
	entry[8] = (uint32_t)command->prp2;
	entry[9] = (uint32_t)(command->prp2 >> 32);
	entry[10] = command->d10;
	entry[11] = command->d11;
	entry[12] = command->d12;
	queue->tail = queue->tail + 1 == queue->entries ? 0 : queue->tail + 1;
}

void ring(struct queue *queue)
{
	/* The device must not see the doorbell before the commands. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*queue->tail_doorbell = queue->tail;
}

bool reap(struct queue *queue, uint16_t *id, uint16_t *status)
{
	volatile uint32_t *entry = queue->completions + queue->head * COMPLETION_DWORDS;
	uint32_t last = __atomic_load_n(&entry[3], __ATOMIC_ACQUIRE);

	if ((last >> 16 & 1) != queue->phase)
		return false;
	*id = (uint16_t)last;
	*status = (uint16_t)(last >> 17);
	queue->head++;
	if (queue->head == queue->entries) {
		queue->head = 0;
		queue->phase ^= 1;
	}
	return true;
}

void release(struct queue *queue)
{
	*queue->head_doorbell = queue->head;
}

static void admin(struct nvme *nvme, const struct command *command, const char *name)
{
	uint64_t start = now();
	uint16_t id, status;

	put(&nvme->admin, command);
	ring(&nvme->admin);
	while (!reap(&nvme->admin, &id, &status)) {
		errno = 0;
		if (now() - start > SECONDS_MAX * 1000000000u)
			die("%s did not complete", name);
	}
	release(&nvme->admin);
	errno = 0;
	if (status != 0)
		die("%s ended with status 0x%x", name, status);
}

static void identify(struct nvme *nvme)
{
	struct memory answer = allocate(&nvme->device, PAGE);
	const uint8_t *bytes = answer.bytes;

	admin(nvme, &(struct command){ .opcode = IDENTIFY, .namespace = 1, .prp1 = answer.iova }, "Identify");
	memcpy(&nvme->blocks, bytes, sizeof(nvme->blocks));
	nvme->block_length = 1u << bytes[128 + 4 * (bytes[26] & 0xf) + 2];
}

static void create_io(struct nvme *nvme, unsigned entries, bool interrupts)
{
	uint32_t shape = (entries - 1) << 16 | 1;

	nvme->io = make_queue(nvme, 1, entries);
	admin(nvme,
	      &(struct command){
		      .opcode = CREATE_COMPLETION,
		      .prp1 = nvme->io.completions_iova,
		      .d10 = shape,
		      .d11 = interrupts ? 1u << 16 | 3 : 1,
	      },
	      "Create I/O Completion Queue");
	admin(nvme,
	      &(struct command){ .opcode = CREATE_SUBMISSION, .prp1 = nvme->io.commands_iova, .d10 = shape, .d11 = 1u << 16 | 1 },
	      "Create I/O Submission Queue");
}

struct nvme open_nvme(const char *address, unsigned depth, bool interrupts)
{
	struct nvme nvme = { .device = open_device(address), .eventfd = -1 };

	enable_master(&nvme.device);
	nvme.bar = map_bar(&nvme.device);
	nvme.stride = 4u << (read32(&nvme, REGISTER_CAPABILITIES + 4) & 0xf);
	write32(&nvme, REGISTER_CONFIGURATION, 0);
	await_ready(&nvme, 0);
	if (interrupts)
		nvme.eventfd = enable_vector(&nvme.device, 1);
	nvme.admin = make_queue(&nvme, 0, ADMIN_ENTRIES);
	write32(&nvme, REGISTER_ADMIN_ATTRIBUTES, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
	write64(&nvme, REGISTER_ADMIN_SUBMISSION, nvme.admin.commands_iova);
	write64(&nvme, REGISTER_ADMIN_COMPLETION, nvme.admin.completions_iova);
	write32(&nvme, REGISTER_CONFIGURATION, CONFIGURATION);
	await_ready(&nvme, READY);
	identify(&nvme);
	/* A ring is full with one entry free. */
	create_io(&nvme, depth + 1, interrupts);
	return nvme;
}

void close_nvme(struct nvme *nvme)
{
	write32(nvme, REGISTER_CONFIGURATION, 0);
	await_ready(nvme, 0);
}
