/**
 * A device fetches a text from memory of this program and sends it back, past an IOMMU: `deno run examples/quickstart.ts`.
 *
 * @module
 */
import { DeviceFd, EduDevice, IommuFd, pollUntil, simulated } from "../mod.ts";

/** Returns the text that came back. */
export async function quickstart(): Promise<string> {
  // A machine with one PCI device, a model of QEMU's "edu". It is data and code of this program: nothing real is touched.
  using kernel = await simulated({ pci: [{ slot: "04.0", model: new EduDevice() }] });

  using iommu = IommuFd.open(kernel); // /dev/iommu
  using ioas = iommu.createIoas(); // an I/O address space: what devices attached to it see
  using file = DeviceFd.open(kernel, "0000:00:04.0"); // the only one of this device; it cannot do a thing yet
  using device = file.bind(iommu, { label: 0xed0n }); // now it can be driven; the label names it in faults
  device.attach(ioas); // before this, the IOMMU refuses every DMA of the device

  using source = ioas.createDmaBuffer(4096); // memory at an I/O address: `iova` for the device, `bytes` for us
  using target = ioas.createDmaBuffer(4096);
  const { written: length } = new TextEncoder().encodeInto("Hello, IOMMU!", source.bytes);

  device.config.write16(0x04, device.config.read16(0x04) | 0x6); // PCI command register: answer accesses, do DMA
  const registers = device.bar(0);
  const transfer = async (from: bigint, to: bigint, command: number) => {
    registers.write64(0x80, from);
    registers.write64(0x88, to);
    registers.write64(0x90, BigInt(length));
    registers.write32(0x98, command);
    await pollUntil(kernel, () => (registers.read32(0x98) & 1) === 0); // the device clears the bit when it is done
  };
  await transfer(source.iova, 0x40000n, 1); // memory → the device's own buffer
  await transfer(0x40000n, target.iova, 3); // and back
  return new TextDecoder().decode(target.bytes.subarray(0, length));
}

if (import.meta.main) console.log(await quickstart());
