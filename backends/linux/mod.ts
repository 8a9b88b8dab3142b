/**
 * The running Linux: iommufd and VFIO as they are on this machine, reached through Deno's foreign functions with `--allow-ffi`.
 *
 * The backend is loaded by the first call of {@linkcode linux}, so that a program for every runtime can name it.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import type { LinuxKernel } from "./kernel.ts";

export type { LinuxKernel } from "./kernel.ts";
export type { FdListener, FdSocket, PassedFds, PassedFdsError, WaitOptions } from "./passed_fds.ts";
export { fdListener, fdSocket, receiveFds, sendFds } from "./passing.ts";

/** Options of {@linkcode linux}. */
export interface LinuxOptions {
  /**
   * The interface to use. Default: iommufd, if there is a /dev/iommu; else VFIO's older one, groups and containers with "type1", if there is a
   * /dev/vfio/vfio. Where it is named, nothing is looked for: a program in a container may have its files passed in, and no /dev/iommu.
   */
  readonly interface?: "iommufd" | "type1";
}

/**
 * The running Linux by VFIO's older interface, as on a kernel without iommufd: the same requests, translated.
 *
 * A move of a device from one IOAS to another is not atomic: between the two there is a moment in which it reaches less than either. Memory is pinned,
 * and charged to the process, once for each group that sees it, and all at once when a device is attached. A group takes 65,535 mappings. What type1
 * does not have is EOPNOTSUPP: facts of the hardware, page tables with options, nesting, dirty tracking, PASIDs, page faults.
 */
export interface Type1Linux extends Kernel {
  /** Which interface of the kernel is used. */
  readonly interface: "type1";
  /** The kernel without the translation. */
  readonly below: LinuxKernel;
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
export function linux(options: { readonly interface: "iommufd" }): Promise<LinuxKernel>;
/** The kernel of the machine that the program runs on, by whichever interface it has. @throws {Error} as above */
export function linux(options?: LinuxOptions): Promise<LinuxKernel | Type1Linux>;
/** Both. */
export async function linux(options: LinuxOptions = {}): Promise<LinuxKernel | Type1Linux> {
  const stray = Object.keys(options).find((key) => key !== "interface");
  if (stray !== undefined) throw new TypeError(`Cannot open Linux with the option "${stray}": there is interface`);
  const { open } = await import("./open.ts");
  return await open(options.interface);
}
