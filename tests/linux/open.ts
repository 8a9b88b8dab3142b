/**
 * A kernel object for one test.
 *
 * @module
 */
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";

export const PAGE = 4096;
export const PAGE64 = 4096n;
export const READ_WRITE: number = PROT_READ | PROT_WRITE;
export const ANONYMOUS: number = MAP_PRIVATE | MAP_ANONYMOUS;

/** Whether there is a Linux to test. */
export const IS_LINUX: boolean = Deno.build.os === "linux";

// The C library is loaded before any test and stays until the end, so that it is no test's leak.
if (IS_LINUX) {
  const held = new LinuxKernel();
  addEventListener("unload", () => held[Symbol.dispose]());
}

/** A test of the running kernel; on other systems there is none. */
export function test(name: string, run: (kernel: LinuxKernel) => void | Promise<void>): void {
  Deno.test({
    name: `linux: ${name}`,
    ignore: !IS_LINUX,
    fn: async () => {
      using kernel = new LinuxKernel();
      await run(kernel);
    },
  });
}

/** Anonymous memory. @throws {Error} */
export function memory(kernel: LinuxKernel, length: number, at = 0n, flags = 0): bigint {
  const address = kernel.mmap(at, length, READ_WRITE, ANONYMOUS | flags, -1, 0);
  if (address < 0n) throw new Error(`mmap of ${length} bytes: ${address}`);
  return address;
}

/** Descriptors of this process. */
export function descriptors(): string[] {
  // The directory itself is open while it is read.
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name).filter((name) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) !== "";
    } catch {
      return false;
    }
  }).sort();
}

/** Run a program in a process of its own, with the permission to call foreign functions and no other. */
export async function runScript(source: string): Promise<{ code: number; stdout: string; stderr: string }> {
  using child = spawnScript(source);
  const { code, stdout, stderr } = await child.process.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Start a program: `LinuxKernel`, and `uapi` with the constants, are there. */
export function spawnScript(source: string): Disposable & { readonly process: Deno.ChildProcess } {
  const folder = Deno.makeTempDirSync();
  const root = new URL("../../", import.meta.url).href;
  const head = `import { LinuxKernel } from "${root}backends/linux/kernel.ts";\nimport * as uapi from "${root}uapi/kernel.ts";\n`;
  Deno.writeTextFileSync(`${folder}/main.ts`, head + source);
  const args = ["run", "--no-prompt", "--no-lock", "--allow-ffi", `${folder}/main.ts`];
  const process = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped", stderr: "piped", env: { NO_COLOR: "1" } })
    .spawn();
  return { process, [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}
