/**
 * Memory at any address, on the running Linux: what cannot be read or written is told, and nothing ends the program.
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { UserMemory } from "../../backends/linux/type1/user_memory.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_NONE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";

const PAGE = 4096;

if (Deno.build.os === "linux") {
  // The library is loaded before any test, so that it is no test's leak.
  const held = new LinuxKernel();
  addEventListener("unload", () => held[Symbol.dispose]());

  Deno.test("memory is read and written where it may be, and refused where it may not", () => {
    using kernel = new LinuxKernel();
    const memory = new UserMemory(kernel);
    const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);
    const anonymous = kernel.mmap(0n, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strictEqual(memory.write(anonymous + 4050n, bytes), true);
    deepStrictEqual(memory.read(anonymous + 4050n, 100), bytes);
    deepStrictEqual(kernel.view(anonymous + 4050n, 100), bytes);

    const shut = kernel.mmap(0n, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strictEqual(memory.read(shut, 4), undefined);
    strictEqual(memory.write(shut, bytes), false);
    for (const address of [0n, 8n, 2n ** 64n - 4n]) {
      strictEqual(memory.read(address, 4), undefined);
      strictEqual(memory.write(address, bytes), false);
    }
  });

  Deno.test("memory that may be read only is read, and writing to it is refused", () => {
    using kernel = new LinuxKernel();
    const memory = new UserMemory(kernel);
    const file = kernel.memfd("memory", PAGE);
    const writable = kernel.mmap(0n, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    const readable = kernel.mmap(0n, PAGE, PROT_READ, MAP_SHARED, file, 0);
    kernel.view(writable, PAGE).fill(7);
    deepStrictEqual(memory.read(readable, 3), new Uint8Array([7, 7, 7]));
    strictEqual(memory.write(readable, new Uint8Array([1])), false);
    deepStrictEqual(memory.read(writable, 3), new Uint8Array([7, 7, 7]));
  });

  Deno.test("nothing stays open, whatever came of it", () => {
    using kernel = new LinuxKernel();
    const memory = new UserMemory(kernel);
    memory.read(8n, 4);
    const files = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = files();
    for (let round = 0; round < 50; round++) {
      memory.read(8n, 4);
      memory.write(8n, new Uint8Array(4));
    }
    strictEqual(files(), before);
  });
}
