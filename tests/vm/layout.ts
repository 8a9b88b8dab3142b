/**
 * Checks the schema's numbers against the headers of the kernel that the virtual machine boots: `deno task test:layout`.
 *
 * @module
 */
import { join } from "node:path";
import { layoutAssertions } from "../../tools/layout.ts";
import { run } from "./command.ts";
import { buildKernel } from "./kernel.ts";

/** Those that the kernel installs, of the ones that the schema describes. */
const HEADERS = ["linux/iommufd.h", "linux/vfio.h"];

/** Compile the assertions. @param headers the folder of the headers. @returns how many held. @throws {Error} with gcc's words if one does not hold. */
async function checkLayout(headers: string): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "iommufd-layout-" });
  try {
    const path = join(folder, "layout.c");
    const text = layoutAssertions(HEADERS);
    await Deno.writeTextFile(path, text);
    await run("gcc", ["-fsyntax-only", "-isystem", headers, path], { quiet: true });
    return text.split("\n").filter((line) => line.startsWith("_Static_assert")).length;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  await run("bash", [join(import.meta.dirname!, "install.sh"), "run"]);
  const { headers } = await buildKernel();
  console.log(`${await checkLayout(headers)} numbers of the schema are those of the kernel's headers`);
}
