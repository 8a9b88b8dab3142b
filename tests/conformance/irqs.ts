/**
 * SET_IRQS: every check, and interrupts on their way to an eventfd.
 *
 * @module
 */
import {
  IRQ_SET_ACTION_MASK as MASK,
  IRQ_SET_ACTION_TRIGGER as TRIGGER,
  IRQ_SET_ACTION_UNMASK as UNMASK,
  IRQ_SET_DATA_BOOL as BOOL,
  IRQ_SET_DATA_EVENTFD as EVENTFD,
  IRQ_SET_DATA_NONE as NONE,
} from "../../uapi/codec.ts";
import { EFD_NONBLOCK } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { setBusMaster, writeRegion } from "./edu.ts";
import { add, take } from "./eventfd.ts";
import type { Depends } from "./setup.ts";
import { openBound, PAGE, PAGE64 } from "./steps.ts";
import type { Fields } from "./struct.ts";

const INTX = 0;
const MSI = 1;
const MSIX = 2;
const ERROR = 3;
const REQUEST = 4;
/** The edu device: set and clear bits of its interrupt status. */
const INTERRUPT_RAISE = 0x60;
const INTERRUPT_ACKNOWLEDGE = 0x64;

function bound(t: Caller, address: string = t.devices.alone): number {
  return openBound(t, t.iommu(), address).device;
}

function fds(...numbers: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(numbers).buffer);
}

/** SET_IRQS: an action on vectors from `start` on. The code of the answer. */
function set(t: Caller, device: number, index: number, flags: number, data: Uint8Array | number, start = 0): string {
  const count = typeof data === "number" ? data : (flags & EVENTFD) !== 0 ? data.length / 4 : data.length;
  return t.ask(device, "DEVICE_SET_IRQS", { index, flags, start, count }, typeof data === "number" ? {} : { tail: data }).code;
}

/** A device with one eventfd on an interrupt of the kind. */
function enabled(t: Caller, index: number, address?: string): { device: number; fd: number } {
  const device = bound(t, address);
  const fd = t.eventfd(0, EFD_NONBLOCK);
  equal(set(t, device, index, EVENTFD | TRIGGER, fds(fd)), "OK");
  return { device, fd };
}

function raise(t: Caller, device: number): void {
  writeRegion(t, device, 0, INTERRUPT_RAISE, 4, 1n);
}

function acknowledge(t: Caller, device: number): void {
  writeRegion(t, device, 0, INTERRUPT_ACKNOWLEDGE, 4, 1n);
}

/** What is wrong, and the fields for it: all of them EINVAL. */
const WRONG: readonly (readonly [string, Fields])[] = [
  ["an index that is not there", { index: 5 }],
  ["the highest index", { index: 0xffff_ffff }],
  ["an unknown flag", { flags: NONE | TRIGGER | 0x40 }],
  ["no kind of data", { flags: TRIGGER }],
  ["two kinds of data", { flags: NONE | BOOL | TRIGGER }],
  ["a start that is not there", { start: 1, count: 0 }],
  ["a count beyond the vectors", { count: 2 }],
  ["a start and a count that overflow", { start: 0xffff_ffff, count: 1 }],
  ["a count of 2^32 − 1", { count: 0xffff_ffff }],
  ["an index whose interrupts the device lacks", { index: MSIX, count: 0 }],
  ["a trigger of INTx that is not enabled", { index: INTX }],
  ["a trigger of MSI that is not enabled", { index: MSI }],
  ["the end of INTx that is not enabled", { index: INTX, count: 0 }],
  ["the end of MSI that is not enabled", { index: MSI, count: 0 }],
  ["a mask of INTx that is not enabled", { index: INTX, flags: NONE | MASK }],
  ["an unmask of INTx that is not enabled", { index: INTX, flags: NONE | UNMASK }],
  ["a trigger of errors without an eventfd", { index: ERROR }],
];

