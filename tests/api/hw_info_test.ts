/**
 * What an IOMMU says of itself: Intel's and AMD's registers decoded, and what the library does not know as it is.
 */
import { faults } from "../../backends/wrap/mod.ts";
import type { Block, HwInfo, Kernel } from "../../mod.ts";
import * as uapi from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import { attached, boot } from "./machine.ts";

Deno.test("a VT-d unit tells its flags and both capability registers", async () => {
  for (const levels of [4, 5] as const) {
    using machine = await boot({ iommu: { kind: "vtd", levels } });
    using world = attached(machine.kernel);
    const info = world.device.hwInfo();
    equal([info.type, info.data.length, info.amd], ["intel-vtd", 24, undefined]);
    const { flags, capability, extendedCapability } = info.vtd!;
    const view = new DataView(info.data.buffer, info.data.byteOffset, 24);
    equal([flags, capability, extendedCapability], [view.getUint32(0, true), view.getBigUint64(8, true), view.getBigUint64(16, true)]);
    // MGAW, bits 16 to 21, is one less than the bits of an I/O address; SAGAW, bits 8 to 12, has a bit for the levels.
    equal([capability >> 16n & 0x3fn, capability >> 8n & 0x1fn], [BigInt(9 * levels + 11), 1n << BigInt(levels - 2)]);
  }
});

Deno.test("an AMD unit tells its extended features", async () => {
  using machine = await boot({ iommu: { kind: "amdvi" } });
  using world = attached(machine.kernel);
  const info = world.device.hwInfo();
  equal([info.type, info.data.length, info.vtd], ["amd", 16, undefined]);
  const view = new DataView(info.data.buffer, info.data.byteOffset, 16);
  equal([info.amd!.extendedFeature, info.amd!.extendedFeature2], [view.getBigUint64(0, true), view.getBigUint64(8, true)]);
  equal(info.amd!.extendedFeature >> 10n & 3n, 2n, "HATS: up to six levels");
});

/** A kernel whose IOMMU tells what it is made to. */
function telling(inner: Kernel, answer: Partial<uapi.HwInfo>, data: Uint8Array): Kernel {
  const ioctl = (fd: number, request: number, argument: Block | number) => {
    const result = inner.ioctl(fd, request, argument);
    if (request !== uapi.GET_HW_INFO || typeof argument === "number") return result;
    const asked = uapi.getHwInfo(argument.view, 0);
    const at = Number(asked.dataUptr - argument.address);
    // What the buffer has no room for is cut off; the length says how much there is.
    argument.bytes.set(data.subarray(0, argument.bytes.length - at), at);
    uapi.putHwInfo(argument.view, 0, { ...asked, dataLen: data.length, ...answer });
    return 0;
  };
  return Object.assign(faults(inner, []), { ioctl });
}

async function told(answer: Partial<uapi.HwInfo>, data: Uint8Array): Promise<HwInfo> {
  using machine = await boot();
  using world = attached(telling(machine.kernel, answer, data));
  return world.device.hwInfo();
}

Deno.test("types without registers that are decoded have a name or a number, and their data raw", async () => {
  const data = Uint8Array.of(1, 2, 3, 4);
  for (const [type, name] of [[0, "none"], [2, "arm-smmuv3"], [3, "tegra241-cmdqv"], [77, 77]] as const) {
    const info = await told({ dataType: type }, data);
    equal([info.type, info.data, info.vtd, info.amd], [name, data, undefined, undefined]);
  }
  equal((await told({ dataType: 0 }, new Uint8Array(0))).data.length, 0);
});

Deno.test("abilities are told one by one", async () => {
  const bits = [
    [uapi.HW_CAP_DIRTY_TRACKING, [true, false, false]],
    [uapi.HW_CAP_PCI_PASID_EXEC, [false, true, false]],
    [uapi.HW_CAP_PCI_PASID_PRIV, [false, false, true]],
    [uapi.HW_CAP_PCI_ATS_NOT_SUPPORTED, [false, false, false]],
  ] as const;
  for (const [outCapabilities, expected] of bits) {
    const info = await told({ dataType: 0, outCapabilities, outMaxPasidLog2: 20 }, new Uint8Array(0));
    equal([[info.dirtyTracking, info.pasidExecute, info.pasidPrivileged], info.maxPasidLog2], [expected, 20]);
  }
});

Deno.test("data that is longer than the room for it is cut, and no other memory shows", async () => {
  const info = await told({ dataType: 1 }, new Uint8Array(200).fill(7));
  equal([info.data.length, info.data.every((byte) => byte === 7), info.vtd!.flags], [64, true, 0x07070707]);
});
