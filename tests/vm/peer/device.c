/* iommufd and VFIO's device nodes, as a C program uses them. */
#include "peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Mappings begin here, above what x86 reserves for interrupts. */
#define FIRST_IOVA 0x100000000ull
#define PCI_COMMAND 4
#define PCI_COMMAND_ON 6
#define VECTORS_MAX 8

/* The node of a device: the name of the only folder in its vfio-dev. */
static int open_node(const char *address)
{
	char path[512];
	struct dirent *entry;
	DIR *folder;
	int fd = -1;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", address);
	folder = opendir(path);
	if (folder == NULL)
		die("Cannot find the device node of %s", address);
	while (fd < 0 && (entry = readdir(folder)) != NULL) {
		if (strncmp(entry->d_name, "vfio", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			die("Cannot open %s", path);
	}
	closedir(folder);
	if (fd < 0) {
		errno = 0;
		die("VFIO has no node for %s", address);
	}
	return fd;
}

struct device open_device(const char *address)
{
	struct device device = { .fd = open_node(address), .next_iova = FIRST_IOVA };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	device.iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (device.iommufd < 0)
		die("Cannot open /dev/iommu");
	bind.iommufd = device.iommufd;
	if (ioctl(device.fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) != 0)
		die("Cannot bind %s", address);
	if (ioctl(device.iommufd, IOMMU_IOAS_ALLOC, &alloc) != 0)
		die("Cannot make an IOAS");
	device.ioas = alloc.out_ioas_id;
	attach.pt_id = alloc.out_ioas_id;
	if (ioctl(device.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) != 0)
		die("Cannot attach %s", address);
	return device;
}

void *populated(size_t length)
{
	void *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (bytes == MAP_FAILED)
		die("Cannot get %zu bytes of memory", length);
	return bytes;
}

bool ioas_map(const struct device *device, const void *bytes, size_t length, uint64_t iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = device->ioas,
		.user_va = (uintptr_t)bytes,
		.length = length,
		.iova = iova,
	};

	return ioctl(device->iommufd, IOMMU_IOAS_MAP, &map) == 0;
}

bool ioas_unmap(const struct device *device, uint64_t iova, size_t length)
{
	struct iommu_ioas_unmap unmap = { .size = sizeof(unmap), .ioas_id = device->ioas, .iova = iova, .length = length };

	return ioctl(device->iommufd, IOMMU_IOAS_UNMAP, &unmap) == 0;
}

struct memory allocate(struct device *device, size_t length)
{
	struct memory memory = { .bytes = populated(length), .iova = device->next_iova };

	if (!ioas_map(device, memory.bytes, length, memory.iova))
		die("Cannot map %zu bytes", length);
	device->next_iova += length;
	return memory;
}

static struct vfio_region_info region(const struct device *device, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info) != 0)
		die("Cannot find region %u", index);
	return info;
}

volatile uint8_t *map_bar(const struct device *device)
{
	struct vfio_region_info info = region(device, VFIO_PCI_BAR0_REGION_INDEX);
	/* The table of MSI-X lies in the BAR too; what the kernel does not let be touched, nobody touches. */
	void *bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd, (off_t)info.offset);

	if (bar == MAP_FAILED)
		die("Cannot map BAR 0");
	return bar;
}

void enable_master(const struct device *device)
{
	off_t at = (off_t)region(device, VFIO_PCI_CONFIG_REGION_INDEX).offset + PCI_COMMAND;
	uint16_t command;

	if (pread(device->fd, &command, sizeof(command), at) != sizeof(command))
		die("Cannot read the command register");
	command |= PCI_COMMAND_ON;
	if (pwrite(device->fd, &command, sizeof(command), at) != sizeof(command))
		die("Cannot write the command register");
}

int enable_vector(const struct device *device, unsigned vector)
{
	unsigned count = vector + 1;
	uint32_t storage[(sizeof(struct vfio_irq_set) + VECTORS_MAX * sizeof(int32_t)) / sizeof(uint32_t)];
	struct vfio_irq_set *set = (struct vfio_irq_set *)storage;
	int fds[VECTORS_MAX];

	if (count > VECTORS_MAX)
		die("Cannot enable %u vectors", count);
	for (unsigned index = 0; index < count; index++) {
		fds[index] = eventfd(0, EFD_CLOEXEC);
		if (fds[index] < 0)
			die("Cannot make an eventfd");
	}
	*set = (struct vfio_irq_set){
		.argsz = sizeof(*set) + count * sizeof(*fds),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = count,
	};
	memcpy(set->data, fds, count * sizeof(*fds));
	if (ioctl(device->fd, VFIO_DEVICE_SET_IRQS, set) != 0)
		die("Cannot enable %u vectors", count);
	return fds[vector];
}
