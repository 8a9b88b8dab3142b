/*
 * The peer of the measurements: what the TypeScript side does, as a C program on the same requests of Linux, without a library.
 *
 * Whatever fails ends the program with a sentence on its standard error: it has nothing to save, and the kernel gives everything back.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u

/* main.c */

/* Ends the program; `errno` is told with it if it is not 0. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Monotonic time in nanoseconds. */
uint64_t now(void);
/* One line of JSON: the samples, in nanoseconds an operation, their median, and what was read. Sorts the samples. */
void report(const char *name, double *samples, size_t count, uint32_t check);

/* device.c */

/* A device that is bound to an iommufd and attached to an IOAS of it. */
struct device {
	int fd;
	int iommufd;
	uint32_t ioas;
	/* Where the next mapping goes. */
	uint64_t next_iova;
};

/* Memory that the device reaches. */
struct memory {
	void *bytes;
	uint64_t iova;
};

/* By its PCI address, "0000:00:04.0". */
struct device open_device(const char *address);
/* Memory of the process, its pages there already. */
void *populated(size_t length);
/* For the requests themselves: false with errno. */
bool ioas_map(const struct device *device, const void *bytes, size_t length, uint64_t iova);
bool ioas_unmap(const struct device *device, uint64_t iova, size_t length);
/* Zeroed memory, a multiple of a page, mapped at an address of its own. */
struct memory allocate(struct device *device, size_t length);
/* BAR 0, mapped. */
volatile uint8_t *map_bar(const struct device *device);
/* Let the device answer to memory accesses and do DMA. */
void enable_master(const struct device *device);
/* The eventfd of an MSI-X vector; vectors below it get one too, which nobody reads. */
int enable_vector(const struct device *device, unsigned vector);

/* nvme.c */

/* A pair of rings. */
struct queue {
	uint32_t *commands;
	volatile uint32_t *completions;
	uint64_t commands_iova;
	uint64_t completions_iova;
	volatile uint32_t *tail_doorbell;
	volatile uint32_t *head_doorbell;
	unsigned entries;
	unsigned tail;
	unsigned head;
	unsigned phase;
};

/* A controller with one I/O queue, in service. */
struct nvme {
	struct device device;
	volatile uint8_t *bar;
	unsigned stride;
	struct queue admin;
	struct queue io;
	uint64_t blocks;
	unsigned block_length;
	/* Where the I/O queue's interrupts arrive; -1: nowhere. */
	int eventfd;
};

/* A command as the device reads it: 16 dwords, most of them 0. */
struct command {
	uint8_t opcode;
	uint16_t id;
	uint32_t namespace;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t d10;
	uint32_t d11;
	uint32_t d12;
};

struct nvme open_nvme(const char *address, unsigned depth, bool interrupts);
void close_nvme(struct nvme *nvme);
/* Write a command into the ring; the doorbell is the caller's. */
void put(struct queue *queue, const struct command *command);
void ring(struct queue *queue);
/* Take the next completion: false if there is none. The doorbell is the caller's. */
bool reap(struct queue *queue, uint16_t *id, uint16_t *status);
void release(struct queue *queue);

/* mapping.c and reads.c */

void measure_map(const char *address, size_t length, unsigned batch, unsigned count);

/* What to read, and how. */
struct reads {
	/* Bytes of a command, a multiple of a page. */
	size_t length;
	/* Commands under way at once. */
	unsigned depth;
	bool random;
	bool interrupts;
	/* Commands of a sample, and samples. */
	unsigned batch;
	unsigned count;
	/* Of the sequence of addresses; not 0. */
	uint32_t seed;
};

void measure_reads(const char *address, const struct reads *reads);

#endif
