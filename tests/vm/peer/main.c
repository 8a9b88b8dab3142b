/* What the command line asks for, and how results are printed. */
#include "peer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
	"peer map ADDRESS LENGTH BATCH SAMPLES\n"
	"peer read ADDRESS LENGTH DEPTH random|sequential polling|interrupts BATCH SAMPLES SEED\n";

void die(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	va_start(arguments, format);
	fputs("peer: ", stderr);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, error == 0 ? "\n" : ": %s\n", strerror(error));
	exit(1);
}

uint64_t now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_MONOTONIC, &time) != 0)
		die("Cannot read the clock");
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int compare(const void *first, const void *second)
{
	double a = *(const double *)first, b = *(const double *)second;

	return (a > b) - (a < b);
}

void report(const char *name, double *samples, size_t count, uint32_t check)
{
	double median;

	qsort(samples, count, sizeof(*samples), compare);
	median = (samples[(count - 1) / 2] + samples[count / 2]) / 2;
	printf("{\"name\":\"%s\",\"median\":%.1f,\"check\":%u,\"samples\":[", name, median, check);
	for (size_t index = 0; index < count; index++)
		printf("%s%.1f", index == 0 ? "" : ",", samples[index]);
	puts("]}");
}

/* A whole number from 1 to `last`. */
static uint64_t number(const char *text, uint64_t last)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value == 0 || value > last) {
		errno = 0;
		die("Cannot use \"%s\": a number from 1 to %llu is needed", text, (unsigned long long)last);
	}
	return value;
}

/* Whether a word is the first of two, which is all that it can be. */
static bool either(const char *text, const char *first, const char *second)
{
	if (strcmp(text, first) == 0)
		return true;
	if (strcmp(text, second) == 0)
		return false;
	die("Cannot use \"%s\": it is %s or %s", text, first, second);
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "map") == 0) {
		size_t length = number(argv[3], 1ull << 40);

		measure_map(argv[2], length, number(argv[4], 1u << 20), number(argv[5], 1u << 20));
		return 0;
	}
	if (argc == 10 && strcmp(argv[1], "read") == 0) {
		struct reads reads = {
			.length = number(argv[3], 1u << 21),
			.depth = number(argv[4], 1023),
			.random = either(argv[5], "random", "sequential"),
			.interrupts = either(argv[6], "interrupts", "polling"),
			.batch = number(argv[7], 1u << 20),
			.count = number(argv[8], 1u << 20),
			.seed = number(argv[9], UINT32_MAX),
		};

		measure_reads(argv[2], &reads);
		return 0;
	}
	fputs(usage, stderr);
	return 2;
}
