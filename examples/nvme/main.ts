/**
 * Reads a disk image whole through the NVMe driver, and shows what the IOMMU did: `deno task demo`.
 *
 *     deno run --allow-read --allow-env examples/nvme/main.ts [options] [path]
 *     deno run --allow-ffi --allow-env examples/nvme/main.ts --device 0000:01:00.0 [options]
 *
 * The first simulates a disk that holds the image; the second reads a real one through the running Linux. To compare that with an image, it
 * needs --allow-read for it.
 *
 * @module
 */
import process from "node:process";
import { IommuError } from "../../mod.ts";
import { HELP, readArguments, type Settings } from "./arguments.ts";
import { demonstrate, type DemoReport, isGood } from "./demo.ts";
import { openImage, UsageError } from "./image.ts";
import { MachineUnavailable } from "./machine.ts";
import { showProgress } from "./progress.ts";
import { reportObject, reportText } from "./report.ts";
import { NvmeControllerError, NvmeError, NvmeTimeoutError } from "./status.ts";

async function run(settings: Settings): Promise<DemoReport> {
  using image = settings.device !== undefined && settings.path === undefined ? undefined : await openImage(settings.path);
  using progress = showProgress();
  return await demonstrate(image, settings, progress);
}

/** What can go wrong with a device and its kernel, and is told in a sentence. */
function isExpected(error: unknown): error is Error {
  return [IommuError, MachineUnavailable, NvmeError, NvmeControllerError, NvmeTimeoutError].some((kind) => error instanceof kind);
}

/** The program. @returns its exit status: 0, 1 if the disk was not read as it is or cannot be, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  try {
    const settings = readArguments(words);
    if (settings.help) {
      console.log(HELP);
      return 0;
    }
    const report = await run(settings);
    console.log(settings.json ? JSON.stringify(reportObject(report)) : reportText(report));
    return isGood(report) ? 0 : 1;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    // Anything but these is a mistake in this program, and its stack is what helps.
    if (!isUsage && !isExpected(error)) throw error;
    console.error(`${error.message}${isUsage ? "\nTry: deno task demo --help" : ""}`);
    return isUsage ? 2 : 1;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
