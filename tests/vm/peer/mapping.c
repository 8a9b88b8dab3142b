/* How long it takes to map memory and unmap it again. */
#include "peer.h"

#include <stdlib.h>

#define IOVA 0x100000000ull

void measure_map(const char *address, size_t length, unsigned batch, unsigned count)
{
	struct device device = open_device(address);
	void *bytes = populated(length);
	double *samples = calloc(count, sizeof(*samples));

	if (samples == NULL)
		die("Cannot keep %u samples", count);
	for (unsigned sample = 0; sample < count; sample++) {
		uint64_t start = now();

		for (unsigned index = 0; index < batch; index++) {
			if (!ioas_map(&device, bytes, length, IOVA))
				die("Cannot map %zu bytes", length);
			if (!ioas_unmap(&device, IOVA, length))
				die("Cannot unmap %zu bytes", length);
		}
		samples[sample] = (double)(now() - start) / batch;
	}
	report("map", samples, count, 0);
	free(samples);
}
