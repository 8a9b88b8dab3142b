/**
 * Boots the virtual machine and measures there, TypeScript beside C: `deno task bench:vm`.
 *
 * @module
 */
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { boot, describeFailure } from "../boot.ts";
import { run, shellWord } from "../command.ts";
import { buildInitramfs } from "../initramfs.ts";
import { buildKernel } from "../kernel.ts";
import { VARIANTS } from "../variants.ts";
import { buildPeer } from "./build.ts";

const HELP = `Measure the typed API and the NVMe example beside a C program that does the same, on Linux in the virtual machine.

  deno task bench:vm [options]

  --rounds NUMBER   rounds of each side, in turn. Default: 5
  --filter TEXT     only what has it in its name
  --json            a line of JSON for each figure instead of a table
  --build           build the C program, and what it needs, and stop
  --kvm             let the processor run the guest, where /dev/kvm works
  --help            this`;

const OPTIONS = {
  rounds: { type: "string" },
  filter: { type: "string" },
  json: { type: "boolean" },
  build: { type: "boolean" },
  kvm: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** Seconds without a word from the guest, and from power-on, after which it is killed. */
const QUIET_MAX = 300;
const SECONDS_MAX = 1800;

/** What runs in the guest, as a path from the root of the repository. */
const GUEST = relative(join(import.meta.dirname!, "../../.."), fileURLToPath(new URL("./guest.ts", import.meta.url)));

/** What the arguments ask for. */
interface Settings {
  readonly command: string;
  readonly build: boolean;
  readonly kvm: boolean;
  readonly help: boolean;
}

/** @throws {Error} for an argument that is wrong. */
function readArguments(words: string[]): Settings {
  const { values } = parseArgs({ args: words, options: OPTIONS });
  const { rounds = "5", filter = "", json = false, build = false, kvm = false, help = false } = values;
  if (!/^[1-9]\d{0,3}$/.test(rounds)) throw new Error(`Cannot measure "${rounds}" rounds: 1 to 9999 are needed`);
  const passed = ["--peer", "/tmp/peer", "--rounds", rounds, `--filter=${shellWord(filter)}`, ...(json ? ["--json"] : [])];
  return { command: `cp /share/peer /tmp/peer && deno run --no-check --allow-all ${GUEST} ${passed.join(" ")}`, build, kvm, help };
}

/** Boot and measure. @returns whether the guest ended well. */
async function measure({ command, kvm }: Settings, image: string, peer: string): Promise<boolean> {
  const result = await boot({
    kernel: image,
    initramfs: await buildInitramfs(),
    append: VARIANTS.iommufd.append,
    variant: "iommufd",
    command,
    files: new Map([["peer", peer]]),
    quietMax: QUIET_MAX,
    secondsMax: SECONDS_MAX,
    accelerator: kvm ? "kvm" : "tcg",
    onOutput: (bytes) => process.stdout.write(bytes),
  });
  const failure = describeFailure(result);
  if (failure !== undefined) console.error(`The guest ${failure}`);
  return failure === undefined;
}

/** @returns the exit status: 0, or 1 if something could not be measured, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  let settings: Settings;
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
    return settings.build || await measure(settings, image, peer) ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
