/**
 * The NVMe driver when things go wrong: a controller that dies or is late, a kernel that refuses, a device that is no controller.
 *
 * @module
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { NvmeDriver } from "../../examples/nvme/driver.ts";
import { NvmeControllerError, NvmeError, NvmeTimeoutError } from "../../examples/nvme/status.ts";
import {
  type BlockSource,
  DeviceFd,
  EduDevice,
  IommuError,
  IommuFd,
  type Kernel,
  memoryMedia,
  NvmeController,
  simulated,
  type SimulatedKernel,
} from "../../mod.ts";
import { type FaultCall, faults } from "../../backends/wrap/mod.ts";
import { ADDRESS, checkClean, DISK_LENGTH, diskMachine, onDisk, pattern } from "./disk.ts";

/** An NVMe controller whose register reads a test bends. */
class BentController extends NvmeController {
  /** What reads of a register answer instead. */
  bend: (offset: number, value: number) => number = (_offset, value) => value;

  override read(bar: number, offset: number, width: 1 | 2 | 4): number {
    return this.bend(offset, super.read(bar, offset, width));
  }
}

const STATUS = 0x1c;
const CAPABILITIES = 0x00;
const CAPABILITIES_HIGH = 0x04;

async function onBent(use: (kernel: SimulatedKernel, model: BentController) => Promise<void>): Promise<void> {
  const model = new BentController({ namespaces: [{ media: memoryMedia(DISK_LENGTH) }] });
  using kernel = await simulated({ pci: [{ slot: "04.0", model }] }, { checks: true });
  await use(kernel, model);
  checkClean(kernel);
}

/** The device can be opened and used: whatever went before has left nothing behind. */
async function works(kernel: Kernel): Promise<void> {
  await using driver = await NvmeDriver.open(kernel, ADDRESS);
  const into = new Uint8Array(512);
  await driver.namespaces[0]!.write(1, pattern(512, 8));
  await driver.namespaces[0]!.read(1, into);
  deepStrictEqual(into, pattern(512, 8));
}

