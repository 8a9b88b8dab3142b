/**
 * Boots the virtual machine and runs one command in it.
 *
 * @module
 */
import { join } from "node:path";
import { run, shellWord } from "./command.ts";
import { BARE_OPTIONS, deviceOptions } from "./devices.ts";
import { makeDisk } from "./disk.ts";
import { packModuleCache } from "./module_cache.ts";

const ROOT = join(import.meta.dirname!, "../..");

/** What to run, and on what. */
export interface BootOptions {
  /** The kernel's image. */
  readonly kernel: string;
  /** The guest's file system. */
  readonly initramfs: string;
  /** Added to the kernel's command line. */
  readonly append: string;
  /** Name of the variant, for the guest. */
  readonly variant: string;
  /** What the guest's shell runs, in the repository. Absent: a shell for a person. */
  readonly command?: string;
  /** Files to put into the guest's /share, by name: paths of this machine. */
  readonly files?: ReadonlyMap<string, string>;
  /** Variables for the command. */
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds without a word from the command after which the guest counts as hung. */
  readonly quietMax: number;
  /** Seconds from power-on after which it is killed in any case. */
  readonly secondsMax: number;
  /** How QEMU executes the guest: "tcg" works everywhere. */
  readonly accelerator: "tcg" | "kvm";
  /** QEMU's trace events to log into the guest's /share/trace.log. */
  readonly trace?: readonly string[];
  /** Gets the command's output as it comes. */
  readonly onOutput: (bytes: Uint8Array) => void;
}

/** What came of it. */
export interface BootResult {
  /** The command's exit status; undefined: the guest ended or was killed without one. */
  readonly status: number | undefined;
  /** From power-on to power-off. */
  readonly seconds: number;
  /** Why it was killed; undefined: it was not. */
  readonly killed: string | undefined;
  /** Whether the command said a word. */
  readonly isHeard: boolean;
  /** What the kernel printed last. */
  readonly console: string;
}

/** Lines of the console that a failure shows. */
const CONSOLE_LINES = 40;

/** Seconds that a guest has for powering off. */
const POWER_OFF_SECONDS = 15;
/** Why a guest is killed that has said its status. */
const HARNESS_ENDED = "the harness ended";

