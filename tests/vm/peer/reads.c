/* How long reads take: a number of them under way at once, each one that completes followed by the next. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define READ 0x02

/* What is read next. */
struct sequence {
	bool random;
	uint32_t state;
	uint64_t next;
	uint64_t places;
};

/* Commands of a sample that were started and that are done. */
struct batch {
	unsigned started;
	unsigned done;
};

struct run {
	struct nvme nvme;
	const struct reads *reads;
	struct sequence sequence;
	struct memory data;
	struct memory lists;
	/* Sum of the first dword of each read: both sides must have the same. */
	uint32_t check;
};

/* xorshift of 32 bits: tests/vm/bench/workload.ts has the same. */
static uint64_t next_place(struct sequence *sequence)
{
	if (!sequence->random)
		return sequence->next++ % sequence->places;
	sequence->state ^= sequence->state << 13;
	sequence->state ^= sequence->state >> 17;
	sequence->state ^= sequence->state << 5;
	return sequence->state % sequence->places;
}

/* The second entry of a command: nothing, the second page, or a list of all but the first. */
static uint64_t second_entry(const struct run *run, unsigned slot, uint64_t iova)
{
	size_t pages = run->reads->length / PAGE;
	uint64_t *list = (uint64_t *)((uint8_t *)run->lists.bytes + (size_t)slot * PAGE);

	if (pages == 1)
		return 0;
	if (pages == 2)
		return iova + PAGE;
	for (size_t page = 1; page < pages; page++)
		list[page - 1] = iova + page * PAGE;
	return run->lists.iova + (uint64_t)slot * PAGE;
}

static void start(struct run *run, unsigned slot)
{
	size_t length = run->reads->length;
	uint32_t blocks = (uint32_t)(length / run->nvme.block_length);
	uint64_t lba = next_place(&run->sequence) * blocks;
	uint64_t iova = run->data.iova + slot * length;
	struct command command = {
		.opcode = READ,
		.id = (uint16_t)slot,
		.namespace = 1,
		.prp1 = iova,
		.prp2 = second_entry(run, slot, iova),
		.d10 = (uint32_t)lba,
		.d11 = (uint32_t)(lba >> 32),
		.d12 = blocks - 1,
	};

	put(&run->nvme.io, &command);
}

/* Completions that are there; each makes room for another command. */
static unsigned serve(struct run *run, struct batch *batch)
{
	unsigned count = 0, started = 0;
	uint16_t id, status;

	while (reap(&run->nvme.io, &id, &status)) {
		errno = 0;
		if (status != 0 || id >= run->reads->depth)
			die("A read ended with status 0x%x", status);
		run->check += *(uint32_t *)((uint8_t *)run->data.bytes + id * run->reads->length);
		count++;
		batch->done++;
		if (batch->started < run->reads->batch) {
			start(run, id);
			batch->started++;
			started++;
		}
	}
	if (count > 0)
		release(&run->nvme.io);
	if (started > 0)
		ring(&run->nvme.io);
	return count;
}

static void await_interrupt(int fd)
{
	uint64_t interrupts;

	if (read(fd, &interrupts, sizeof(interrupts)) != sizeof(interrupts))
		die("Cannot wait for an interrupt");
}

static void run_batch(struct run *run)
{
	struct batch batch = { 0 };

	while (batch.started < run->reads->depth && batch.started < run->reads->batch)
		start(run, batch.started++);
	ring(&run->nvme.io);
	while (batch.done < run->reads->batch) {
		if (run->nvme.eventfd >= 0)
			await_interrupt(run->nvme.eventfd);
		serve(run, &batch);
	}
}

void measure_reads(const char *address, const struct reads *reads)
{
	struct run run = { .nvme = open_nvme(address, reads->depth, reads->interrupts), .reads = reads };
	double *samples = calloc(reads->count, sizeof(*samples));

	if (samples == NULL)
		die("Cannot keep %u samples", reads->count);
	errno = 0;
	if (reads->length % PAGE != 0 || run.nvme.blocks * run.nvme.block_length < reads->length)
		die("Cannot read %zu bytes at once: whole pages that the disk has are needed", reads->length);
	run.data = allocate(&run.nvme.device, reads->depth * reads->length);
	run.lists = allocate(&run.nvme.device, (size_t)reads->depth * PAGE);
	run.sequence = (struct sequence){
		.random = reads->random,
		.state = reads->seed,
		.places = run.nvme.blocks * run.nvme.block_length / reads->length,
	};
	for (unsigned sample = 0; sample < reads->count; sample++) {
		uint64_t start = now();

		run_batch(&run);
		samples[sample] = (double)(now() - start) / reads->batch;
	}
	close_nvme(&run.nvme);
	report("read", samples, reads->count, run.check);
	free(samples);
}
