/**
 * The NVMe example's rings by hand: what reads cost without the promises, the scheduler and the event loop of its driver.
 *
 * @module
 */
import { Area } from "../../../examples/nvme/prp.ts";
import { openRings, type Rings } from "../../../examples/nvme/rings.ts";
import { DeviceFd, IommuFd } from "../../../mod.ts";
import { type Bench, WARM_UPS } from "./typed.ts";
import { type ReadWork, type Round, sequenceOf, type Side } from "./workload.ts";

const READ = 0x02;

/** The commands of one sample. */
class Batch {
  #rings: Rings;
  #work: ReadWork;
  #next: () => number;
  #buffers: readonly Area[];
  /** By the identifier of the command that reads into it. */
  #byId: Area[] = [];
  #left = 0;
  #open = 0;
  check = 0;

  constructor(rings: Rings, work: ReadWork, next: () => number, buffers: readonly Area[]) {
    [this.#rings, this.#work, this.#next, this.#buffers] = [rings, work, next, buffers];
  }

  run(relax: () => void): void {
    const { queue } = this.#rings;
    this.#left = this.#work.batch;
    for (const buffer of this.#buffers) this.#put(buffer);
    queue.ring();
    while (this.#open > 0) {
      if (queue.reap() > 0) queue.ring();
      else relax();
    }
  }

  #put(buffer: Area): void {
    if (this.#left-- <= 0) return;
    const { queue, namespace } = this.#rings;
    const { length } = this.#work;
    const blocks = length / namespace.blockLength;
    const { low, high } = buffer;
    const id = queue.putBlocks(READ, namespace.id, this.#next() * blocks, blocks, low, high, length, this.#done);
    this.#byId[id] = buffer;
    this.#open++;
  }

  #done = (id: number, status: number): void => {
    if (status !== 0) throw new Error(`A read ended with status 0x${status.toString(16)}`);
    const buffer = this.#byId[id]!;
    this.check = (this.check + buffer.view.getUint32(0, true)) >>> 0;
    this.#open--;
    this.#put(buffer);
  };
}

async function readRound({ kernel, nvme }: Bench, work: ReadWork, seed: number): Promise<Round> {
  using stack = new DisposableStack();
  const iommu = stack.use(IommuFd.open(kernel));
  const ioas = stack.use(iommu.createIoas());
  const device = stack.use(stack.use(DeviceFd.open(kernel, nvme)).bind(iommu));
  device.attach(ioas);
  const rings = await openRings(kernel, device, ioas, { depth: work.depth, transferMax: work.length }, stack);
  try {
    const buffers = Array.from({ length: work.depth }, () => {
      const { iova, bytes } = stack.use(ioas.createDmaBuffer(work.length));
      return new Area(iova, bytes);
    });
    const places = Math.floor(rings.namespace.length / work.length);
    const batch = new Batch(rings, work, sequenceOf(work.order, seed, places), buffers);
    const relax = () => kernel.relax();
    const times: number[] = [];
    for (let sample = 0; sample < work.samples; sample++) {
      const start = performance.now();
      batch.run(relax);
      times.push((performance.now() - start) * 1e6 / work.batch);
    }
    return { samples: times, check: batch.check };
  } finally {
    await rings.stop();
  }
}

/** Reads by polling, without the driver around the rings. */
export function ringsSide(bench: Bench): Side {
  return {
    name: "TypeScript, rings only",
    warmUps: WARM_UPS,
    run: async (work, seed) => work.kind === "read" && work.completions === "polling" ? await readRound(bench, work, seed) : undefined,
  };
}
