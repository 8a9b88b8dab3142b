/**
 * What the NVMe demonstration writes to a real disk, tried on a simulated one.
 *
 * @module
 */
import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { NvmeDriver } from "../../examples/nvme/driver.ts";
import { NvmeError } from "../../examples/nvme/status.ts";
import { writeBack } from "../../examples/nvme/write_back.ts";
import { bytesMedia } from "../../mod.ts";
import { ADDRESS, checkClean, diskMachine, pattern } from "./disk.ts";

/** A disk of bytes; with them, what is written to it, and a switch that makes it lose writes. */
function disk(length: number, readOnly = false) {
  const bytes = pattern(length, 3);
  const media = bytesMedia(bytes);
  const writes: { offset: number; bytes: Uint8Array }[] = [];
  const state = { losesWrites: false };
  const write = (offset: number, from: Uint8Array) => {
    writes.push({ offset, bytes: from.slice() });
    if (!state.losesWrites) bytes.set(from, offset);
  };
  return { bytes, writes, state, namespaces: [{ media: { ...media, write }, readOnly }] };
}

for (const length of [512, 2 ** 20, 3 * 2 ** 20 + 512]) {
  Deno.test(`a disk of ${length} bytes gets a pattern in its last MiB, and is as before afterwards`, async () => {
    const { bytes, writes, namespaces } = disk(length);
    using kernel = await diskMachine({ disk: { namespaces } });
    {
      await using driver = await NvmeDriver.open(kernel, ADDRESS);
      const written = Math.min(length, 2 ** 20);
      deepStrictEqual(await writeBack(driver, driver.namespaces[0]!), {
        lba: (length - written) / 512,
        blocks: written / 512,
        bytes: written,
        isIntact: true,
        isRestored: true,
      });
      strictEqual(writes.reduce((sum, { bytes }) => sum + bytes.length, 0), 2 * written);
      deepStrictEqual(bytes, pattern(length, 3));
    }
    checkClean(kernel);
  });
}

Deno.test("a disk that loses writes is found out", async () => {
  const { state, namespaces } = disk(2 ** 20);
  state.losesWrites = true;
  using kernel = await diskMachine({ disk: { namespaces } });
  await using driver = await NvmeDriver.open(kernel, ADDRESS);
  const { isIntact, isRestored } = await writeBack(driver, driver.namespaces[0]!);
  deepStrictEqual([isIntact, isRestored], [false, true]);
});

Deno.test("a disk that takes no writes says so, and nothing is said to be lost", async () => {
  const { namespaces } = disk(2 ** 20, true);
  using kernel = await diskMachine({ disk: { namespaces } });
  await using driver = await NvmeDriver.open(kernel, ADDRESS);
  await rejects(writeBack(driver, driver.namespaces[0]!), NvmeError);
});
