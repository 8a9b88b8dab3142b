/**
 * Memory files: one memory, seen by the program, by the address spaces that map the file, and by devices.
 */
import { MemFd } from "../../mod.ts";
import { equal } from "../check.ts";
import { ADDRESSES, attached, boot, failure, nameOf } from "./machine.ts";

Deno.test("a file's content is shared by the program and both address spaces that map it", async () => {
  using machine = await boot();
  const { kernel, puppets: [first, second] } = machine;
  using one = attached(kernel, ADDRESSES[0]);
  using two = attached(kernel, ADDRESSES[1]);
  using file = MemFd.create(kernel, "shared", 12288);
  equal([file.length, file.bytes.length, file.bytes.every((byte) => byte === 0)], [12288, 12288, true]);
  const whole = one.ioas.mapFile(file);
  const part = two.ioas.mapFile(file, { start: 4096n, length: 4096, iova: 0x70_0000n, write: false });
  equal(part, 0x70_0000n);
  file.bytes[4096] = 0xab;
  equal([first.reads(whole + 4096n, 1), second.reads(part, 1)], [Uint8Array.of(0xab), Uint8Array.of(0xab)]);
  equal([first.writes(whole + 4097n, Uint8Array.of(0xcd)), second.writes(part, Uint8Array.of(0))], ["OK", "no-write"]);
  equal([file.bytes[4097], second.reads(part + 1n, 1)], [0xcd, Uint8Array.of(0xcd)]);
  equal(second.reads(part + 4096n, 1), "not-present");
  equal(kernel.view(file.address, 4098).slice(4096), Uint8Array.of(0xab, 0xcd));
});

Deno.test("what an address space has mapped of a file outlives the file's handle", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const file = MemFd.create(machine.kernel, "short", 4096);
  const iova = world.ioas.mapFile(file);
  file.bytes[0] = 42;
  file[Symbol.dispose]();
  file[Symbol.dispose]();
  equal([file.isOpen, machine.puppets[0].reads(iova, 1)], [false, Uint8Array.of(42)]);
  equal(world.ioas.unmap(iova, 4096n), 4096n);
  equal(machine.puppets[0].reads(iova, 1), "not-present");
});

Deno.test("parts that are not in the file, or no whole pages, are refused with what to do", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { ioas } = world;
  using file = MemFd.create(machine.kernel, "file", 8192);
  for (const options of [{ start: 4096n, length: 8192n }, { start: 8192n }, { start: 2n ** 63n }, { length: 100 }]) {
    const error = failure(() => ioas.mapFile(file, options));
    equal([error.operation, ["EINVAL", "EOVERFLOW"].includes(error.code)], ["IOAS_MAP_FILE", true], error.message);
  }
  equal(nameOf(() => ioas.mapFile(file, { start: -1n })), "RangeError");
  equal(nameOf(() => ioas.mapFile(file, { length: -1 })), "RangeError");
  equal(ioas.unmapAll(), 0n);
});

Deno.test("files whose length cannot be are refused", async () => {
  using machine = await boot();
  for (const length of [0, -1, 1.5, NaN, 2 ** 53]) equal(nameOf(() => MemFd.create(machine.kernel, "file", length)), "RangeError");
  equal(nameOf(() => MemFd.create(machine.kernel, "file", 4096n as never)), "TypeError");
  const error = failure(() => MemFd.create(machine.kernel, "huge", 2 ** 40), "ENOMEM");
  equal([error.operation, error.values.name], ["memfd", "huge"]);
});
