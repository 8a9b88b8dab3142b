/**
 * Configuration space as a program sees it through vfio-pci.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { type ConfigEvents, type ConfigOptions, ConfigSpace } from "../../backends/simulated/config_space.ts";
import type { DeviceDescription } from "../../backends/simulated/device.ts";

const DESCRIPTION: DeviceDescription = {
  vendor: 0x1b36,
  device: 0x0010,
  classCode: 0x010802,
  revision: 2,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
  bars: [{ index: 0, length: 16384, wide: true, prefetchable: true }, { index: 2, length: 4096 }],
  interruptPin: 1,
  msi: 4,
  msix: { vectors: 33, bar: 0, table: 0x2000, pending: 0x3000 },
};

interface World {
  config: ConfigSpace;
  calls: string[];
  state: { asserted: boolean; mode: "none" | "intx" | "msi" | "msix" };
}

function build(options: Partial<ConfigOptions> = {}, description = DESCRIPTION): World {
  const calls: string[] = [];
  const state: World["state"] = { asserted: false, mode: "none" };
  const events: ConfigEvents = {
    changed: () => void calls.push("changed"),
    functionReset: () => void calls.push("reset"),
    intxAsserted: () => state.asserted,
    interruptMode: () => state.mode,
  };
  const bars = [0x3800_0000_4000n, 0n, 0xc000_1000n, 0n, 0n, 0n];
  const config = new ConfigSpace(
    description,
    { express: true, onRootBus: false, multifunction: false, acs: false, bars, ...options },
    events,
  );
  return { config, calls, state };
}

/** Offsets of capabilities by ID, found as a program finds them. */
function capabilities(config: ConfigSpace): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = config.read(0x34, 1); at !== 0; at = config.read(at + 1, 1)) found.set(config.read(at, 1), at);
  return found;
}

Deno.test("the header shows the device's identity", () => {
  const { config } = build();
  strictEqual(config.length, 4096);
  strictEqual(config.read(0, 4), 0x0010_1b36);
  strictEqual(config.read(8, 4), 0x0108_0202);
  strictEqual(config.read(0x2c, 4), 0x1100_1af4);
  strictEqual(config.read(0x0e, 1), 0);
  strictEqual(config.read(0x3d, 1), 1);
  strictEqual(build({ multifunction: true }).config.read(0x0e, 1), 0x80);
});

Deno.test("identity and capabilities cannot be written", () => {
  const { config } = build();
  const before = config.snapshot();
  for (const offset of [0, 8, 0x2c, 0x34]) config.write(offset, 4, 0xffff_ffff);
  for (const [id, at] of capabilities(config)) {
    config.write(at, 2, 0xffff);
    if (id === 0x11) { for (const word of [2, 4, 6, 8, 10]) config.write(at + word, 2, 0xffff); }
  }
  deepStrictEqual(config.snapshot(), before);
});

Deno.test("writing ones to a BAR shows its length, and its address can be moved", () => {
  const { config } = build();
  strictEqual(config.read(0x10, 4), 0x0000_400c);
  strictEqual(config.read(0x14, 4), 0x3800);
  strictEqual(config.read(0x18, 4), 0xc000_1000);
  for (const offset of [0x10, 0x14, 0x18, 0x1c, 0x30]) config.write(offset, 4, 0xffff_ffff);
  strictEqual(config.read(0x10, 4), 0xffff_c00c);
  strictEqual(config.read(0x14, 4), 0xffff_ffff);
  strictEqual(config.read(0x18, 4), 0xffff_f000);
  strictEqual(config.read(0x1c, 4), 0);
  strictEqual(config.read(0x30, 4), 0);
  config.write(0x18, 4, 0xd000_0000);
  strictEqual(config.read(0x18, 4), 0xd000_0000);
});

Deno.test("the command register gates memory and DMA, and tells of changes", () => {
  const { config, calls } = build();
  deepStrictEqual([config.memoryEnabled, config.busMaster, config.intxDisabled], [true, false, false]);
  config.write(4, 2, 0x0406);
  deepStrictEqual([config.memoryEnabled, config.busMaster, config.intxDisabled], [true, true, true]);
  config.write(4, 1, 0);
  deepStrictEqual([config.memoryEnabled, config.busMaster, config.intxDisabled], [false, false, true]);
  deepStrictEqual(calls, ["changed", "changed"]);
  config.write(4, 2, 0xffff);
  strictEqual(config.read(4, 2), 0x07ff);
});

