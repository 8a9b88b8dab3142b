/**
 * The short forms of {@linkcode FdSocket} and {@linkcode FdListener}, which load the backend when they are called.
 *
 * @module
 */
import type { LinuxKernel } from "./kernel.ts";
import type { FdListener, FdSocket, PassedFds, WaitOptions } from "./passed_fds.ts";

/**
 * Connect to a socket over which files are passed.
 *
 * @param at the path of the socket, or the number of a connected one that this process has already.
 * @throws {PassedFdsError} ENOENT, ECONNREFUSED, EACCES; EBADF for a number that is no file's.
 */
export async function fdSocket(kernel: LinuxKernel, at: string | number): Promise<FdSocket> {
  const { FdSocket } = await import("./passed_fds.ts");
  return typeof at === "string" ? FdSocket.connect(kernel, at) : FdSocket.adopt(kernel, at);
}

/**
 * Listen for those who are to be passed files, or who pass some.
 *
 * @param at the path of a socket to be made, or the number of a listening one that this process was started with (systemd's first is 3).
 * @throws {PassedFdsError} EADDRINUSE, EACCES; EBADF for a number that is no file's.
 */
export async function fdListener(kernel: LinuxKernel, at: string | number): Promise<FdListener> {
  const { FdListener } = await import("./passed_fds.ts");
  return typeof at === "string" ? FdListener.listen(kernel, at) : FdListener.adopt(kernel, at);
}

/**
 * Connect to a privileged helper and receive the files that it passes.
 *
 * @param from the path of the helper's socket, or the number of a connected one, which is closed afterwards.
 * @throws {PassedFdsError} as {@linkcode fdSocket} and {@linkcode FdSocket.receive}
 *
 * @example
 * ```ts ignore
 * using kernel = await linux({ interface: "iommufd" });
 * const { fds: [iommuFd, deviceFd] } = await receiveFds(kernel, "/run/vfio.sock");
 * using iommu = IommuFd.adopt(kernel, iommuFd!);
 * using device = DeviceFd.adopt(kernel, deviceFd!).bind(iommu);
 * ```
 */
export async function receiveFds(kernel: LinuxKernel, from: string | number, options: WaitOptions = {}): Promise<PassedFds> {
  using socket = await fdSocket(kernel, from);
  return await socket.receive(options);
}

/**
 * Connect to a program that listens and pass it files. They stay open here as well.
 *
 * @param to the path of the program's socket, or the number of a connected one, which is closed afterwards.
 * @param message text that goes along, 1 to 4,096 bytes.
 * @throws {PassedFdsError} as {@linkcode fdSocket} and {@linkcode FdSocket.send}
 */
export async function sendFds(kernel: LinuxKernel, to: string | number, fds: readonly number[], message?: string): Promise<void> {
  using socket = await fdSocket(kernel, to);
  socket.send(fds, message);
}
