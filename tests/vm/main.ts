/**
 * Boots Linux with iommufd in QEMU and runs the tests of this folder there: `deno task test:vm`.
 *
 * @module
 */
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { boot, type BootResult } from "./boot.ts";
import { run } from "./command.ts";
import { buildInitramfs } from "./initramfs.ts";
import { buildKernel, type BuiltKernel } from "./kernel.ts";
import { type Variant, type VariantName, VARIANTS } from "./variants.ts";

const HERE = import.meta.dirname!;
const ROOT = join(HERE, "../..");

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
    quietMax: readSeconds(values.quiet, 180),
    secondsMax: readSeconds(values.timeout, 1800),
  };
}

/** The tests to run, from the repository's root. @throws {UsageError} for one that is not there. */
async function testFiles({ files }: Settings, { tests }: Variant): Promise<string[]> {
  if (files.length > 0) {
    for (const file of files) await Deno.stat(file).catch(() => Promise.reject(new UsageError(`Cannot find the test file ${file}`)));
    return files.map((file) => relative(ROOT, file));
  }
  const names: string[] = [];
  for await (const { name } of Deno.readDir(HERE)) if (name.endsWith("_test.ts")) names.push(name);
  return names.filter((name) => tests === undefined || tests.includes(name)).sort().map((name) => `tests/vm/${name}`);
}

/** What the guest's shell runs; undefined: there is nothing for this variant. */
async function commandFor(settings: Settings, variant: Variant): Promise<string | undefined> {
  if (settings.command !== undefined) return settings.command;
  const files = await testFiles(settings, variant);
  if (files.length === 0) return undefined;
  const filter = settings.filter === undefined ? "" : ` --filter '${settings.filter.replaceAll("'", `'\\''`)}'`;
  // Types were checked outside, where it is faster.
  return `deno test --no-check --allow-all${filter} ${files.join(" ")}`;
}

function report(name: string, { status, seconds, killed, console: lines }: BootResult): boolean {
  if (status === 0) {
    console.error(`-- ${name}: done in ${seconds.toFixed(0)} s`);
    return true;
  }
  const how = killed !== undefined
    ? `was killed, since ${killed}`
    : status === undefined
    ? "ended on its own"
    : `ended with status ${status}`;
  console.error(`-- ${name}: ${how}, after ${seconds.toFixed(0)} s`);
  if (status === undefined) console.error(`The last lines of its console:\n${lines}`);
  return false;
}

async function runVariant(name: VariantName, settings: Settings, kernel: BuiltKernel, initramfs: string): Promise<boolean> {
  const variant: Variant = VARIANTS[name];
  const command = settings.shell ? undefined : await commandFor(settings, variant);
  if (command === undefined && !settings.shell) return true;
  if (!settings.shell) console.error(`-- ${name}: ${variant.about}`);
  const result = await boot({
    kernel: kernel.image,
    initramfs,
    append: variant.append,
    variant: name,
    ...(command === undefined ? {} : { command }),
    env: settings.env,
    trace: settings.trace,
    quietMax: settings.quietMax,
    secondsMax: settings.secondsMax,
    accelerator: settings.kvm ? "kvm" : "tcg",
    onOutput: (bytes) => process.stdout.write(bytes),
  });
  return settings.shell || report(name, result);
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
    let good = true;
    for (const name of settings.variants) good = await runVariant(name, settings, kernel, initramfs) && good;
    return good ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\nTry: deno task test:vm --help`);
    return 2;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
