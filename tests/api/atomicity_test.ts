/**
 * Whatever call of an operation fails: the error says what failed, nothing has changed, nothing is left, and the operation can be tried again.
 */
import { type FaultCall } from "../../backends/wrap/mod.ts";
import { DeviceFd, IommuError, IommuFd, leaks, listDevices, MemFd, raw } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { CALLS, errnoFor, type Faulty, sweep } from "./faulty.ts";
import { ADDRESSES, boot, type Booted, finish } from "./machine.ts";

/** Operations that make or change something. What is returned is disposed. */
const OPERATIONS: Record<string, (world: Faulty) => Disposable | void> = {
  "IommuFd.open": ({ kernel }) => IommuFd.open(kernel),
  "DeviceFd.open": ({ kernel }) => DeviceFd.open(kernel, ADDRESSES[1]),
  "MemFd.create": ({ kernel }) => MemFd.create(kernel, "file", 5000),
  "IommuFd.createIoas": ({ iommu }) => iommu.createIoas(),
  "Ioas.createHwpt": ({ ioas, device }) => ioas.createHwpt(device),
  "Ioas.createDmaBuffer": ({ ioas }) => ioas.createDmaBuffer(5000),
  "Ioas.createDmaPool": ({ ioas }) => ioas.createDmaPool({ size: 100, count: 100 }),
  "Ioas.ranges": ({ ioas }) => void ioas.ranges,
  "Ioas.allow": ({ ioas }) => ioas.allow([{ start: 0n, last: 0xffffn }, { start: 0x10_0000n, last: 0x1f_ffffn }]),
  "Ioas.hugePages": ({ ioas }) => void (ioas.hugePages = true),
  "BoundDevice.attach": ({ iommu, device }) => void device.attach(iommu.createIoas()),
  "BoundDevice.detach": ({ device }) => device.detach(),
  "BoundDevice.info": ({ device }) => void device.info,
  "BoundDevice.hwInfo": ({ device }) => void device.hwInfo(),
  "BoundDevice.bar": ({ device }) => void device.bar(0),
  "BoundDevice.irq": ({ device }) => device.irq("msix"),
  "BoundDevice.reset": ({ device }) => device.reset(),
  "Region.exportDmaBuf": ({ device }) => device.bar(0).exportDmaBuf(),
  "Ioas.mapFile": ({ ioas, device }) => {
    using file = device.bar(0).exportDmaBuf();
    const iova = ioas.mapFile(file);
    return { [Symbol.dispose]: () => void ioas.unmap(iova, file.length) };
  },
  "Region.read": ({ device }) => void device.config.read64(0),
  "Region.write": ({ device }) => device.bar(0).write32(0, 1),
  "listDevices": ({ kernel }) => void listDevices(kernel),
  "raw.ioctl": ({ kernel, iommu }) => void raw.ioctl(kernel, iommu.fd, 0, new Uint8Array(8)),
};

/** What an operation that failed must leave as it was. */
function state({ kernel }: Booted, world: Faulty): unknown {
  const { device, ioas } = world;
  return { usage: kernel.inspect.usage, leaks: leaks(world.kernel), attached: device.attachedTo === ioas };
}

function checkError(name: string, call: FaultCall, error: unknown): asserts error is IommuError {
  check(error instanceof IommuError, `${name}, ${call}: ${error} is an IommuError`);
  equal([error.code, error.errno > 0, typeof error.values], [errnoFor(call), true, "object"], `${name}, ${call}`);
  check(error.operation !== "" && error.message.startsWith("Cannot "), error.message);
}

/** A call of the disposal may be the one that fails. */
function tryDisposal(made: Disposable | void): void {
  try {
    made?.[Symbol.dispose]();
  } catch (error) {
    check(error instanceof IommuError, `${error} is an IommuError`);
  }
}

/** Calls that happen only where something is given back: see the next test. */
const MAKING = CALLS.filter((call) => !["close", "munmap"].includes(call));

