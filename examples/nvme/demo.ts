/**
 * The demonstration: reads a disk whole, compares it with its image, looks at the IOMMU, and has one stray DMA refused; a real disk is written
 * too, if that is asked for.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Settings } from "./arguments.ts";
import { NvmeDriver } from "./driver.ts";
import { type FileSystem, HEAD_LENGTH, recognise } from "./filesystem.ts";
import type { Image } from "./image.ts";
import { type IommuActivity, type NvmeMachine, openHardware, openMachine } from "./machine.ts";
import type { NvmeNamespace } from "./namespace.ts";
import type { Progress } from "./progress.ts";
import { NvmeControllerError } from "./status.ts";
import { provokeStray, type StrayReport } from "./stray.ts";
import { writeBack, type WriteReport } from "./write_back.ts";

/** What fault records call the disk: "NVMe". */
const LABEL = 0x4e56_4d65n;

/** What was found. */
export interface DemoReport {
  /** The image; undefined: a real disk was read, and there is nothing to compare it with. */
  readonly image: { readonly path: string; readonly bytes: number; readonly sha256: string } | undefined;
  /** What is on the disk; undefined if it is nothing that is known. */
  readonly fileSystem: FileSystem | undefined;
  /** The disk and how the driver uses it. */
  readonly disk: {
    readonly address: string;
    readonly model: string;
    readonly serial: string;
    readonly firmware: string;
    readonly version: string;
    readonly queues: number;
    readonly depth: number;
    readonly completions: "interrupts" | "polling";
    readonly transferMax: number;
  };
  /** What was read. */
  readonly read: {
    readonly bytes: number;
    readonly commands: number;
    /** Seconds of waiting for data; hashing it does not count. */
    readonly seconds: number;
    readonly sha256: string;
  };
  /** Both hashes are the same; undefined: there is no image. */
  readonly isEqual: boolean | undefined;
  /** What was written to a real disk; undefined: nothing. */
  readonly write: WriteReport | undefined;
  /** The IOMMU while the disk was read (pages and tables), and altogether (the rest); undefined where the kernel does not tell. */
  readonly iommu: IommuActivity | undefined;
  /** The stray DMA; undefined where the kernel does not tell what became of it, and none is made. */
  readonly stray: StrayReport | undefined;
}

/** What reading the whole disk gave. */
interface Reading {
  readonly sha256: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly commands: number;
  readonly fileSystem: FileSystem | undefined;
  readonly during: IommuActivity | undefined;
}

/** Whether all that was tried went as it should. */
export function isGood({ isEqual, write, stray }: DemoReport): boolean {
  return isEqual !== false && stray?.refused !== false && (write === undefined || (write.isIntact && write.isRestored));
}

/** Run the demonstration: on an image in a simulated machine, or on the real disk of the settings, to be compared with the image if there is one. */
export async function demonstrate(image: Image | undefined, settings: Settings, progress: Progress): Promise<DemoReport> {
  const { queues, depth, poll } = settings;
  using machine = await machineFor(image, settings);
  await using driver = await NvmeDriver.open(machine.kernel, machine.address, {
    queues,
    depth,
    completions: poll ? "polling" : "interrupts",
    label: LABEL,
  });
  const { model, serial, firmware, version } = driver.info;
  const reading = await readWhole(driver, machine, progress);
  const altogether = machine.activity();
  const { during, fileSystem, ...read } = reading;
  const sha256 = await image?.sha256();
  return {
    image: image && sha256 ? { path: image.path, bytes: image.length, sha256 } : undefined,
    fileSystem,
    disk: {
      address: machine.address,
      model,
      serial,
      firmware,
      version,
      queues: driver.queues,
      depth: driver.depth,
      completions: driver.completions,
      transferMax: driver.transferMax,
    },
    read,
    isEqual: sha256 === undefined ? undefined : read.sha256 === sha256,
    write: settings.write ? await writeBack(driver, firstNamespace(driver)) : undefined,
    iommu: altogether && during && { ...altogether, pages: during.pages, tables: during.tables },
    stray: machine.tellsRefusals ? await provokeStray(driver, machine) : undefined,
  };
}

async function machineFor(image: Image | undefined, { device, iommu, queues, depth }: Settings): Promise<NvmeMachine> {
  if (device !== undefined) return await openHardware(device);
  if (image === undefined) throw new TypeError("Cannot simulate a disk without an image");
  return await openMachine(image, { iommu, commands: queues * depth });
}

function firstNamespace(driver: NvmeDriver): NvmeNamespace {
  const [namespace] = driver.namespaces;
  if (namespace === undefined) throw new NvmeControllerError("Cannot read the disk: it has no namespace");
  return namespace;
}

async function readWhole(driver: NvmeDriver, machine: NvmeMachine, progress: Progress): Promise<Reading> {
  const namespace = firstNamespace(driver);
  const hash = createHash("sha256");
  const before = driver.completed;
  let fileSystem: FileSystem | undefined;
  let during: IommuActivity | undefined;
  let bytes = 0;
  let seconds = 0;
  let start = performance.now();
  for await (const piece of namespace.stream()) {
    seconds += (performance.now() - start) / 1000;
    if (bytes === 0) {
      fileSystem = recognise(piece.subarray(0, HEAD_LENGTH));
      during = machine.activity();
    }
    bytes += piece.length;
    hash.update(piece);
    progress.update(bytes, seconds, namespace.info.length);
    start = performance.now();
  }
  return { sha256: hash.digest("hex"), seconds, bytes, commands: driver.completed - before, fileSystem, during };
}