/** Media that answer never, or once a test calls `answer`. */
function silentMedia(): { readonly media: BlockSource; answer(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { media: { length: DISK_LENGTH, read: () => promise, write() {} }, answer: () => resolve() };
}

for (const completions of ["interrupts", "polling"] as const) {
  Deno.test(`a command that never completes ends the driver, by ${completions}, and its device reaches no memory`, async () => {
    const { media, answer } = silentMedia();
    using kernel = await diskMachine({ disk: { namespaces: [{ media }] } });
    {
      await using driver = await NvmeDriver.open(kernel, ADDRESS, { completions, timeout: 40 });
      const [namespace] = driver.namespaces;
      const { bytes } = driver.ioas.createDmaBuffer(1024);
      const message = /^A command in queue \d did not complete within 40 ms$/;
      const outcomes = await Promise.allSettled([0, 1].map((lba) => namespace!.read(lba, bytes.subarray(512 * lba, 512 * (lba + 1)))));
      for (const outcome of outcomes) {
        ok(outcome.status === "rejected" && outcome.reason instanceof NvmeTimeoutError && message.test(outcome.reason.message));
      }
      ok(driver.failure instanceof NvmeTimeoutError);
      await rejects(namespace!.flush(), driver.failure);
      strictEqual(driver.failure, await namespace!.read(0, new Uint8Array(512)).catch((error) => error));
      answer();
      // The late answer finds the controller stopped and detached: it moves nothing.
      await new Promise((resolve) => setTimeout(resolve));
      ok(bytes.every((byte) => byte === 0));
    }
    checkClean(kernel);
    await works(kernel);
    checkClean(kernel);
  });
}

Deno.test("a controller that reports a fatal status ends the driver, and a new one can be opened", async () => {
  await onBent(async (kernel, model) => {
    for (const completions of ["interrupts", "polling"] as const) {
      await using driver = await NvmeDriver.open(kernel, ADDRESS, { completions, timeout: 20_000 });
      // The rings are gone as far as the device is concerned: it cannot fetch the command, which is fatal (3.1.6).
      driver.ioas.unmapAll();
      const failure = await driver.namespaces[0]!.flush().catch((error) => error);
      ok(failure instanceof NvmeControllerError, String(failure));
      strictEqual(failure.message, "The controller reports a fatal status: only a reset helps");
      strictEqual(driver.failure, failure);
    }
    strictEqual(model.bend(STATUS, 1), 1);
    await works(kernel);
  });
});

Deno.test("a controller that goes away is noticed, although its registers read as ones", async () => {
  await onBent(async (kernel, model) => {
    {
      await using driver = await NvmeDriver.open(kernel, ADDRESS);
      model.bend = () => 0xffff_ffff;
      driver.ioas.unmapAll();
      await rejects(driver.namespaces[0]!.flush(), /does not answer any more: its registers read as ones/);
    }
    await rejects(NvmeDriver.open(kernel, ADDRESS), /^NvmeControllerError: The controller does not answer: its registers read as ones$/);
    model.bend = (_offset, value) => value;
    await works(kernel);
  });
});

Deno.test("a device that is no NVMe controller is refused", async () => {
  await onBent(async (kernel, model) => {
    model.bend = (offset, value) => offset === CAPABILITIES_HIGH ? value & ~0x20 : value;
    await rejects(NvmeDriver.open(kernel, ADDRESS), /^NvmeControllerError: The controller does not support the NVM command set$/);
  });
  using kernel = await simulated({ pci: [{ slot: "04.0", model: new EduDevice() }] }, { checks: true });
  await rejects(NvmeDriver.open(kernel, ADDRESS), NvmeControllerError);
  await rejects(NvmeDriver.open(kernel, "0000:00:05.0"), IommuError);
  checkClean(kernel);
});

Deno.test("a controller that does not become ready, or does not stop, is late after the time that it names itself", async () => {
  await onBent(async (kernel, model) => {
    // CAP.TO counts half seconds: one is the shortest.
    const short = (offset: number, value: number) => offset === CAPABILITIES ? (value & 0x00ff_ffff | 0x0100_0000) >>> 0 : value;
    model.bend = (offset, value) => offset === STATUS ? 0 : short(offset, value);
    await rejects(NvmeDriver.open(kernel, ADDRESS), /^NvmeTimeoutError: The controller did not become ready within 500 ms$/);
    model.bend = (offset, value) => offset === STATUS ? 1 : short(offset, value);
    await rejects(NvmeDriver.open(kernel, ADDRESS), /^NvmeTimeoutError: The controller did not end its reset within 500 ms$/);
    model.bend = (offset, value) => offset === STATUS ? 2 : short(offset, value);
    await rejects(NvmeDriver.open(kernel, ADDRESS), /fatal status instead of becoming ready$/);
    model.bend = (_offset, value) => value;
    await works(kernel);
  });
});

Deno.test("a controller in service, left so by somebody else, is stopped before it may do DMA", async () => {
  await onBent(async (kernel, model) => {
    // A driver that only goes: closing the device resets it, so the state is bent to look as firmware leaves it.
    let isEnabled = true;
    model.bend = (offset, value) => {
      if (!isEnabled) return value;
      if (offset === 0x14) return value | 1;
      return offset === STATUS ? value | 1 : value;
    };
    const write = model.write.bind(model);
    const order: string[] = [];
    model.write = (bar, offset, width, value) => {
      if (offset === 0x14) {
        order.push((value & 1) === 0 ? "stop" : "start");
        isEnabled = false;
      }
      write(bar, offset, width, value);
    };
    {
      await using driver = await NvmeDriver.open(kernel, ADDRESS);
      strictEqual(driver.failure, undefined);
      deepStrictEqual(order, ["stop", "start"]);
    }
    strictEqual(order.at(-1), "stop");
  });
});

Deno.test("a device that is in use is refused, and the one that uses it is not disturbed", async () => {
  await onDisk({}, async (driver, kernel) => {
    await rejects(NvmeDriver.open(kernel, ADDRESS), { name: "IommuError", code: "EBUSY" });
    await driver.namespaces[0]!.write(0, pattern(512, 2));
  });
});

Deno.test("a device that is open and not bound is refused, and can be opened once it is closed", async () => {
  using kernel = await diskMachine();
  {
    using _open = DeviceFd.open(kernel, ADDRESS);
    await rejects(NvmeDriver.open(kernel, ADDRESS), { code: "EBUSY" });
  }
  await works(kernel);
  checkClean(kernel);
});

Deno.test("closing twice is closing once, and nothing is done afterwards", async () => {
  using kernel = await diskMachine();
  const driver = await NvmeDriver.open(kernel, ADDRESS);
  const [namespace] = driver.namespaces;
  await Promise.all([driver[Symbol.asyncDispose](), driver[Symbol.asyncDispose]()]);
  await driver[Symbol.asyncDispose]();
  await rejects(namespace!.read(0, new Uint8Array(512)), /^NvmeControllerError: The driver is closed$/);
  await rejects(namespace!.flush(), NvmeControllerError);
  checkClean(kernel);
});

Deno.test("a driver that is closed shuts the controller down, so that what was written lasts", async () => {
  let flushed = 0;
  const media: BlockSource = { ...memoryMedia(DISK_LENGTH), flush: () => void flushed++ };
  await onDisk({ disk: { namespaces: [{ media }] } }, async ({ namespaces: [namespace] }) => {
    await namespace!.write(0, pattern(512, 1));
    strictEqual(flushed, 0);
    await namespace!.flush();
    strictEqual(flushed, 1);
    await namespace!.write(0, pattern(512, 2));
  });
  strictEqual(flushed, 2);
});

/** The work of a program on any kernel: everything that the driver asks of it. */
async function program(kernel: Kernel): Promise<void> {
  await using driver = await NvmeDriver.open(kernel, ADDRESS, { queues: 2, depth: 4, timeout: 400 });
  await driver.namespaces[0]!.write(0, pattern(4096, 6));
  for await (const _piece of driver.namespaces[0]!.stream()) break;
}

const SWEEP: readonly FaultCall[] = ["open", "ioctl", "pread", "pwrite", "mmap", "block", "eventfd", "read", "wait", "list"];

for (const call of SWEEP) {
  Deno.test(`whichever call of ${call} fails, the program gets an error or goes on, and nothing is left`, async () => {
    for (let nth = 1;; nth++) {
      using kernel = await diskMachine({ disk: { namespaces: [{ media: memoryMedia(2 ** 16) }] } });
      const faulty = faults(kernel, [{ call, nth, errno: call === "wait" ? "EBADF" : "EIO" }]);
      try {
        await program(faulty);
      } catch (error) {
        const isKnown = [IommuError, NvmeError, NvmeControllerError, NvmeTimeoutError].some((kind) => error instanceof kind);
        ok(isKnown, `${call} ${nth}: ${error instanceof Error ? error.stack : error}`);
      }
      if (faulty.fired === 0) {
        ok(nth > 1, `${call} is never called`);
        break;
      }
      if (kernel.inspect.usage.files > 0) throw new Error(`${call} ${nth} leaves ${JSON.stringify(kernel.inspect.usage)}`);
      checkClean(kernel);
      await works(kernel);
    }
  });
}

Deno.test("a device is bound elsewhere: the driver takes nothing", async () => {
  using kernel = await simulated({
    pci: [{ slot: "04.0", model: new NvmeController({ namespaces: [{ media: memoryMedia(DISK_LENGTH) }] }) }],
    rules: { singleOpen: false },
  }, { checks: true });
  {
    using iommu = IommuFd.open(kernel);
    using _device = DeviceFd.open(kernel, ADDRESS).bind(iommu);
    await rejects(NvmeDriver.open(kernel, ADDRESS), IommuError);
  }
  await works(kernel);
  checkClean(kernel);
});
