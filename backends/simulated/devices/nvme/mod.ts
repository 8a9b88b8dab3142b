/**
 * A simulated NVMe disk: the controller and what it can store its data in.
 *
 * @module
 */
export { NvmeController } from "./controller.ts";
export type { NvmeLatency, NvmeOptions } from "./options.ts";
export type { NamespaceOptions } from "./namespace.ts";
export { Health } from "./logs.ts";
export {
  blobMedia,
  type BlockSource,
  bytesMedia,
  fileMedia,
  type FileMediaOptions,
  memoryMedia,
  overlayMedia,
  type SeekableFile,
} from "./media.ts";
