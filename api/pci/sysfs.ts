/**
 * Reads /sys through the seam.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { failed } from "../error.ts";

/** Where PCI devices are. */
export const PCI_DEVICES = "/sys/bus/pci/devices";

/** Names in a directory; undefined if there is no such. @throws {IommuError} */
export function listNames(kernel: Kernel, path: string): string[] | undefined {
  const names = kernel.list(path);
  if (typeof names !== "number") return names;
  if (names === -ERRNO.ENOENT) return undefined;
  throw failed("list", names, { path });
}

/** A file's text without the newline at its end; undefined if there is no such file. @throws {IommuError} */
export function readText(kernel: Kernel, path: string): string | undefined {
  const bytes = readBytes(kernel, path);
  return bytes && new TextDecoder().decode(bytes).trimEnd();
}

/** A file's content; undefined if there is no such file. @throws {IommuError} */
export function readBytes(kernel: Kernel, path: string): Uint8Array | undefined {
  const bytes = kernel.readFile(path);
  if (typeof bytes !== "number") return bytes;
  if (bytes === -ERRNO.ENOENT) return undefined;
  throw failed("readFile", bytes, { path });
}

/** The last part of where a link leads; undefined if there is no such link. */
export function linkName(kernel: Kernel, path: string): string | undefined {
  const target = kernel.readlink(path);
  return typeof target === "string" ? target.split("/").at(-1) : undefined;
}
