/**
 * A device that does nothing but try to reach memory that is not its own: before it is bound, unattached, outside its ranges, in other IOASes
 * and groups, after detach and after close. A million tries, none of which may succeed.
 */
import { type Bus, type DeviceDescription, type DeviceModel, type DmaFault, simulated } from "../backends/simulated/mod.ts";
import { DeviceFd, type DmaBuffer, IommuFd } from "../mod.ts";
import { check, equal } from "./check.ts";
import { allowDma } from "./rules/world.ts";

const MEBIBYTE = 2 ** 20;
const PAGE = 4096;
const TRIES = 1_000_000;
/** What the device's buffer holds while it reads, what it writes, and what is in memory that it must not reach. */
const UNTOUCHED = 0xcd;
const FORGED = 0xfa;
const SECRET = 0x5e;
/** The longest transfer of a try. */
const LENGTH_MAX = 256;

/** Where memory is that the adversary may know of but must not reach. */
interface Targets {
  /** Where it guesses. */
  readonly iovas: readonly bigint[];
  /** The only range that it may use, if any: none of its tries touches it. */
  readonly own?: { readonly start: bigint; readonly end: bigint };
}

/** The device. Its tries come from the machine's seed. */
class Adversary implements DeviceModel {
  readonly description: DeviceDescription = { vendor: 0x1234, device: 0x0bad, classCode: 0xff0000, bars: [{ index: 0, length: 4096 }] };
  /** Tries by what came of them. */
  readonly outcomes = new Map<DmaFault | "succeeded", number>();
  #bus!: Bus;
  #read!: Uint8Array;
  #write!: Uint8Array;

  connect(bus: Bus): void {
    this.#bus = bus;
    this.#read = bus.allocate(LENGTH_MAX).fill(UNTOUCHED);
    this.#write = bus.allocate(LENGTH_MAX).fill(FORGED);
  }
  reset(): void {}
  read(): number {
    return 0;
  }
  write(): void {}

  /** Refused tries that reached the IOMMU, and those that never left the device. */
  get refused(): { iommu: number; device: number } {
    const device = this.outcomes.get("bus-master-off") ?? 0;
    const all = [...this.outcomes].reduce((sum, [outcome, count]) => sum + (outcome === "succeeded" ? 0 : count), 0);
    return { iommu: all - device, device };
  }

