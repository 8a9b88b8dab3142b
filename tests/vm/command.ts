/**
 * Runs programs of the host.
 *
 * @module
 */

/** How {@linkcode run} runs. */
export interface RunOptions {
  /** Return what it prints to its standard output. Default: shown to the user. */
  readonly capture?: boolean;
  /** Show what it prints only if it fails. Default: false. */
  readonly quiet?: boolean;
  /** Where. Default: here. */
  readonly cwd?: string;
  /** Variables besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Lines of a failed program's output that its error quotes. */
const TAIL = 40;

/** A word for a shell, whatever is in it. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Run a program to its end. Returns what it printed, if that is captured or quiet. @throws {Error} if it fails, with what it printed last. */
export async function run(
  program: string,
  args: readonly string[],
  { capture = false, quiet = false, cwd, env = {} }: RunOptions = {},
): Promise<string> {
  const piped = capture || quiet;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args: [...args],
      env,
      stdin: "null",
      stdout: piped ? "piped" : "inherit",
      stderr: quiet ? "piped" : "inherit",
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
  } catch (cause) {
    throw new Error(`Cannot run ${program}: is it installed?`, { cause });
  }
  const text = (stream: ReadableStream<Uint8Array>) => new Response(stream).text();
  const [{ code }, stdout, stderr] = await Promise.all([child.status, piped ? text(child.stdout) : "", quiet ? text(child.stderr) : ""]);
  if (code === 0) return stdout;
  const last = `${stdout}${stderr}`.trim().split("\n").slice(-TAIL).join("\n");
  throw new Error(`${program} ${args.join(" ")} ended with status ${code}${last === "" ? "" : `:\n${last}`}`);
}
