/**
 * The TypeScript sides: the typed API and the NVMe example's driver, and requests whose bytes are there already.
 *
 * @module
 */
import { NvmeDriver } from "../../../examples/nvme/driver.ts";
import { type BoundDevice, DeviceFd, type Ioas, IommuFd, type Kernel, type UserMemory } from "../../../mod.ts";
import { IOAS_MAP, IOAS_UNMAP, IoasMapSize, IoasUnmapSize, putIoasMap, putIoasUnmap } from "../../../uapi/codec.ts";
import { MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../uapi/kernel.ts";
import { type MapWork, type ReadWork, type Round, sequenceOf, type Side } from "./workload.ts";

const IOVA = 0x1_0000_0000n;
/** Rounds until V8 has compiled what they run. */
export const WARM_UPS = 5;
/** Fixed, readable, writable. */
const MAP_FLAGS = 7;

/** What is measured on. */
export interface Bench {
  /** The kernel. */
  readonly kernel: Kernel;
  /** PCI address of a device to attach, for mappings. */
  readonly plain: string;
  /** PCI address of an NVMe controller. */
  readonly nvme: string;
}

/** Memory of the process whose pages are there. */
class Populated implements UserMemory, Disposable {
  readonly address: bigint;
  #kernel: Kernel;

  constructor(kernel: Kernel, readonly length: number) {
    this.#kernel = kernel;
    this.address = kernel.mmap(0n, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (this.address < 0n) throw new Error(`Cannot get ${length} bytes of memory: ${this.address}`);
  }

  [Symbol.dispose](): void {
    this.#kernel.munmap(this.address, this.length);
  }
}

/** Times `batch` calls, `samples` times. Each is started by hand, so that the loop is the same for all. */
function sample({ batch, samples }: MapWork, once: () => void): Round {
  const times: number[] = [];
  for (let round = 0; round < samples; round++) {
    const start = performance.now();
    for (let index = 0; index < batch; index++) once();
    times.push((performance.now() - start) * 1e6 / batch);
  }
  return { samples: times, check: 0 };
}

/** Give `use` an IOAS that a device is attached to. */
function withIoas({ kernel, plain }: Bench, use: (ioas: Ioas, iommu: IommuFd) => Round): Round {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using file = DeviceFd.open(kernel, plain);
  using device: BoundDevice = file.bind(iommu);
  device.attach(ioas);
  return use(ioas, iommu);
}

function typedMaps(bench: Bench, work: MapWork): Round {
  using memory = new Populated(bench.kernel, work.length);
  const options = { iova: IOVA };
  return withIoas(bench, (ioas) =>
    sample(work, () => {
      ioas.map(memory, options);
      ioas.unmap(IOVA, memory.length);
    }));
}

function rawMaps(bench: Bench, work: MapWork): Round {
  const { kernel } = bench;
  using memory = new Populated(kernel, work.length);
  using map = kernel.block(IoasMapSize);
  using unmap = kernel.block(IoasUnmapSize);
  const length = BigInt(work.length);
  return withIoas(bench, ({ id }, { fd }) => {
    putIoasMap(map.view, 0, { flags: MAP_FLAGS, ioasId: id, userVa: memory.address, length, iova: IOVA });
    return sample(work, () => {
      putIoasUnmap(unmap.view, 0, { ioasId: id, iova: IOVA, length });
      const result = kernel.ioctl(fd, IOAS_MAP, map) || kernel.ioctl(fd, IOAS_UNMAP, unmap);
      if (result < 0) throw new Error(`A raw request ended with ${result}`);
    });
  });
}

async function typedReads({ kernel, nvme }: Bench, work: ReadWork, seed: number): Promise<Round> {
  const { length, depth, order, completions, batch, samples } = work;
  await using driver = await NvmeDriver.open(kernel, nvme, { queues: 1, depth, completions });
  const [namespace] = driver.namespaces;
  if (namespace === undefined) throw new Error(`The controller at ${nvme} has no namespace`);
  using stack = new DisposableStack();
  const buffers = Array.from({ length: depth }, () => stack.use(driver.ioas.createDmaBuffer(length)));
  const blocks = length / namespace.info.blockLength;
  const next = sequenceOf(order, seed, Math.floor(namespace.info.length / length));
  const times: number[] = [];
  let check = 0;
  for (let round = 0; round < samples; round++) {
    const start = performance.now();
    let left = batch;
    await Promise.all(buffers.map(async ({ bytes, view }) => {
      while (left-- > 0) {
        await namespace.read(next() * blocks, bytes);
        check = (check + view.getUint32(0, true)) >>> 0;
      }
    }));
    times.push((performance.now() - start) * 1e6 / batch);
  }
  return { samples: times, check };
}

/** The typed API and the driver on it. */
export function typedSide(bench: Bench): Side {
  return {
    name: "TypeScript",
    warmUps: WARM_UPS,
    run: (work, seed) => work.kind === "map" ? Promise.resolve(typedMaps(bench, work)) : typedReads(bench, work, seed),
  };
}

/** The seam alone: what a system call costs from JavaScript, without types. */
export function rawSide(bench: Bench): Side {
  return { name: "raw ioctl", warmUps: WARM_UPS, run: (work) => Promise.resolve(work.kind === "map" ? rawMaps(bench, work) : undefined) };
}