for (const [name, run] of Object.entries(OPERATIONS)) {
  Deno.test(`${name}: whatever call fails, nothing changes and it can be tried again`, async () => {
    const machine = await boot();
    let failures = 0;
    for (const call of MAKING) {
      let before: unknown;
      let made: Disposable | void;
      const outcomes = await sweep(machine, { call, errno: errnoFor(call) }, {
        before: (world) => void (before = state(machine, world)),
        run: (world) => void (made = run(world)),
        after: (world, error) => {
          if (error === undefined) return tryDisposal(made);
          failures++;
          checkError(name, call, error);
          // The address space that the operation made for the attach is there, and not what failed.
          if (name !== "BoundDevice.attach") equal(state(machine, world), before, `${name}, ${call}`);
          else equal(world.device.attachedTo === world.ioas, true, "it stays where it is");
          run(world)?.[Symbol.dispose]();
        },
      });
      for (const { kernel, stage, error } of outcomes) {
        if (stage === "setup") checkError("the setup", call, error);
        equal(leaks(kernel), [], `${name}, ${call}`);
      }
    }
    check(failures > 0, "some call of it can fail");
    finish(machine.kernel);
  });
}

/** Make one of everything, into a list. */
function makeAll({ kernel, iommu, ioas, device }: Faulty, list: Disposable[]): void {
  const keep = <T extends Disposable>(made: T): T => {
    list.push(made);
    return made;
  };
  keep(MemFd.create(kernel, "file", 4096));
  keep(ioas.createDmaPool({ size: 100, count: 100 }));
  ioas.mapFile(keep(device.bar(0).exportDmaBuf()));
  keep(device.irq("msix")).enable(2);
  keep(ioas.createDmaBuffer(5000));
  const hwpt = keep(ioas.createHwpt(device));
  keep(DeviceFd.open(kernel, ADDRESSES[1])).bind(iommu).attach(hwpt);
  keep(device);
  keep(ioas);
}

const CALLS_OF_DISPOSAL = ["ioctl", "close", "munmap"] as const;

for (const order of ["parts first", "whole first"] as const) {
  for (const call of CALLS_OF_DISPOSAL) {
    Deno.test(`disposal, ${order}: what fails of ${call} is told, and all else is given back`, async () => {
      const machine = await boot();
      const told: string[] = [];
      const outcomes = await sweep(machine, { call, errno: errnoFor(call) }, {
        run: (world) => {
          const parts: Disposable[] = [];
          try {
            makeAll(world, parts);
          } catch (error) {
            checkError("the setup", call, error);
          }
          const list = order === "parts first" ? [...parts, world.iommu] : [world.iommu, ...parts];
          for (const handle of list) {
            try {
              handle[Symbol.dispose]();
            } catch (error) {
              // A device that was not closed below still holds its page table.
              if (call !== "close") checkError("disposal", call, error);
              check(error instanceof IommuError, `${error} is an IommuError`);
              told.push(error.operation);
            }
          }
          equal(leaks(world.kernel), [], "every handle has ended");
          for (const handle of list) handle[Symbol.dispose]();
          equal(world.device.attachedTo, undefined);
        },
        after: (_world, error) => {
          if (error !== undefined) throw error;
        },
      });
      check(outcomes.length > 0 && told.length > 0, "a call of the disposal was refused");
      const { files, objects, pinnedPages, blocks } = machine.kernel.inspect.usage;
      equal([files, objects, pinnedPages], [0, 0, 0]);
      equal([blocks, machine.kernel.inspect.check()], [0, []]);
    });
  }
}

Deno.test("disposal needs no memory of the kernel", async () => {
  using machine = await boot();
  for (const call of ["block", "mmap"] as const) {
    const outcomes = await sweep(machine, { call, errno: "ENOMEM" }, {
      run: (world) => {
        const parts: Disposable[] = [];
        try {
          makeAll(world, parts);
        } catch (error) {
          check(error instanceof IommuError && error.code === "ENOMEM", `${error} is ENOMEM`);
        }
        const { fired } = world.kernel;
        for (const handle of [...parts, world.iommu]) handle[Symbol.dispose]();
        equal(world.kernel.fired, fired, `no ${call} while handles are disposed`);
      },
      after: (_world, error) => {
        if (error !== undefined) throw error;
      },
    });
    check(outcomes.length > 0, `${call} is called`);
  }
});
