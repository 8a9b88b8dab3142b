/**
 * Boots the virtual machine and measures there, TypeScript beside C: `deno task bench:vm`.
 *
 * @module
 */
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { boot } from "../boot.ts";
import { run } from "../command.ts";
import { buildInitramfs } from "../initramfs.ts";
import { buildKernel } from "../kernel.ts";
import { VARIANTS } from "../variants.ts";
import { buildPeer } from "./build.ts";

const HELP = `Measure the typed API and the NVMe example beside a C program that does the same, on Linux in the virtual machine.

  deno task bench:vm [options]

  --rounds NUMBER   rounds of each side, in turn. Default: 5
  --filter TEXT     only what has it in its name
  --json            a line of JSON for each figure instead of a table
  --kvm             let the processor run the guest, where /dev/kvm works
  --help            this`;

const OPTIONS = {
  rounds: { type: "string" },
  filter: { type: "string" },
  json: { type: "boolean" },
  kvm: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** What runs in the guest, as a path from the root of the repository. */
const GUEST = relative(join(import.meta.dirname!, "../../.."), fileURLToPath(new URL("./guest.ts", import.meta.url)));

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** What the arguments ask for. @throws {Error} for one that is wrong. */
function readArguments(words: string[]): { readonly command: string; readonly kvm: boolean; readonly help: boolean } {
  const { rounds = "5", filter = "", json = false, kvm = false, help = false } = parseArgs({ args: words, options: OPTIONS }).values;
  if (!/^[1-9]\d{0,3}$/.test(rounds)) throw new Error(`Cannot measure "${rounds}" rounds: 1 to 9999 are needed`);
  const passed = ["--peer", "/share/peer", "--rounds", rounds, "--filter", quoted(filter), ...(json ? ["--json"] : [])];
  return { command: `deno run --no-check --allow-all ${GUEST} ${passed.join(" ")}`, kvm, help };
}

/** @returns the exit status: 0, or 1 if something could not be measured, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  let settings: ReturnType<typeof readArguments>;
  try {
    settings = readArguments(words);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nTry: deno task bench:vm --help`);
    return 2;
  }
  if (settings.help) {
    console.log(HELP);
    return 0;
  }
  await run("bash", [join(import.meta.dirname!, "../install.sh"), "run"]);
  const { image, headers } = await buildKernel();
  const folder = await Deno.makeTempDir({ prefix: "iommufd-peer-" });
  try {
    const peer = join(folder, "peer");
    await buildPeer(peer, headers);
    const { status, killed, console: lines } = await boot({
      kernel: image,
      initramfs: await buildInitramfs(),
      append: VARIANTS.iommufd.append,
      variant: "iommufd",
      command: settings.command,
      files: new Map([["peer", peer]]),
      quietMax: 300,
      secondsMax: 1800,
      accelerator: settings.kvm ? "kvm" : "tcg",
      onOutput: (bytes) => process.stdout.write(bytes),
    });
    if (status === 0) return 0;
    console.error(`The guest ${killed ?? `ended with status ${status ?? "none"}`}${status === undefined ? `:\n${lines}` : ""}`);
    return 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
