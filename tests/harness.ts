/**
 * Runs suites of cases wherever they are: below a test runner, or alone in Node or a page.
 *
 * A suite knows nothing of the runner. Before each case the host makes a fresh context, usually a kernel; after it, whatever the case did,
 * the host takes the context away and says what is left over. A leak fails the case.
 *
 * @module
 */
import { CheckError } from "./check.ts";

/** One case: a sentence about behaviour, and what proves it. */
export interface Case<Context> {
  /** A sentence, unique in its suite. */
  readonly name: string;
  /** Throws if the behaviour is another. */
  readonly run: (context: Context) => void | Promise<void>;
}

/** Cases about one subject. */
export interface Suite<Context> {
  /** The subject. */
  readonly name: string;
  /** In any order; none depends on another. */
  readonly cases: readonly Case<Context>[];
}

/** Where cases get their context from. */
export interface Host<Context> {
  /** Make the context for the case of this name. */
  open(name: string): Promise<Context>;
  /** Take it away again. Returns what is left over, in words; nothing if all is well. */
  close(context: Context): string[] | Promise<string[]>;
}

/** A case that failed. */
export interface Failure {
  /** The suite. */
  readonly suite: string;
  /** The case. */
  readonly name: string;
  /** What it threw. */
  readonly error: unknown;
}

/** What came of running suites. */
export interface Report {
  /** Names of the cases that passed, with their suites. */
  readonly passed: readonly string[];
  /** The cases that failed. */
  readonly failed: readonly Failure[];
}

/** Run one case. @throws what the case throws, or a {@linkcode CheckError} if something is left over. */
export async function runCase<Context>(suite: Suite<Context>, one: Case<Context>, host: Host<Context>): Promise<void> {
  const context = await host.open(`${suite.name}: ${one.name}`);
  let failure: { readonly error: unknown } | undefined;
  try {
    await one.run(context);
  } catch (error) {
    failure = { error };
  }
  const left = await host.close(context);
  if (failure !== undefined) throw failure.error;
  if (left.length > 0) throw new CheckError(`After the case: ${left.join("; ")}`);
}

/** Run all cases one after the other, those behind a failure too. */
export async function runSuites<Context>(suites: readonly Suite<Context>[], host: Host<Context>): Promise<Report> {
  const passed: string[] = [];
  const failed: Failure[] = [];
  for (const suite of suites) {
    for (const one of suite.cases) {
      try {
        await runCase(suite, one, host);
        passed.push(`${suite.name}: ${one.name}`);
      } catch (error) {
        failed.push({ suite: suite.name, name: one.name, error });
      }
    }
  }
  return { passed, failed };
}

/** Give each case to a test runner: `register(suites, host, Deno.test)`. `prefix` keeps the names of several hosts apart. */
export function register<Context>(
  suites: readonly Suite<Context>[],
  host: Host<Context>,
  test: (name: string, run: () => Promise<void>) => void,
  prefix = "",
): void {
  for (const suite of suites) {
    for (const one of suite.cases) test(`${prefix}${suite.name}: ${one.name}`, () => runCase(suite, one, host));
  }
}

/** A failure in one line. */
export function describeFailure({ suite, name, error }: Failure): string {
  return `${suite}: ${name}: ${error instanceof Error ? error.message : String(error)}`;
}
