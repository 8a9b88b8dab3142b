/**
 * What this process holds of Linux, and what the kernel has pinned: for comparing before and after.
 *
 * @module
 */

/** What this process uses. */
export interface ProcessUsage {
  /** Open files: what each descriptor is, sorted. */
  readonly files: readonly string[];
  /** KiB of memory that the process has pinned for devices, as the kernel accounts it. */
  readonly pinned: number;
  /** KiB of memory that the process has locked. */
  readonly locked: number;
}

/** What is in use. */
export interface LinuxUsage extends ProcessUsage {
  /** Pages that are pinned in the whole machine, whoever pays. */
  readonly machinePins: number;
}

/** The number behind a name, at the start of a line of a file of /proc. */
export function procNumber(path: string, name: string): number {
  const line = Deno.readTextFileSync(path).split("\n").find((line) => line.split(/[\s:]+/)[0] === name);
  if (line === undefined) throw new Error(`${path} has no line "${name}"`);
  return Number(/\d+/.exec(line.slice(name.length))![0]);
}

/** Files as the kernel names them; the descriptor that reads the folder is left out. */
export function openFiles(): string[] {
  const names: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      // Numbers of pipes and sockets differ from run to run.
      names.push(Deno.readLinkSync(`/proc/self/fd/${name}`).replace(/^(pipe|socket):.*/, "$1"));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return names.sort();
}

/** How many files this process may have open. */
export function openFilesMax(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))![1]);
}

/** Pages pinned in the whole machine. */
export function machinePins(): number {
  // Each processor has figures of its own, which this brings together.
  Deno.writeTextFileSync("/proc/sys/vm/stat_refresh", "1");
  return procNumber("/proc/vmstat", "nr_foll_pin_acquired") - procNumber("/proc/vmstat", "nr_foll_pin_released");
}

/** What this process uses now: any user may ask. */
export function processUsage(): ProcessUsage {
  return {
    files: openFiles(),
    pinned: procNumber("/proc/self/status", "VmPin"),
    locked: procNumber("/proc/self/status", "VmLck"),
  };
}

/** What is in use now. */
export function linuxUsage(): LinuxUsage {
  return { ...processUsage(), machinePins: machinePins() };
}

/** What is used more than before, in words. */
export function grown<Usage extends ProcessUsage & Partial<LinuxUsage>>(before: Usage, after: Usage): string[] {
  const left: string[] = [];
  const rest = [...before.files];
  for (const file of after.files) {
    const at = rest.indexOf(file);
    if (at < 0) left.push(`${file} is open`);
    else rest.splice(at, 1);
  }
  for (const name of ["pinned", "locked", "machinePins"] as const) {
    const [was, is] = [before[name] ?? 0, after[name] ?? 0];
    if (is > was) left.push(`${name} was ${was} and is ${is}`);
  }
  return left;
}

/** What is used more than before, or less: who closed a file that is not theirs, is found too. */
export function changed(before: ProcessUsage, after: ProcessUsage): string[] {
  return [...grown(before, after), ...grown(after, before).map((what) => `no longer: ${what}`)];
}

/** Descriptors of IOMMU files and devices among open files. */
export function iommuFiles({ files }: LinuxUsage): string[] {
  return files.filter((file) => /iommu|vfio/.test(file));
}