const CHECKS: Suite<Caller>["cases"] = [
  ...WRONG.map(([what, fields]) => ({
    name: `${what} is EINVAL`,
    run: (t: Caller) =>
      t.refused("EINVAL", bound(t), "DEVICE_SET_IRQS", { index: MSI, flags: NONE | TRIGGER, start: 0, count: 1, ...fields }),
  })),
  {
    name: "less data than there are vectors is EINVAL, data that cannot be read EFAULT",
    run(t) {
      const device = bound(t);
      const fields = { index: MSI, flags: EVENTFD | TRIGGER, start: 0, count: 1 };
      t.refused("EINVAL", device, "DEVICE_SET_IRQS", fields);
      t.refused("EINVAL", device, "DEVICE_SET_IRQS", fields, { tail: new Uint8Array(3) });
      const at = t.memory(2 * PAGE);
      t.kernel.munmap(at + PAGE64, PAGE);
      const bytes = t.bytes(at, PAGE);
      const view = new DataView(bytes.buffer, bytes.byteOffset + PAGE - 22, 22);
      [24, fields.flags, fields.index, 0, 1].forEach((value, index) => view.setUint32(4 * index, value, true));
      equal(t.askAt(device, "DEVICE_SET_IRQS", at + PAGE64 - 22n), "EFAULT");
    },
  },
  {
    name: "no action, two actions, and an action that an index does not have are ENOTTY",
    run(t) {
      const device = bound(t);
      for (const flags of [NONE, NONE | MASK | UNMASK, NONE | TRIGGER | MASK]) equal(set(t, device, INTX, flags, 1), "ENOTTY");
      for (const index of [MSI, ERROR, REQUEST]) {
        for (const action of [MASK, UNMASK]) equal(set(t, device, index, NONE | action, 1), "ENOTTY");
      }
      const intx = enabled(t, INTX, t.devices.other);
      equal(set(t, intx.device, INTX, EVENTFD | MASK, fds(intx.fd)), "ENOTTY", "a mask by eventfd");
    },
  },
  {
    name: "no file is EBADF, a file that is no eventfd EINVAL, and the interrupts stay off",
    run(t) {
      const device = bound(t);
      for (const index of [INTX, MSI, ERROR, REQUEST]) {
        equal(set(t, device, index, EVENTFD | TRIGGER, fds(999)), "EBADF");
        equal(set(t, device, index, EVENTFD | TRIGGER, fds(device)), "EINVAL");
        equal(set(t, device, index, NONE | TRIGGER, 1), "EINVAL", `interrupt ${index} is on`);
      }
    },
  },
  {
    name: "one kind of interrupt at a time: another is EINVAL until the first is off",
    run(t) {
      const { device, fd } = enabled(t, MSI);
      equal(set(t, device, INTX, EVENTFD | TRIGGER, fds(fd)), "EINVAL");
      equal(set(t, device, MSI, NONE | TRIGGER, 0), "OK");
      equal(set(t, device, INTX, EVENTFD | TRIGGER, fds(fd)), "OK");
      equal(set(t, device, MSI, EVENTFD | TRIGGER, fds(fd)), "EINVAL");
      equal(set(t, device, INTX, NONE | TRIGGER, 0), "OK");
      equal(set(t, device, MSI, EVENTFD | TRIGGER, fds(fd)), "OK");
    },
  },
];