  /** Try `count` times. */
  attack(count: number, targets: Targets): void {
    for (let attempt = 0; attempt < count; attempt++) this.#attempt(targets);
    check(this.#read.every((byte) => byte === UNTOUCHED), "a refused read left bytes in the device");
  }

  #attempt({ iovas, own }: Targets): void {
    const length = 1 + this.#bus.random(LENGTH_MAX);
    const iova = this.#guess(iovas, length);
    if (own !== undefined && own.start < iova + BigInt(length) && iova < own.end) return this.#attempt({ iovas, own });
    const write = this.#bus.random(2) === 1;
    const pasid = this.#bus.random(16) === 0 ? this.#bus.random(1024) : undefined;
    const { dma } = this.#bus;
    const fault = write ? dma.write(iova, this.#write.subarray(0, length), pasid) : dma.read(iova, this.#read.subarray(0, length), pasid);
    const outcome = fault ?? "succeeded";
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  /** Mostly around what is known, sometimes anywhere, low or high. */
  #guess(iovas: readonly bigint[], length: number): bigint {
    const kind = this.#bus.random(8);
    if (kind < 6) return iovas[this.#bus.random(iovas.length)]! + BigInt(this.#bus.random(PAGE - length));
    const random = BigInt(this.#bus.random(2 ** 32)) << 32n | BigInt(this.#bus.random(2 ** 32));
    return kind === 6 ? random & 0xffff_ffffn : random & (1n << 64n) - 1n - BigInt(LENGTH_MAX);
  }
}

/** The victim's memory, in another IOAS and another group, and the adversary's own page between forbidden ones. */
const VICTIM = [0x1000n, 0x1_0000n, 0x20_0000n, 0x4000_0000n];
const OWN = { start: 0x10_0000n, end: 0x10_0000n + BigInt(PAGE) };
const NEIGHBOURS = [OWN.start - BigInt(PAGE), OWN.end, ...VICTIM];

function isSecret(buffers: readonly DmaBuffer[]): void {
  for (const { bytes, iova } of buffers) {
    check(bytes.every((byte) => byte === SECRET), `memory at IOVA 0x${iova.toString(16)} of another device changed`);
  }
}

const IOMMUS = [{ kind: "vtd" }, { kind: "vtd", scalable: true, stage: "first" }, { kind: "amdvi" }, { kind: "amdvi", pageTable: "v2" }, {
  kind: "smmuv3",
}, {
  kind: "riscv",
}] as const;

for (const description of IOMMUS) {
  Deno.test(`none of a million tries of a device to reach memory that is not its own succeeds (${JSON.stringify(description)})`, async () => {
    const [lone, sibling] = [new Adversary(), new Adversary()];
    using kernel = await simulated({
      seed: 20_210_611,
      iommu: description,
      memory: 8 * MEBIBYTE,
      kernelMemory: 2 * MEBIBYTE,
      pci: [
        { slot: "03.0", model: lone },
        { slot: "04.0", model: sibling },
        { slot: "04.1", model: () => new Adversary() },
        { slot: "05.0", model: () => new Adversary() },
      ],
    }, { checks: true });
    using iommu = IommuFd.open(kernel);
    using victims = iommu.createIoas();
    using buffers = new DisposableStack();
    const secrets = VICTIM.map((iova) => buffers.use(victims.createDmaBuffer(PAGE, { iova })));
    for (const { bytes } of secrets) bytes.fill(SECRET);
    // The victims: a device of another group, and one of the sibling's own group, told apart by its requester ID.
    using victim = DeviceFd.open(kernel, "00:05.0").bind(iommu);
    victim.attach(victims);
    using neighbour = DeviceFd.open(kernel, "00:04.1").bind(iommu);
    neighbour.attach(victims);
    const share = TRIES / 10;

    for (const [adversary, address] of [[lone, "00:03.0"], [sibling, "00:04.0"]] as const) {
      adversary.attack(share, { iovas: VICTIM });
      const opened = DeviceFd.open(kernel, address);
      const device = opened.bind(iommu);
      allowDma(device);
      adversary.attack(share, { iovas: VICTIM });
      using ioas = iommu.createIoas();
      using own = ioas.createDmaBuffer(PAGE, { iova: OWN.start });
      own.bytes.fill(1);
      device.attach(ioas);
      adversary.attack(share, { iovas: NEIGHBOURS, own: OWN });
      device.detach();
      adversary.attack(share, { iovas: [OWN.start, ...NEIGHBOURS] });
      check(own.bytes.every((byte) => byte === 1), "a try changed the device's own memory");
      device[Symbol.dispose]();
      adversary.attack(share, { iovas: [OWN.start, ...NEIGHBOURS] });
      isSecret(secrets);
    }

    let tries = 0;
    for (const [adversary, address] of [[lone, "0000:00:03.0"], [sibling, "0000:00:04.0"]] as const) {
      equal(adversary.outcomes.get("succeeded"), undefined);
      tries += [...adversary.outcomes.values()].reduce((sum, count) => sum + count, 0);
      const { faults, heldBack, bytes } = kernel.inspect.device(address);
      equal({ faults, heldBack, bytes }, { faults: adversary.refused.iommu, heldBack: adversary.refused.device, bytes: 0 });
      equal([...adversary.outcomes.keys()].sort(), ["blocked", "bus-master-off", "not-present", "beyond-aperture"].sort());
    }
    equal(tries, TRIES);
    const { faults, faultsLost } = kernel.inspect;
    equal(faults.length + faultsLost, lone.refused.iommu + sibling.refused.iommu, "faults in the log and behind its end");
    equal(kernel.inspect.check(), []);
  });
}