/** Whether the command's exit status has come. */
function hasStatus(share: string): boolean {
  try {
    return Deno.statSync(join(share, "status")).size > 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

let packages: Promise<string> | undefined;
let modules: Promise<Uint8Array> | undefined;

/** Where Deno keeps packages: the same for all guests. */
function denoFolder(): Promise<string> {
  packages ??= run(Deno.execPath(), ["info", "--json"], { capture: true }).then((text) => JSON.parse(text).denoDir);
  return packages;
}

function qemuArguments(options: BootOptions, share: string, deno: string): string[] {
  const { command, kernel, initramfs, append, accelerator, trace = [] } = options;
  const folder = (tag: string, path: string, access: string) => [
    "-virtfs",
    `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap${access}`,
  ];
  const port = (name: string) => ["-device", `virtserialport,chardev=${name},name=${name}`];
  const terminal = command === undefined;
  return [
    ...["-accel", accelerator === "tcg" ? "tcg,thread=multi" : "kvm"],
    ...["-M", "q35,kernel-irqchip=split", "-cpu", "max", "-smp", "2", "-m", "4G"],
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none", "-net", "none"],
    ...["-serial", `file:${join(share, "console.log")}`],
    ...deviceOptions(join(share, "disk.img")),
    // A port whose other end reads at its end of file counts as closed, and the guest would wait for it: output goes to a file, not to stdio.
    ...["-chardev", terminal ? "stdio,id=output,signal=off" : "file,id=output,path=/dev/stdout"],
    ...(terminal ? ["-device", "virtconsole,chardev=output"] : port("output")),
    ...["-chardev", `file,id=status,path=${join(share, "status")}`],
    ...port("status"),
    ...folder("repo", ROOT, ",readonly=on"),
    ...folder("share", share, ""),
    ...folder("deno", deno, ",readonly=on"),
    ...BARE_OPTIONS,
    ...["-kernel", kernel, "-initrd", initramfs],
    // The kernel panics where its timer does not tick during a check that a busy host can make it miss: no_timer_check.
    ...["-append", `console=ttyS0 panic=-1 oops=panic no_timer_check hugepages=64 hugepagesz=1G hugepages=1 ${append}`],
    ...(trace.length === 0 ? [] : ["-D", join(share, "trace.log"), ...trace.flatMap((event) => ["-trace", event])]),
  ];
}

async function fillShare(share: string, options: BootOptions): Promise<void> {
  const { variant, command, files = new Map<string, string>(), env = {} } = options;
  const disk = await makeDisk(join(share, "disk.img"));
  const variables = { ...env, VM_VARIANT: variant, VM_DISK_SHA256: disk };
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${shellWord(value)}\n`).join("");
  await Deno.writeTextFile(join(share, "environment.sh"), exports);
  if (command === undefined) {
    await Deno.writeTextFile(join(share, "shell"), `A shell in the guest (${variant}), in the repository; "exit" ends it.\n`);
  } else await Deno.writeTextFile(join(share, "run.sh"), `${exports}${command}\n`);
  // The guest has the repository at the path that it has here, by which the cache knows its modules.
  await Deno.writeTextFile(join(share, "repository"), ROOT);
  await Deno.writeFile(join(share, "modules.tar"), await (modules ??= packModuleCache()));
  for (const [name, path] of files) {
    await Deno.copyFile(path, join(share, name));
    await Deno.chmod(join(share, name), 0o755);
  }
}

/** What became of a guest that did not do what it was told, to follow its name; undefined: all is well. */
export function describeFailure({ status, seconds, killed, console: lines }: BootResult): string | undefined {
  if (status === 0) return undefined;
  const how = killed !== undefined
    ? `was killed, since ${killed}`
    : status === undefined
    ? "ended on its own"
    : `ended with status ${status}`;
  const last = status === undefined ? `\nThe last lines of its console:\n${lines}` : "";
  return `${how}, after ${seconds.toFixed(0)} s${last}`;
}

/** Boot, run, power off. @throws {Error} if QEMU itself cannot run. */
export async function boot(options: BootOptions): Promise<BootResult> {
  const share = await Deno.makeTempDir({ prefix: "iommufd-vm-" });
  try {
    await fillShare(share, options);
    return await watch(options, qemuArguments(options, share, await denoFolder()), share);
  } finally {
    await Deno.remove(share, { recursive: true });
  }
}

async function watch(options: BootOptions, args: string[], share: string): Promise<BootResult> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const terminal = options.command === undefined;
  const qemu = spawnQemu(args, terminal);
  let heard = 0;
  let killed: string | undefined;
  const kill = (why: string) => {
    killed ??= why;
    try {
      qemu.kill("SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  };
  let answered: number | undefined;
  const timer = terminal ? undefined : setInterval(() => {
    // With the status there, the tests are over: a guest that hangs while it powers off has nothing more to say.
    if (answered === undefined && hasStatus(share)) answered = seconds();
    if (answered !== undefined) {
      if (seconds() - answered > POWER_OFF_SECONDS) kill(HARNESS_ENDED);
    } else if (seconds() > options.secondsMax) kill(`it ran for ${options.secondsMax} s`);
    else if (seconds() - heard > options.quietMax) kill(`nothing came from it for ${options.quietMax} s`);
  }, 1000);
  try {
    if (!terminal) {
      for await (const bytes of qemu.stdout) {
        heard = seconds();
        options.onOutput(bytes);
      }
    }
    await qemu.status;
  } finally {
    clearInterval(timer);
    kill(HARNESS_ENDED);
    await qemu.status;
  }
  const text = async (name: string) => await Deno.readTextFile(join(share, name)).catch(() => "");
  const status = (await text("status")).trim();
  const lines = (await text("console.log")).trimEnd().split("\n").slice(-CONSOLE_LINES);
  return {
    status: status === "" ? undefined : Number(status),
    seconds: seconds(),
    killed: killed === HARNESS_ENDED ? undefined : killed,
    isHeard: heard > 0,
    console: lines.join("\n"),
  };
}

function spawnQemu(args: string[], terminal: boolean): Deno.ChildProcess {
  try {
    return new Deno.Command("qemu-system-x86_64", {
      args,
      stdin: terminal ? "inherit" : "null",
      stdout: terminal ? "inherit" : "piped",
      stderr: "inherit",
    }).spawn();
  } catch (cause) {
    throw new Error("Cannot run qemu-system-x86_64: tests/vm/install.sh installs it", { cause });
  }
}
