/**
 * Why there is no memory: the limit of locked memory, the pool of huge pages, or the machine.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { guess, hasCapability, listNames, readKilobytes, readLimit, readText, size } from "./facts.ts";

const CAP_IPC_LOCK = 14;
const HUGE_PAGES = "/sys/kernel/mm/hugepages";

/** Why memory could not be pinned for devices. `length`: bytes that were asked for, if that is known. */
export function pinningRefused(kernel: Kernel, length?: bigint): string | undefined {
  const limit = readLimit(kernel, "Max locked memory");
  if (limit === undefined) return undefined;
  const isExempt = hasCapability(kernel, CAP_IPC_LOCK);
  if (isExempt || limit === Infinity) {
    const why = isExempt ? "The program has CAP_IPC_LOCK" : "The program's limit is off";
    return `${why}, so no limit of locked memory is in the way: the machine or the container has too little memory.${available(kernel)}`;
  }
  const pinned = readKilobytes(kernel, "/proc/self/status", "VmPin") ?? 0;
  const locked = readKilobytes(kernel, "/proc/self/status", "VmLck") ?? 0;
  const more = length === undefined ? "more" : `${size(length)} more`;
  return `The program may lock ${size(limit)} of memory (RLIMIT_MEMLOCK), has ${
    size(pinned + locked)
  } locked or pinned, and asked for ${more}; ` +
    "other programs of the user may count too. Raise the limit (ulimit -l, memlock in /etc/security/limits.conf, LimitMEMLOCK of a systemd " +
    "service, docker run --ulimit memlock=-1), or map less.";
}

function available(kernel: Kernel): string {
  const bytes = readKilobytes(kernel, "/proc/meminfo", "MemAvailable");
  return bytes === undefined ? "" : ` The machine has ${size(bytes)} available.`;
}

/** What to say of memory that could not be had. `pageSize`: bytes of a page, where it is of another size than usual. */
export function explainMmap(kernel: Kernel, result: bigint, length: number, pageSize: number | undefined): string | undefined {
  return guess(() => {
    if (pageSize !== undefined) return hugePagesMissing(kernel, Number(-result), length, pageSize);
    const left = available(kernel);
    return result === BigInt(-ERRNO.ENOMEM) && left !== "" ? `The program may not have so much memory.${left}` : undefined;
  });
}

function hugePagesMissing(kernel: Kernel, errno: number, length: number, pageSize: number): string | undefined {
  const name = `hugepages-${pageSize / 1024}kB`;
  const pool = `${HUGE_PAGES}/${name}`;
  const [total, free] = ["nr_hugepages", "free_hugepages"].map((file) => readText(kernel, `${pool}/${file}`));
  if (total === undefined || free === undefined) {
    const sizes = listNames(kernel, HUGE_PAGES).map((name) => /^hugepages-(\d+)kB$/.exec(name)?.[1]).filter((kb) => kb !== undefined);
    const has = sizes.length === 0 ? "no pool of huge pages" : `pools of ${sizes.map((kb) => size(Number(kb) * 1024)).join(" and ")} only`;
    return `This kernel has ${has}: leave pageSize out.`;
  }
  if (errno !== ERRNO.ENOMEM) return undefined;
  const needed = length / pageSize;
  return `${needed} pages of ${size(pageSize)} are needed, and ${free} of the pool's ${total} are free. As root: ` +
    `echo ${Number(total) + Math.max(needed - Number(free), 1)} > ${pool}/nr_hugepages`;
}
