/**
 * A machine for the security rules: groups of every kind, with a puppet in each place.
 *
 * @module
 */
import { type Rules, simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { type BoundDevice, DeviceFd, type DmaBuffer, type Ioas, IommuError, type IommuFd } from "../../mod.ts";
import type { Host } from "../harness.ts";
import { Puppet } from "./puppet.ts";

const MEBIBYTE = 2 ** 20;
/** The command register of configuration space, with memory and bus mastering on. */
const COMMAND = 0x04;
const COMMAND_ON = 0x06;

/** A device of the machine: where it is, and what moves it. */
export interface Actor {
  /** PCI address. */
  readonly address: string;
  /** The model. */
  readonly puppet: Puppet;
}

/** A machine with its devices. */
export interface World {
  /** Its kernel. */
  readonly kernel: SimulatedKernel;
  /** Alone in a group. */
  readonly alone: Actor;
  /** Alone in another group. */
  readonly other: Actor;
  /** Functions of one device without ACS: one group, each with its own requester ID. */
  readonly siblings: readonly [Actor, Actor];
  /** Behind a bridge to conventional PCI: one group, one requester ID. */
  readonly aliases: readonly [Actor, Actor];
  /** In a group with a device that a driver of the kernel has. */
  readonly taken: Actor;
}

/** What a case boots machines with. All of them are looked through for leaks at its end. */
export class Worlds {
  #kernels: SimulatedKernel[] = [];

  /** Start a machine. */
  async boot(rules: Rules = {}): Promise<World> {
    const actor = (address: string): Actor => ({ address: `0000:${address}`, puppet: new Puppet() });
    const [alone, other, taken] = [actor("00:04.0"), actor("00:03.0"), actor("00:07.0")];
    const siblings = [actor("00:05.0"), actor("00:05.1")] as const;
    const aliases = [actor("01:01.0"), actor("01:02.0")] as const;
    const kernel = await simulated({
      memory: 8 * MEBIBYTE,
      kernelMemory: 2 * MEBIBYTE,
      rules,
      pci: [
        { slot: "03.0", model: other.puppet },
        { slot: "04.0", model: alone.puppet },
        { slot: "05.0", model: siblings[0].puppet },
        { slot: "05.1", model: siblings[1].puppet },
        {
          kind: "pcie-to-pci",
          slot: "06.0",
          below: [{ slot: "01.0", model: aliases[0].puppet }, { slot: "02.0", model: aliases[1].puppet }],
        },
        { slot: "07.0", model: taken.puppet },
        { slot: "07.1", model: () => new Puppet(), driver: "e1000e" },
      ],
    });
    this.#kernels.push(kernel);
    return { kernel, alone, other, siblings, aliases, taken };
  }

  /** Switch all machines off. Returns what is left over in them. */
  finish(): string[] {
    return this.#kernels.flatMap((kernel) => {
      const { inspect } = kernel;
      const used = Object.entries(inspect.usage).filter(([, count]) => count !== 0).map(([what, count]) => `${count} ${what} in use`);
      const left = [...used, ...inspect.check(), ...inspect.modelErrors.map((error) => `a device model threw: ${String(error)}`)];
      kernel[Symbol.dispose]();
      return left;
    });
  }
}

/** Where the cases of the rules get their machines. */
export const WORLDS: Host<Worlds> = { open: () => Promise.resolve(new Worlds()), close: (worlds) => worlds.finish() };

/** Open and bind a device, and let it do DMA. */
export function bindActor({ kernel }: World, { address }: Actor, iommu: IommuFd, label?: bigint): BoundDevice {
  const device = DeviceFd.open(kernel, address).bind(iommu, label === undefined ? {} : { label });
  allowDma(device);
  return device;
}

/** Let a bound device do DMA. */
export function allowDma(device: BoundDevice): void {
  device.config.write16(COMMAND, COMMAND_ON);
}

/** Memory that an IOAS maps at a fixed address, filled with one value. */
export function filledBuffer(ioas: Ioas, iova: bigint, value: number): DmaBuffer {
  const buffer = ioas.createDmaBuffer(4096, { iova });
  buffer.bytes.fill(value);
  return buffer;
}

/** "OK", or the code of the error that `run` throws. @throws what is no {@linkcode IommuError}. */
export function codeOf(run: () => unknown): string {
  try {
    run();
    return "OK";
  } catch (error) {
    if (error instanceof IommuError) return error.code;
    throw error;
  }
}
