/**
 * Linux gives out a device without an IOMMU where it is told to, and the cases of the simulated machine hold for it.
 */
import { match, strictEqual, throws } from "node:assert/strict";
import { linux } from "../../backends/linux/mod.ts";
import { DeviceFd, IommuError } from "../../mod.ts";
import { BARE as SUITES, hostOf } from "../conformance/mod.ts";
import { register } from "../harness.ts";
import { BARE } from "./devices.ts";
import { openLinux } from "./linux_setup.ts";

const PARAMETER = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

Deno.test("as it is booted, Linux gives no device without an IOMMU to programs, and the library says what to do", async () => {
  using kernel = await linux();
  strictEqual(Deno.readTextFileSync(PARAMETER).trim(), "N");
  throws(() => DeviceFd.open(kernel, BARE, { unsafeNoIommu: true }), (error) => {
    match((error as IommuError).message, /no IOMMU group.*docs\/no_iommu\.md/);
    return error instanceof IommuError && error.code === "ENODEV";
  });
});

Deno.test("the module's parameter makes vfio-pci take it", () => {
  Deno.writeTextFileSync(PARAMETER, "Y");
  Deno.writeTextFileSync("/sys/bus/pci/drivers_probe", BARE);
  match([...Deno.readDirSync(`/sys/bus/pci/devices/${BARE}/vfio-dev`)][0]!.name, /^noiommu-vfio\d+$/);
});

register(SUITES, hostOf(async () => ({ ...await openLinux(), bare: BARE })), Deno.test, "linux: ");
