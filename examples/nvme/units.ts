/**
 * Quantities as people read them.
 *
 * @module
 */

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** "4 KiB", "6.5 MiB". */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** "812.3 MB/s": millions of bytes, as disks are sold. */
export function perSecond(bytes: number, seconds: number): string {
  return seconds > 0 ? `${(bytes / seconds / 1e6).toFixed(1)} MB/s` : "";
}

/** "1,048,576". */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** "0x1000". */
export function hexText(value: bigint): string {
  return `0x${value.toString(16)}`;
}
