/**
 * Recognises the file system of a disk by its first bytes: ext2 to ext4, FAT12 to FAT32, exFAT, NTFS.
 *
 * @module
 */

/** What a disk holds. */
export interface FileSystem {
  /** "ext4", "FAT32". */
  readonly kind: string;
  /** The volume's name; empty where it has none. */
  readonly label: string;
  /** Identifier: a UUID for ext, a serial number for FAT. */
  readonly id: string;
  /** Bytes of the file system, as it says itself. */
  readonly length: number;
}

/** Bytes from the start of the disk that {@linkcode recognise} looks at. */
export const HEAD_LENGTH = 4096;

function text(bytes: Uint8Array, at: number, length: number): string {
  const [first = ""] = new TextDecoder().decode(bytes.subarray(at, at + length)).split("\0");
  return first.trim();
}

/** A serial number of 32 bits as FAT tools show it: "1234-ABCD". */
function serialOf(view: DataView, at: number): string {
  const serial = view.getUint32(at, true).toString(16).toUpperCase().padStart(8, "0");
  return `${serial.slice(0, 4)}-${serial.slice(4)}`;
}

/** The superblock of ext2, ext3 and ext4 lies 1,024 bytes into the disk (Linux, Documentation/filesystems/ext4/super.rst). */
function recogniseExt(bytes: Uint8Array): FileSystem | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + 1024, 1024);
  if (view.getUint16(0x38, true) !== 0xef53) return undefined;
  const hasJournal = (view.getUint32(0x5c, true) & 0x4) !== 0;
  // Extents, 64-bit block numbers, flexible groups; metadata checksums, huge files: any of them makes it ext4.
  const isExt4 = (view.getUint32(0x60, true) & 0x2c0) !== 0 || (view.getUint32(0x64, true) & 0x478) !== 0;
  const hex = [...bytes.subarray(1024 + 0x68, 1024 + 0x78)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const blocks = view.getUint32(0x04, true) + ((view.getUint32(0x60, true) & 0x80) !== 0 ? view.getUint32(0x150, true) * 2 ** 32 : 0);
  return {
    kind: isExt4 ? "ext4" : hasJournal ? "ext3" : "ext2",
    label: text(bytes, 1024 + 0x78, 16),
    id: [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-"),
    length: blocks * 2 ** (10 + view.getUint32(0x18, true)),
  };
}

/** FAT's boot sector (Microsoft, FAT: General Overview of On-Disk Format). How many clusters there are decides between FAT12 and FAT16. */
function recogniseFat(bytes: Uint8Array): FileSystem | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 512);
  const sector = view.getUint16(11, true);
  const perCluster = bytes[13]!;
  const reserved = view.getUint16(14, true);
  const fats = bytes[16]!;
  if (view.getUint16(510, true) !== 0xaa55 || ![512, 1024, 2048, 4096].includes(sector)) return undefined;
  if (perCluster === 0 || (perCluster & (perCluster - 1)) !== 0 || reserved === 0 || fats === 0 || fats > 4) return undefined;
  const sectors = view.getUint16(19, true) || view.getUint32(32, true);
  const isFat32 = view.getUint16(22, true) === 0;
  const fatSectors = view.getUint16(22, true) || view.getUint32(36, true);
  const rootSectors = Math.ceil(view.getUint16(17, true) * 32 / sector);
  const clusters = Math.floor((sectors - reserved - fats * fatSectors - rootSectors) / perCluster);
  const extended = isFat32 ? 64 : 36;
  const label = text(bytes, extended + 7, 11);
  return {
    kind: isFat32 ? "FAT32" : clusters < 4085 ? "FAT12" : "FAT16",
    label: label === "NO NAME" ? "" : label,
    id: serialOf(view, extended + 3),
    length: sectors * sector,
  };
}

/** exFAT and NTFS name themselves at the same place. */
function recogniseNamed(bytes: Uint8Array): FileSystem | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 512);
  const name = text(bytes, 3, 8);
  if (name === "EXFAT") {
    return { kind: "exFAT", label: "", id: serialOf(view, 100), length: Number(view.getBigUint64(72, true)) * 2 ** bytes[108]! };
  }
  if (name !== "NTFS") return undefined;
  const serial = view.getBigUint64(72, true).toString(16).toUpperCase().padStart(16, "0");
  return { kind: "NTFS", label: "", id: serial, length: Number(view.getBigUint64(40, true)) * view.getUint16(11, true) };
}

/** Recognise a file system. @param head the first {@linkcode HEAD_LENGTH} bytes of the disk, or all of a smaller one. */
export function recognise(head: Uint8Array): FileSystem | undefined {
  const bytes = new Uint8Array(HEAD_LENGTH);
  bytes.set(head.subarray(0, HEAD_LENGTH));
  return recogniseExt(bytes) ?? recogniseNamed(bytes) ?? recogniseFat(bytes);
}