const LOOPBACK: Suite<Caller>["cases"] = [
  ...[INTX, MSI, ERROR, REQUEST].map((index) => ({
    name: `a trigger of interrupt index ${index} signals its eventfd, by NONE and by a true value, until it is off`,
    run(t: Caller) {
      const { device, fd } = enabled(t, index);
      equal(set(t, device, index, NONE | TRIGGER, 1), "OK");
      equal(set(t, device, index, BOOL | TRIGGER, Uint8Array.of(0)), "OK");
      equal(set(t, device, index, BOOL | TRIGGER, Uint8Array.of(7)), "OK");
      equal(take(t, fd), 2n);
      equal(set(t, device, index, NONE | TRIGGER, 0), "OK");
      equal(set(t, device, index, NONE | TRIGGER, 1), "EINVAL");
      equal(take(t, fd), "EAGAIN");
    },
  })),
  {
    name: "another eventfd takes the place of the first; −1 takes it away",
    run(t) {
      for (const index of [INTX, MSI, ERROR, REQUEST]) {
        const { device, fd } = enabled(t, index);
        const second = t.eventfd(0, EFD_NONBLOCK);
        equal(set(t, device, index, EVENTFD | TRIGGER, fds(second)), "OK");
        equal(set(t, device, index, NONE | TRIGGER, 1), "OK");
        equal([take(t, fd), take(t, second)], ["EAGAIN", 1n]);
        equal(set(t, device, index, EVENTFD | TRIGGER, fds(-1)), "OK");
        set(t, device, index, NONE | TRIGGER, 1);
        equal(take(t, second), "EAGAIN");
        t.close(device);
      }
    },
  },
  {
    name: "vectors of MSI-X are signalled each by its own eventfd",
    run(t) {
      const device = bound(t, t.devices.messages);
      const files = [t.eventfd(0, EFD_NONBLOCK), t.eventfd(0, EFD_NONBLOCK), t.eventfd(0, EFD_NONBLOCK)];
      equal(set(t, device, MSIX, EVENTFD | TRIGGER, fds(files[0]!, -1, files[2]!)), "OK");
      equal(set(t, device, MSIX, NONE | TRIGGER, 3), "OK");
      equal(set(t, device, MSIX, BOOL | TRIGGER, Uint8Array.of(0, 1, 1)), "OK");
      equal(files.map((fd) => take(t, fd)), [1n, "EAGAIN", 2n]);
      equal(set(t, device, MSIX, NONE | TRIGGER, 1, 2), "OK");
      equal(files.map((fd) => take(t, fd)), ["EAGAIN", "EAGAIN", 1n]);
    },
  },
  {
    name: "MSI-X grows by vectors that come later",
    run(t) {
      const device = bound(t, t.devices.messages);
      const files = [t.eventfd(0, EFD_NONBLOCK), t.eventfd(0, EFD_NONBLOCK)];
      equal(set(t, device, MSIX, EVENTFD | TRIGGER, fds(files[0]!)), "OK");
      equal(set(t, device, MSIX, EVENTFD | TRIGGER, fds(files[1]!), 2), "OK");
      equal(set(t, device, MSIX, NONE | TRIGGER, 1, 2), "OK");
      equal(files.map((fd) => take(t, fd)), ["EAGAIN", 1n]);
    },
  },
  {
    name: "a bad eventfd in the middle switches off the vectors up to it, and everything if it was the first request",
    run(t) {
      const device = bound(t, t.devices.messages);
      const [one, two] = [t.eventfd(0, EFD_NONBLOCK), t.eventfd(0, EFD_NONBLOCK)];
      equal(set(t, device, MSIX, EVENTFD | TRIGGER, fds(one, 999, two)), "EBADF");
      equal(set(t, device, MSIX, NONE | TRIGGER, 1), "EINVAL");
      equal(set(t, device, MSIX, EVENTFD | TRIGGER, fds(one, -1, two)), "OK");
      equal(set(t, device, MSIX, EVENTFD | TRIGGER, fds(one, 999)), "EBADF");
      equal(set(t, device, MSIX, NONE | TRIGGER, 3), "OK");
      equal([take(t, one), take(t, two)], ["EAGAIN", 1n]);
    },
  },
  {
    name: "MSI without any vector cannot be switched on: ERANGE",
    run(t) {
      const device = bound(t);
      equal(set(t, device, MSI, EVENTFD | TRIGGER, fds()), "ERANGE");
      equal(set(t, device, MSI, NONE | TRIGGER, 1), "EINVAL");
    },
  },
  {
    name: "an eventfd may be closed while an interrupt signals it, and a device while interrupts are on",
    run(t) {
      const { device, fd } = enabled(t, MSI);
      t.close(fd);
      equal(set(t, device, MSI, NONE | TRIGGER, 1), "OK");
      t.close(device);
      const again = bound(t);
      equal(set(t, again, MSI, NONE | TRIGGER, 1), "EINVAL");
    },
  },
];

/** Whether an interrupt comes that was there before it was enabled. */
const LATCHED: Depends<boolean> = {
  feature: "latched-lines",
  with: true,
  without: false,
  why: "QEMU's I/O APIC takes a masked input for one of edges, and drops what comes on it",
};

