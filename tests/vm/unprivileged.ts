/**
 * Runs programs of the guest as a user without rights.
 *
 * @module
 */
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");
/** A user that nobody has made: numbers are enough for the kernel. */
export const NOBODY = 1000;

/** What a program printed, and how it ended. */
export interface Outcome {
  /** Exit status. */
  readonly code: number;
  /** Its standard output. */
  readonly stdout: string;
  /** Its standard error. */
  readonly stderr: string;
}

/** A TypeScript program that imports from the repository by "/mod.ts", in a file that everybody may read. */
export async function writeProgram(folder: string, code: string): Promise<string> {
  const path = join(folder, `program-${crypto.randomUUID()}.ts`);
  await Deno.writeTextFile(path, code.replaceAll('from "/', `from "file://${ROOT}/`));
  await Deno.chmod(folder, 0o755);
  return path;
}

/** How {@linkcode startProgram} starts. */
export interface StartOptions {
  /** As root. Default: as {@linkcode NOBODY}. */
  readonly isRoot?: boolean;
  /** KiB of memory that it may lock. Default: the kernel's. */
  readonly memlock?: number;
  /** Flags of Deno's. Default: `--allow-ffi`. */
  readonly permissions?: readonly string[];
  /** Variables besides those of Deno itself. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A cache of Deno's for {@linkcode NOBODY}, who must not write to that of root. @returns its folder. */
function cacheOfNobody(): string {
  const folder = join("/tmp", `deno-${NOBODY}`);
  const command = `[ -d "$0" ] || { mkdir "$0" && tar -xf /share/modules.tar -C "$0" && chown -R ${NOBODY}:${NOBODY} "$0"; }`;
  const { success } = new Deno.Command("/bin/sh", { args: ["-c", command, folder] }).outputSync();
  if (!success) throw new Error(`Cannot make ${folder}`);
  return folder;
}

/** Start a program. */
export function startProgram(path: string, args: readonly string[], options: StartOptions = {}): Deno.ChildProcess {
  const { isRoot = false, memlock, permissions = ["--allow-ffi"], env = {} } = options;
  const limit = memlock === undefined ? "" : `ulimit -l ${memlock}; `;
  const command = `${limit}exec "$0" run --no-check "$@"`;
  return new Deno.Command("/bin/sh", {
    args: ["-c", command, Deno.execPath(), ...permissions, path, ...args],
    ...(isRoot ? { env } : { env: { ...env, DENO_DIR: cacheOfNobody(), HOME: "/tmp" }, uid: NOBODY, gid: NOBODY }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Wait for a program's end. */
export async function outcomeOf(child: Deno.ChildProcess): Promise<Outcome> {
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
