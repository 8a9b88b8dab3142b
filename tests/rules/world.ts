/**
 * What the security rules need of a machine: groups of every kind, and in each place a device that tries what the test tells it to.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, type DmaBuffer, type Ioas, IommuError, type IommuFd, type Kernel } from "../../mod.ts";
import { check, equal } from "../check.ts";

/** The command register of configuration space, with memory and bus mastering on. */
const COMMAND = 0x04;
const COMMAND_ON = 0x06;

/** What an access that moved nothing came to. */
export const REFUSED = "refused";
/** What a device has in its buffer before it reads memory, and what it writes to memory. */
export const UNTOUCHED = 0xcd;

/** A transfer that is under way. */
export interface Transfer {
  /** Resolves when it is certainly over, whatever came of it. False: it may have been over before this was called. */
  finish(): Promise<boolean>;
}

/** A device of the machine: where it is, and what it can be told to do. */
export interface Actor {
  /** PCI address. */
  readonly address: string;
  /** How it interrupts. */
  readonly interrupts: "msi" | "msix";
  /** Offset in BAR 0 of a register of 32 bits that keeps what is written. */
  readonly register: number;
  /** Take the handle that a program drives the device with, and let the device do DMA. */
  use(device: BoundDevice): void;
  /** Read memory by DMA: the bytes, or {@linkcode REFUSED}, where nothing of the memory came. A device that nobody drives is refused too. */
  reads(iova: bigint, length: number): Promise<Uint8Array | typeof REFUSED>;
  /** Write {@linkcode UNTOUCHED} to memory by DMA, at most 2,048 bytes. */
  writes(iova: bigint, length: number): Promise<"OK" | typeof REFUSED>;
  /** Start to write, as {@linkcode Actor.writes}; it happens after what the caller does before it awaits anything. */
  start(iova: bigint, length: number): Promise<Transfer>;
  /** What the device noticed so far, in whatever form: equal as long as nobody touched it. */
  noticed(): unknown;
}

/** An access that the IOMMU refused. */
export interface Fault {
  /** The label of the device. */
  readonly label: bigint | undefined;
  /** PCI address of the device. */
  readonly address: string;
  /** First address. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: number;
  /** What the device wanted. */
  readonly access: "read" | "write";
  /** Why it was refused, in a word. */
  readonly reason: string;
  /** All of it in a sentence. */
  readonly text: string;
}

/** The rules that differ between machines. */
export interface Rules {
  /** A second open of a device is refused. */
  readonly singleOpen: boolean;
  /** Who must share an IOAS: devices with one requester ID, or all of a group. */
  readonly groupIoas: "requester" | "linux";
}

/** A machine with its devices. */
export interface World {
  /** Its kernel. */
  readonly kernel: Kernel;
  /** The rules that hold there. */
  readonly rules: Rules;
  /** Whether a device is reset when its program closes it. QEMU's edu cannot be. */
  readonly resets: boolean;
  /**
   * Whether devices behind a bridge to conventional PCI reach memory when they are attached. With VT-d in scalable mode Linux 7.3 tells the
   * IOMMU of the devices' own requester IDs, and not of the one that the bridge gives them: all that they try is refused.
   */
  readonly aliasesReach: boolean;
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
  /** What the IOMMU refused since power-on, access by access; undefined where it tells no program: Linux tells its log. */
  faults(): readonly Fault[] | undefined;
}

/** What a case boots machines with. All of them are looked through for leaks at its end. */
export interface Worlds {
  /** Start a machine, by these rules where it has a choice. Without: single open, and IOASes by requester ID. */
  boot(rules?: Partial<Rules>): Promise<World>;
  /** Switch all machines off. Returns what is left over in them. */
  finish(): string[] | Promise<string[]>;
}

/** What is right depends on who must share an IOAS. */
export interface ByGroupIoas<T> {
  /** Devices with one requester ID. */
  readonly requester: T;
  /** All devices of a group. */
  readonly linux: T;
  /** Why it differs. */
  readonly why: string;
}

/** The answer that is right in this world. */
export function inWorld<T>({ rules }: World, answers: ByGroupIoas<T>): T {
  return answers[rules.groupIoas];
}

/** What devices behind a bridge read in this world, where others would read `reads`. */
export function behindBridge<T>({ aliasesReach }: World, reads: readonly T[]): readonly (T | typeof REFUSED)[] {
  return aliasesReach ? reads : reads.map(() => REFUSED);
}

/** Compare the faults so far with what is expected of each, where the machine tells them. */
export function checkFaults(world: World, expected: readonly Partial<Fault>[]): void {
  const faults = world.faults();
  if (faults === undefined) return;
  equal(faults.length, expected.length, "faults");
  for (const [index, wanted] of expected.entries()) {
    const found = Object.fromEntries(Object.keys(wanted).map((name) => [name, faults[index]![name as keyof Fault]]));
    equal(found, wanted, `fault ${index}`);
  }
}

/** Open and bind a device, and let it do DMA. */
export function bindActor({ kernel }: World, actor: Actor, iommu: IommuFd, label?: bigint): BoundDevice {
  const device = DeviceFd.open(kernel, actor.address).bind(iommu, label === undefined ? {} : { label });
  actor.use(device);
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

/** Fail unless a buffer has one value throughout. */
export function isFilled(buffer: DmaBuffer, value: number, message = "memory changed"): void {
  check(buffer.bytes.every((byte) => byte === value), message);
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
