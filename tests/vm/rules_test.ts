/**
 * The security rules on the running Linux: the same cases as on the simulated machine, and those that take a second process.
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { DeviceFd, IommuFd, linux } from "../../mod.ts";
import { register } from "../harness.ts";
import { RULES } from "../rules/mod.ts";
import { codeOf } from "../rules/world.ts";
import { DEVICES } from "./devices.ts";
import { INTERFACE, linuxHost } from "./linux_worlds.ts";

register(RULES, linuxHost({ interface: INTERFACE }), Deno.test, `${INTERFACE}: `);

/** A program that opens a device, binds it if it is told to, says what came of it, and keeps what it has until its input ends. */
const OTHER = `
import { DeviceFd, IommuError, IommuFd, linux } from "${new URL("../../mod.ts", import.meta.url)}";
const [address, what] = Deno.args;
using kernel = await linux();
const held = [];
try {
  held.push(DeviceFd.open(kernel, address));
  if (what === "bind") {
    held.push(IommuFd.open(kernel));
    held[0].bind(held[1]);
  }
  console.log("OK");
} catch (error) {
  if (!(error instanceof IommuError)) throw error;
  console.log(error.code);
}
for await (const _ of Deno.stdin.readable);
for (const handle of held) handle[Symbol.dispose]();
`;

/** Another process with a device. */
class Other implements AsyncDisposable {
  #child: Deno.ChildProcess;
  #output: ReadableStreamDefaultReader<string>;
  #path: string;
  #isEnded = false;

  constructor(child: Deno.ChildProcess, output: ReadableStreamDefaultReader<string>, path: string, readonly code: string) {
    this.#child = child;
    this.#output = output;
    this.#path = path;
  }

  static async start(address: string, what: "open" | "bind"): Promise<Other> {
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(path, OTHER);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-ffi", path, address, what],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let line = "";
    while (!line.endsWith("\n")) {
      const { value, done } = await reader.read();
      if (done) break;
      line += value;
    }
    return new Other(child, reader, path, line.trim());
  }

  /** End it as it likes, or by a signal in the middle of what it does. */
  async end(signal?: "SIGKILL"): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (signal !== undefined) this.#child.kill(signal);
    // Who was killed has closed it.
    await this.#child.stdin.close().catch(() => {});
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.#output.cancel();
    await Deno.remove(this.#path);
  }
}

Deno.test("rule 1, a device that another process has open is EBUSY, and free when that closes it or is killed", async () => {
  using kernel = await linux();
  for (const signal of [undefined, "SIGKILL"] as const) {
    await using other = await Other.start(DEVICES.alone, "open");
    strictEqual(other.code, "OK");
    strictEqual(codeOf(() => DeviceFd.open(kernel, DEVICES.alone)), "EBUSY");
    await other.end(signal);
    using _device = DeviceFd.open(kernel, DEVICES.alone);
  }
});

Deno.test("rule 1, another process finds a device EBUSY that this one has open, bound or not", async () => {
  using kernel = await linux();
  using iommu = IommuFd.open(kernel);
  using device = DeviceFd.open(kernel, DEVICES.alone);
  const codes: string[] = [];
  for (const isBound of [false, true]) {
    if (isBound) device.bind(iommu);
    await using other = await Other.start(DEVICES.alone, "open");
    codes.push(other.code);
  }
  deepStrictEqual(codes, ["EBUSY", "EBUSY"]);
});

Deno.test("rules 3 and 4, a group that another process has bound is EPERM until that process ends, however it ends", async () => {
  using kernel = await linux();
  for (const pair of [DEVICES.siblings, DEVICES.aliases]) {
    for (const signal of [undefined, "SIGKILL"] as const) {
      using iommu = IommuFd.open(kernel);
      await using other = await Other.start(pair[0], "bind");
      strictEqual(other.code, "OK");
      using device = DeviceFd.open(kernel, pair[1]);
      strictEqual(codeOf(() => device.bind(iommu)), "EPERM");
      await other.end(signal);
      using _bound = device.bind(iommu);
    }
  }
});
