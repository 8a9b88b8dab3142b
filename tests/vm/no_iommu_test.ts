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
import { NOBODY, outcomeOf, startProgram, writeProgram } from "./unprivileged.ts";

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

const WITHOUT_RIGHTS = `
import { DeviceFd, IommuError, IommuFd, linux } from "/mod.ts";
using kernel = await linux({ interface: "iommufd" });
const attempt = (run) => { try { run(); console.log("OK"); } catch (error) { console.log(error instanceof IommuError ? error.message : String(error)); } };
using iommu = IommuFd.open(kernel);
attempt(() => DeviceFd.open(kernel, Deno.args[0], { unsafeNoIommu: true }));
attempt(() => iommu.createIoas().physicalRange(0n, 1));
`;

Deno.test("a user who may open the node lacks the right all the same, and learns which", async () => {
  const folder = await Deno.makeTempDir();
  const node = `/dev/vfio/devices/${[...Deno.readDirSync(`/sys/bus/pci/devices/${BARE}/vfio-dev`)][0]!.name}`;
  for (const path of ["/dev/iommu", node]) await Deno.chown(path, NOBODY, NOBODY);
  try {
    const { stdout, stderr } = await outcomeOf(startProgram(await writeProgram(folder, WITHOUT_RIGHTS), [BARE]));
    const lines = stdout.trimEnd().split("\n");
    strictEqual(lines.length, 2, `${stdout}${stderr}`);
    match(lines[0]!, /EPERM.*takes CAP_SYS_RAWIO to open it/);
    match(lines[1]!, /EPERM.*need CAP_SYS_RAWIO/);
  } finally {
    for (const path of ["/dev/iommu", node]) await Deno.chown(path, 0, 0);
    await Deno.remove(folder, { recursive: true });
  }
});

register(SUITES, hostOf(async () => ({ ...await openLinux(), bare: BARE })), Deno.test, "linux: ");