const DEVICE: Suite<Caller>["cases"] = [
  {
    name: "a message of the device arrives as often as it is sent",
    async run(t) {
      const { device, fd } = enabled(t, MSI);
      setBusMaster(t, device);
      for (let round = 0; round < 3; round++) {
        raise(t, device);
        equal(await t.kernel.wait(fd), 0);
        acknowledge(t, device);
        equal(take(t, fd), 1n, `round ${round}`);
      }
    },
  },
  {
    name: "INTx masks itself: it comes once until it is unmasked, and again at once while the device still asserts it",
    async run(t) {
      const { device, fd } = enabled(t, INTX);
      raise(t, device);
      equal(await t.kernel.wait(fd), 0);
      equal(take(t, fd), 1n);
      raise(t, device);
      equal(take(t, fd), "EAGAIN", "masked");
      equal(set(t, device, INTX, NONE | UNMASK, 1), "OK");
      equal(await t.kernel.wait(fd), 0);
      equal(take(t, fd), 1n, "unmasked while asserted");
      acknowledge(t, device);
      equal(set(t, device, INTX, NONE | UNMASK, 1), "OK");
      equal(take(t, fd), "EAGAIN", "unmasked after the acknowledgement");
      raise(t, device);
      equal(await t.kernel.wait(fd), 0);
      equal(take(t, fd), 1n);
      acknowledge(t, device);
    },
  },
  {
    name: "a masked INTx waits for the unmask; false values mask and unmask nothing",
    async run(t) {
      const { device, fd } = enabled(t, INTX);
      equal(set(t, device, INTX, BOOL | MASK, Uint8Array.of(0)), "OK");
      equal(set(t, device, INTX, NONE | MASK, 1), "OK");
      raise(t, device);
      equal(take(t, fd), "EAGAIN");
      equal(set(t, device, INTX, BOOL | UNMASK, Uint8Array.of(0)), "OK");
      equal(take(t, fd), "EAGAIN");
      equal(set(t, device, INTX, BOOL | UNMASK, Uint8Array.of(1)), "OK");
      equal(await t.kernel.wait(fd), 0);
      equal(take(t, fd), 1n);
      acknowledge(t, device);
    },
  },
  {
    name: "an eventfd can unmask INTx; a second one is EBUSY until −1 takes the first away",
    async run(t) {
      const { device, fd } = enabled(t, INTX);
      const [unmask, second] = [t.eventfd(0, EFD_NONBLOCK), t.eventfd(0, EFD_NONBLOCK)];
      equal(set(t, device, INTX, EVENTFD | UNMASK, fds(unmask)), "OK");
      equal(set(t, device, INTX, EVENTFD | UNMASK, fds(second)), "EBUSY");
      raise(t, device);
      equal(await t.kernel.wait(fd), 0);
      equal(take(t, fd), 1n);
      equal(add(t, unmask, 1n), "OK");
      equal(await t.kernel.wait(fd), 0);
      equal(take(t, fd), 1n, "unmasked by the eventfd while asserted");
      acknowledge(t, device);
      equal(set(t, device, INTX, EVENTFD | UNMASK, fds(-1)), "OK");
      equal(set(t, device, INTX, EVENTFD | UNMASK, fds(second)), "OK");
    },
  },
  {
    name: "an INTx that is asserted already comes when it is enabled",
    async run(t) {
      const device = bound(t);
      raise(t, device);
      const fd = t.eventfd(0, EFD_NONBLOCK);
      equal(set(t, device, INTX, EVENTFD | TRIGGER, fds(fd)), "OK");
      if (t.expected(LATCHED)) {
        equal(await t.kernel.wait(fd), 0);
        equal(take(t, fd), 1n);
      }
      acknowledge(t, device);
      equal(set(t, device, INTX, NONE | UNMASK, 1), "OK");
      raise(t, device);
      equal(await t.kernel.wait(fd), 0);
      equal(take(t, fd), 1n);
      acknowledge(t, device);
    },
  },
];

/** SET_IRQS. */
export const IRQS: Suite<Caller> = { name: "SET_IRQS", cases: [...CHECKS, ...LOOPBACK, ...DEVICE] };