Deno.test("a function in D3hot neither answers nor does DMA", () => {
  const { config } = build();
  const power = capabilities(config).get(0x01)!;
  config.write(4, 2, 6);
  config.write(power + 4, 2, 3);
  deepStrictEqual([config.memoryEnabled, config.busMaster], [false, false]);
  config.write(power + 4, 2, 0);
  deepStrictEqual([config.memoryEnabled, config.busMaster], [true, true]);
});

Deno.test("the status register shows the INTx pin", () => {
  const { config, state } = build();
  strictEqual(config.read(6, 2), 0x0010);
  state.asserted = true;
  strictEqual(config.read(6, 2), 0x0018);
});

Deno.test("MSI and MSI-X describe their vectors, and show but do not take the enable bit", () => {
  const { config, state } = build();
  const msi = capabilities(config).get(0x05)!;
  const msix = capabilities(config).get(0x11)!;
  strictEqual(config.read(msi + 2, 2), 0x0084);
  strictEqual(config.read(msix + 2, 2), 32);
  strictEqual(config.read(msix + 4, 4), 0x2000);
  strictEqual(config.read(msix + 8, 4), 0x3000);
  config.write(msi + 2, 2, 0x0001);
  config.write(msix + 2, 2, 0x8000);
  strictEqual(config.read(msi + 2, 2) & 1, 0);
  strictEqual(config.read(msix + 2, 2), 32);
  state.mode = "msi";
  strictEqual(config.read(msi + 2, 2) & 1, 1);
  state.mode = "msix";
  strictEqual(config.read(msi + 2, 2) & 1, 0);
  strictEqual(config.read(msix + 2, 2), 0x8020);
});

Deno.test("no more MSI vectors can be asked for than there are", () => {
  const { config } = build();
  const msi = capabilities(config).get(0x05)!;
  config.write(msi + 2, 2, 0x0050);
  strictEqual(config.read(msi + 2, 2) & 0x70, 0x20);
  config.write(msi + 2, 2, 0x0010);
  strictEqual(config.read(msi + 2, 2) & 0x70, 0x10);
});

Deno.test("function-level reset is asked for by PCI Express or Advanced Features, and its bit reads as zero", () => {
  const express = build();
  const at = capabilities(express.config).get(0x10)!;
  ok((express.config.read(at + 4, 4) & 0x1000_0000) !== 0);
  express.config.write(at + 8, 2, 0xa810);
  deepStrictEqual(express.calls, ["reset"]);
  strictEqual(express.config.read(at + 8, 2), 0x2810);

  const conventional = build({ express: false });
  strictEqual(conventional.config.length, 256);
  const advanced = capabilities(conventional.config).get(0x13)!;
  strictEqual(capabilities(conventional.config).has(0x10), false);
  conventional.config.write(advanced + 4, 1, 1);
  deepStrictEqual(conventional.calls, ["reset"]);
  strictEqual(conventional.config.read(advanced + 4, 1), 0);
});

Deno.test("an endpoint on the root bus is an integrated one", () => {
  const type = (onRootBus: boolean) => {
    const { config } = build({ onRootBus });
    return config.read(capabilities(config).get(0x10)! + 2, 2) >> 4;
  };
  deepStrictEqual([type(true), type(false)], [9, 0]);
});

Deno.test("ACS is an extended capability of functions that have it", () => {
  strictEqual(build({ acs: true }).config.read(0x100, 4), 0x0001_000d);
  strictEqual(build({ acs: true }).config.read(0x104, 4), 0x001d_001d);
  strictEqual(build().config.read(0x100, 4), 0);
});

Deno.test("reset of the space brings back what a program finds when it opens the device", () => {
  const { config } = build();
  const before = config.snapshot();
  config.write(4, 2, 6);
  config.write(0x10, 4, 0);
  config.write(0x3c, 1, 9);
  config.reset();
  deepStrictEqual(config.snapshot(), before);
});
