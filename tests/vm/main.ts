/**
 * Boots Linux with iommufd in QEMU and runs the tests of this folder there: `deno task test:vm`.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { run } from "./command.ts";
import { type Guest, MissingTestError, planTests, runGuests } from "./guests.ts";
import { buildInitramfs } from "./initramfs.ts";
import { buildKernel } from "./kernel.ts";
import { type VariantName, VARIANTS } from "./variants.ts";

const HERE = import.meta.dirname!;

const HELP = `Boot Linux 7.3 in QEMU and run tests in it. The first run builds the kernel, which takes some minutes.

  deno task test:vm [options] [test files]

Without files: all of tests/vm/*_test.ts.

  --variant NAME     ${Object.keys(VARIANTS).join(" or ")}; can be repeated. Default: all
  --filter TEXT      only tests whose name has it, as in deno test
  --run COMMAND      run a shell command in the repository instead of tests
  --shell            a shell in the guest instead of tests ("exit" ends it)
  --env NAME=VALUE   a variable for what runs; can be repeated
  --trace EVENT      log an event of QEMU's to the guest's /share/trace.log; can be repeated
  --kvm              let the processor run the guest, where /dev/kvm works
  --jobs NUMBER      guests at once. Default: 2, each with one test file after the other
  --quiet SECONDS    kill the guest when it has said nothing for so long. Default: 180
  --timeout SECONDS  kill it after so long in any case. Default: 1800
  --build            build the kernel and the guest's file system, and stop
  --help             this`;

/** An argument of the program is wrong. */
class UsageError extends Error {}

interface Settings {
  readonly variants: readonly VariantName[];
  readonly files: readonly string[];
  readonly filter: string | undefined;
  readonly command: string | undefined;
  readonly shell: boolean;
  readonly build: boolean;
  readonly help: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly trace: readonly string[];
  readonly kvm: boolean;
  readonly jobs: number;
  readonly quietMax: number;
  readonly secondsMax: number;
}

const OPTIONS = {
  variant: { type: "string", multiple: true },
  filter: { type: "string" },
  run: { type: "string" },
  shell: { type: "boolean" },
  env: { type: "string", multiple: true },
  trace: { type: "string", multiple: true },
  kvm: { type: "boolean" },
  jobs: { type: "string" },
  quiet: { type: "string" },
  timeout: { type: "string" },
  build: { type: "boolean" },
  help: { type: "boolean" },
} as const;

function isVariant(name: string): name is VariantName {
  return Object.hasOwn(VARIANTS, name);
}

function readSeconds(text: string | undefined, standard: number): number {
  const seconds = Number(text ?? standard);
  if (!(seconds > 0)) throw new UsageError(`Cannot wait for "${text}" seconds: a number above 0 is needed`);
  return seconds;
}

function readJobs(text = "2"): number {
  const jobs = Number(text);
  if (!Number.isSafeInteger(jobs) || jobs < 1) throw new UsageError(`Cannot run ${text} guests at once: a whole number above 0 is needed`);
  return jobs;
}

function readVariable(text: string): [string, string] {
  const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(text);
  if (match === null) throw new UsageError(`Cannot set "${text}": NAME=VALUE is needed`);
  return [match[1]!, match[2]!];
}

function readArguments(words: string[]): Settings {
  const { values, positionals } = (() => {
    try {
      return parseArgs({ args: words, options: OPTIONS, allowPositionals: true });
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message.split(". ")[0] : String(error), { cause: error });
    }
  })();
  const variants: VariantName[] = [];
  for (const name of values.variant ?? Object.keys(VARIANTS)) {
    if (!isVariant(name)) throw new UsageError(`Cannot boot the variant "${name}": there are ${Object.keys(VARIANTS).join(" and ")}`);
    variants.push(name);
  }
  const shell = values.shell ?? false;
  if (shell && values.run !== undefined) throw new UsageError("Cannot give a shell and run a command: one of --shell and --run");
  return {
    // A shell is for one person in one machine.
    variants: shell ? variants.slice(0, 1) : variants,
    files: positionals,
    filter: values.filter,
    command: values.run,
    shell,
    build: values.build ?? false,
    help: values.help ?? false,
    env: Object.fromEntries((values.env ?? []).map(readVariable)),
    trace: values.trace ?? [],
    kvm: values.kvm ?? false,
    jobs: readJobs(values.jobs),
    quietMax: readSeconds(values.quiet, 180),
    secondsMax: readSeconds(values.timeout, 1800),
  };
}

/** The guests that do what was asked for. */
function planGuests({ variants, files, filter, command, shell }: Settings): Promise<Guest[]> | Guest[] {
  if (!shell && command === undefined) return planTests(variants, { files, filter });
  return variants.map((variant) => ({ variant, name: `${variant}: ${command ?? "a shell"}`, command }));
}

/** The program. @returns its exit status: 0, 1 if a test failed or a guest did not end by itself, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  try {
    const settings = readArguments(words);
    if (settings.help) {
      console.log(HELP);
      return 0;
    }
    await run("bash", [join(HERE, "install.sh"), "run"]);
    const kernel = await buildKernel();
    const initramfs = await buildInitramfs();
    if (settings.build) {
      console.log(`${kernel.image}\n${initramfs}`);
      return 0;
    }
    if (settings.command === undefined && !settings.shell) await run(Deno.execPath(), ["check", "--quiet", HERE], { quiet: true });
    const { env, trace, quietMax, secondsMax, kvm, jobs } = settings;
    const accelerator = kvm ? "kvm" : "tcg";
    const guests = await planGuests(settings);
    return await runGuests(guests, { kernel: kernel.image, initramfs, env, trace, quietMax, secondsMax, accelerator }, jobs) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof MissingTestError)) throw error;
    console.error(`${error.message}\nTry: deno task test:vm --help`);
    return 2;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
