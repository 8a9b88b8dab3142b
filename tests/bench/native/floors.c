/*
 * Floors of this machine, in nanoseconds, one "name<TAB>figure" a line: plain memory as the core uses it. tests/bench/floors.ts says what each is.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLES 31
#define ENTRIES 512
#define PAGES 262144
#define WALKS 65536

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What the compiler must not see through. */
static void touch(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static uint64_t *pages(size_t bytes)
{
	void *p = aligned_alloc(4096, bytes);

	if (!p)
		exit(1);
	memset(p, 0, bytes);
	return p;
}

static uint64_t *from, *to, *root;
static uint32_t *places;
static volatile uint64_t sink;

static void fill(void)
{
	volatile uint64_t *entry = to;

	for (uint64_t i = 0; i < ENTRIES; i++)
		entry[i] = i << 12 | 3;
}

static void check_fill(void)
{
	volatile uint64_t *entry = to;

	for (uint64_t i = 0; i < ENTRIES; i++) {
		if (entry[i] & 4)
			abort();
		entry[i] = i << 12 | 3;
	}
}

static void set_page(void)
{
	memset(to, 0x55, 4096);
	touch(to);
}

static void copy_page(void)
{
	memcpy(to, from, 4096);
	touch(to);
}

static void copy_64k(void)
{
	memcpy(to, from, 65536);
	touch(to);
}

static inline uint64_t walk(uint32_t page)
{
	uint64_t *table = root;

	for (int shift = 27; shift >= 0; shift -= 9)
		table = (uint64_t *)table[page >> shift & 511];
	return (uint64_t)table;
}

static void walk_independent(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < WALKS; i++)
		sum += walk(places[i]);
	sink = sum;
}

static void walk_dependent(void)
{
	uint64_t found = 0;

	/* A leaf is a number without low bits, so that the next place waits for it and is what it would be. */
	for (int i = 0; i < WALKS; i++)
		found = walk(places[i] ^ (uint32_t)(found & 1));
	sink = found;
}

static void build(void)
{
	uint64_t *two = pages(4096), *one = pages(4096), *leaves = pages(PAGES * 8);
	uint32_t state = 1;

	root = pages(4096);
	root[0] = (uint64_t)two;
	two[0] = (uint64_t)one;
	for (uint64_t i = 0; i < ENTRIES; i++)
		one[i] = (uint64_t)(leaves + i * ENTRIES);
	for (uint64_t i = 0; i < PAGES; i++)
		leaves[i] = i << 12;
	places = malloc(WALKS * sizeof(*places));
	for (int i = 0; i < WALKS; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		places[i] = state % PAGES;
	}
}

/* Prints the median of a call's time, divided by what it does. */
static void measure(const char *name, void (*call)(void), int repeat, double parts)
{
	double samples[SAMPLES];

	for (int i = 0; i < repeat; i++)
		call();
	for (int s = 0; s < SAMPLES; s++) {
		double start = now();

		for (int i = 0; i < repeat; i++)
			call();
		samples[s] = (now() - start) / repeat / parts;
	}
	qsort(samples, SAMPLES, sizeof(*samples), by_size);
	printf("%s\t%.4f\n", name, samples[SAMPLES / 2]);
}

int main(void)
{
	from = pages(65536);
	to = pages(65536);
	build();
	measure("fill", fill, 2000, ENTRIES);
	measure("checkFill", check_fill, 2000, ENTRIES);
	measure("setPage", set_page, 5000, 1);
	measure("copyPage", copy_page, 5000, 1);
	measure("copy64", copy_64k, 500, 1);
	measure("walkIndependent", walk_independent, 10, WALKS);
	measure("walkDependent", walk_dependent, 10, WALKS);
	return 0;
}
