/**
 * The running Linux: iommufd and VFIO as they are on this machine, reached through Deno's foreign functions with `--allow-ffi`.
 *
 * The backend is loaded by the first call of {@linkcode linux}, so that a program for every runtime can name it.
 *
 * @module
 */
import type { LinuxKernel } from "./kernel.ts";

export type { LinuxKernel } from "./kernel.ts";
export type { FdListener, FdSocket, PassedFds, PassedFdsError, WaitOptions } from "./passed_fds.ts";
export { fdListener, fdSocket, receiveFds, sendFds } from "./passing.ts";

/** Options of {@linkcode linux}. */
export interface LinuxOptions {
  /**
   * The interface to use. Default: iommufd, if there is a /dev/iommu. Where it is named, nothing is looked for: a program in a container may have
   * its files passed in, and no /dev/iommu.
   */
  readonly interface?: "iommufd";
}

/**
 * The kernel of the machine that the program runs on.
 *
 * @example
 * ```ts ignore
 * using kernel = await linux();
 * using iommu = IommuFd.open(kernel);
 * ```
 *
 * @throws {Error} if the program cannot reach a Linux kernel with IOMMU interfaces: the message says what is missing (Deno, Linux, the
 * permission `--allow-ffi`, iommufd) and how to see it.
 */
export async function linux(options: LinuxOptions = {}): Promise<LinuxKernel> {
  const { open } = await import("./open.ts");
  return open(options.interface);
}
