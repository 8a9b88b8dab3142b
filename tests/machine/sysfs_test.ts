/**
 * /sys and /dev as they are rendered, against a recorded tree, and the calls that read them.
 *
 * The recorded tree is golden/sysfs.txt. With UPDATE_GOLDEN=1 it is written anew; read the difference before you commit it.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { EduDevice } from "../../backends/simulated/devices/edu.ts";
import { InertDevice } from "../../backends/simulated/devices/inert.ts";
import { FileTree } from "../../backends/simulated/file_tree.ts";
import type { Machine } from "../../backends/simulated/machine.ts";
import { renderSysfs } from "../../backends/simulated/sysfs.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { onFakeCore } from "./fake_core.ts";

const GOLDEN = new URL("golden/sysfs.txt", import.meta.url);

const MACHINE: Machine = {
  pci: [
    { slot: "04.0", model: new EduDevice(), reserved: [{ start: 0x1000n, last: 0x2fffn, kind: "direct" }], numaNode: 1 },
    {
      kind: "root-port",
      slot: "05.0",
      acs: false,
      below: [{
        model: new InertDevice({
          device: 0x10,
          classCode: 0x010802,
          bars: [{ index: 0, length: 16384, wide: true, prefetchable: true }],
          msix: { vectors: 2, bar: 0, table: 0x2000, pending: 0x3000 },
        }),
      }],
    },
    { slot: "06.0", model: new InertDevice(), driver: "e1000e" },
    { slot: "07.0", model: new InertDevice(), driver: null },
  ],
};

/** A line for each entry: directories end in "/", links show their target, files their text or the length and hash of their bytes. */
function* dump(tree: Pick<FileTree, "list" | "readlink" | "readFile">, path: string): Generator<string> {
  const target = tree.readlink(path);
  if (typeof target === "string") return yield `${path} -> ${target}`;
  const names = tree.list(path);
  if (typeof names !== "number") {
    yield `${path}/`;
    for (const name of names) yield* dump(tree, `${path}/${name}`);
    return;
  }
  const content = tree.readFile(path);
  if (typeof content === "number") yield `${path} (node)`;
  else if (path.endsWith("/config")) {
    yield `${path} (${content.length} bytes) ${[...content.subarray(0, 64)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  } else yield `${path}: ${new TextDecoder().decode(content).trimEnd().replaceAll("\n", "\n    ")}`;
}

Deno.test("the rendered tree is as recorded", () => {
  const { kernel } = onFakeCore(MACHINE);
  const text = [...dump(kernel, "/dev"), ...dump(kernel, "/sys"), ""].join("\n");
  if (Deno.env.get("UPDATE_GOLDEN") === "1") Deno.writeTextFileSync(GOLDEN, text);
  deepStrictEqual(text.split("\n"), Deno.readTextFileSync(GOLDEN).split("\n"));
});

Deno.test("paths go through links, and .. is where the link led", () => {
  const { kernel } = onFakeCore({ pci: [{ slot: "04.0", model: new EduDevice() }] });
  const text = (path: string) => new TextDecoder().decode(kernel.readFile(path) as Uint8Array);
  const home = "/sys/bus/pci/devices/0000:00:04.0";
  strictEqual(text(`${home}/vendor`), "0x1234\n");
  strictEqual(text(`${home}/iommu_group/reserved_regions`), "0x00000000fee00000 0x00000000feefffff msi\n");
  deepStrictEqual(kernel.list(`${home}/iommu_group/devices`), ["0000:00:04.0"]);
  deepStrictEqual(kernel.list(`${home}/vfio-dev`), ["vfio0"]);
  deepStrictEqual(kernel.list(`${home}/..`), ["0000:00:04.0"]);
  strictEqual(kernel.readlink(`${home}/iommu_group`), "../../../kernel/iommu_groups/0");
  strictEqual(text("/sys/class/vfio-dev/vfio0/device/device"), "0x11e8\n");
});

Deno.test("what is not there, or is of another kind, answers as Linux does", () => {
  const { kernel } = onFakeCore({ pci: [{ slot: "04.0", model: new EduDevice() }] });
  const home = "/sys/bus/pci/devices/0000:00:04.0";
  deepStrictEqual(
    [
      kernel.list("/sys/nothing"),
      kernel.list(`${home}/vendor`),
      kernel.list(`${home}/vendor/deeper`),
      kernel.readFile(home),
      kernel.readlink(`${home}/vendor`),
      kernel.readFile("/dev/iommu"),
      kernel.readFile("relative"),
    ],
    [-ERRNO.ENOENT, -ERRNO.ENOTDIR, -ERRNO.ENOTDIR, -ERRNO.EISDIR, -ERRNO.EINVAL, -ERRNO.EINVAL, -ERRNO.ENOENT],
  );
  const loop = new FileTree().link("/a", "/b").link("/b", "/a");
  strictEqual(loop.readFile("/a"), -ERRNO.ELOOP);
});

Deno.test("configuration space in sysfs is the device's as it is now", () => {
  const { kernel } = onFakeCore({ pci: [{ slot: "04.0", model: new EduDevice() }] });
  const config = kernel.readFile("/sys/bus/pci/devices/0000:00:04.0/config") as Uint8Array;
  strictEqual(config.length, 256);
  deepStrictEqual([...config.subarray(0, 4)], [0x34, 0x12, 0xe8, 0x11]);
  config.fill(0);
  ok((kernel.readFile("/sys/bus/pci/devices/0000:00:04.0/config") as Uint8Array)[0] === 0x34);
});

Deno.test("the renderer serves any list of devices, and refuses one whose bridge is missing", () => {
  const device = { vendor: 1, device: 2, classCode: 0x20000, revision: 0, subsystemVendor: 0, subsystem: 0, numaNode: -1 };
  const rest = { config: new Uint8Array(64), resources: [], driver: null, resetMethods: [] };
  const tree = renderSysfs({ devices: [{ address: "0001:02:00.0", ...device, ...rest }], groups: [] });
  strictEqual(tree.readlink("/sys/bus/pci/devices/0001:02:00.0"), "../../../devices/pci0001:02/0001:02:00.0");
  deepStrictEqual(tree.list("/dev"), []);
  throws(() => renderSysfs({ devices: [{ address: "0000:01:00.0", parent: "0000:00:01.0", ...device, ...rest }], groups: [] }), RangeError);
});

Deno.test("reserved ranges of one kind that touch are shown as one", () => {
  const group = { number: 3, type: "DMA" };
  const range = (start: bigint, last: bigint, kind: string) => ({ start, last, kind });
  const reserved = [
    range(0x5000n, 0x5fffn, "direct"),
    range(0x1000n, 0x2fffn, "direct"),
    range(0x2000n, 0x4fffn, "direct"),
    range(0x2000n, 0x2fffn, "msi"),
  ];
  const tree = renderSysfs({ devices: [], groups: [{ ...group, reserved }] });
  const text = new TextDecoder().decode(tree.readFile("/sys/kernel/iommu_groups/3/reserved_regions") as Uint8Array);
  strictEqual(text, "0x0000000000001000 0x0000000000005fff direct\n0x0000000000002000 0x0000000000002fff msi\n");
});
