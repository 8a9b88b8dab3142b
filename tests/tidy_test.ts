/**
 * The house rules that a machine can check: who may import whom, where unsafe code may live, how long a function may be, that nothing is dead
 * and that generated files are up to date. See ARCHITECTURE.md.
 *
 * @module
 */
import { deepStrictEqual, ok } from "node:assert/strict";
import { dirname, join, normalize, relative } from "node:path";
import ts from "typescript";
import { sourceHash } from "../core-wasm/build.ts";
import config from "../deno.json" with { type: "json" };

const ROOT = join(import.meta.dirname!, "..");
const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 700;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly string[];
  /** Those of them that are there when the program runs: without types. */
  readonly loaded: readonly string[];
}

async function* files(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(join(ROOT, folder))) {
    const path = folder === "." ? entry.name : `${folder}/${entry.name}`;
    if (entry.name.startsWith(".") || ["target", "node_modules", "dist"].includes(entry.name)) continue;
    if (entry.isDirectory) yield* files(path);
    else yield path;
  }
}

/** Whether an import or export names types alone: it is gone when the program runs. */
function isTypeOnly(node: ts.Node): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node)) return false;
  const { importClause: clause } = node;
  if (clause === undefined) return false;
  const names = clause.namedBindings;
  return clause.isTypeOnly || (!clause.name && !!names && ts.isNamedImports(names) && names.elements.every(({ isTypeOnly }) => isTypeOnly));
}

/**
 * Every specifier that a file imports or re-exports, relative ones as paths from the root; dynamic imports
 * and `new URL("…", import.meta.url)` of literals included.
 */
function importsOf(path: string, tree: ts.SourceFile): { readonly name: string; readonly typeOnly: boolean }[] {
  const found: { readonly name: string; readonly typeOnly: boolean }[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
      ? node.arguments[0]
      : ts.isNewExpression(node) && node.expression.getText() === "URL" && node.arguments?.[1]?.getText() === "import.meta.url"
      ? node.arguments[0]
      : undefined;
    if (specifier && ts.isStringLiteral(specifier)) {
      const name = specifier.text.startsWith(".") ? normalize(join(dirname(path), specifier.text)) : specifier.text;
      found.push({ name, typeOnly: isTypeOnly(node) });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

async function readSources(): Promise<Source[]> {
  const sources: Source[] = [];
  for await (const path of files(".")) {
    if (!path.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(join(ROOT, path));
    const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const imports = importsOf(path, tree);
    const loaded = imports.filter(({ typeOnly }) => !typeOnly).map(({ name }) => name);
    sources.push({ path, text, tree, imports: imports.map(({ name }) => name), loaded });
  }
  return sources;
}

const sources = await readSources();

/** Of each file below `folder`, the project's own imports that match none of `allowed`. */
function strayImports(folder: RegExp, allowed: RegExp): string[] {
  return sources.filter(({ path }) => folder.test(path)).flatMap(({ path, imports }) =>
    imports.filter((name) => /^((api|uapi|backends|core-wasm|examples|tests|tools|cli)\/|mod\.ts$)/.test(name) && !allowed.test(name))
      .map((name) => `${path} imports ${name}`)
  );
}

Deno.test("uapi imports nothing but itself", () => {
  deepStrictEqual(strayImports(/^uapi\//, /^uapi\//), []);
});

Deno.test("api imports uapi and itself only", () => {
  deepStrictEqual(strayImports(/^api\//, /^(uapi|api)\//), []);
});

Deno.test("a backend imports uapi, the core and itself, never api nor another backend", () => {
  for (const backend of ["linux", "simulated", "wrap"]) {
    deepStrictEqual(strayImports(new RegExp(`^backends/${backend}/`), new RegExp(`^(uapi/|core-wasm/mod\\.ts|backends/${backend}/)`)), []);
  }
});

Deno.test("a device model imports the plugin interface and its own folder only", () => {
  deepStrictEqual(strayImports(/^backends\/simulated\/devices\//, /^backends\/simulated\/(device\.ts|devices\/)/), []);
});

Deno.test("an example imports mod.ts and its own folder only", () => {
  deepStrictEqual(strayImports(/^examples\//, /^(mod\.ts|examples\/)/), []);
});

Deno.test("core-wasm/mod.ts alone imports what the build made", () => {
  const importers = sources.filter(({ imports }) => imports.some((name) => name.startsWith("core-wasm/dist/"))).map(({ path }) => path);
  deepStrictEqual(importers, ["core-wasm/mod.ts"]);
});

Deno.test("the library never names Deno", () => {
  const offenders: string[] = [];
  for (const { path, tree } of sources) {
    if (!/^(mod\.ts|api\/|uapi\/|backends\/(simulated|wrap)\/|core-wasm\/mod\.ts)/.test(path)) continue;
    const visit = (node: ts.Node): void => {
      if (ts.isIdentifier(node) && node.text === "Deno") offenders.push(path);
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  deepStrictEqual(offenders, []);
});

Deno.test("what runs in Node 20 does without its lack of DisposableStack", () => {
  const runsThere = /^(mod\.ts|api\/|uapi\/|backends\/|core-wasm\/mod\.ts|tests\/(conformance|rules)\/)/;
  const offenders = sources.filter(({ path, text }) => runsThere.test(path) && /\bDisposableStack\b/.test(text)).map(({ path }) => path);
  deepStrictEqual(offenders, []);
});

Deno.test("the backend for Linux names Deno in one file, the one to write again for another runtime", () => {
  const offenders = sources.filter(({ path, text }) => path.startsWith("backends/linux/") && /\bDeno\./.test(text)).map(({ path }) => path);
  deepStrictEqual(offenders, ["backends/linux/libc_unsafe.ts"]);
});

Deno.test("foreign functions are called in files named *_unsafe.ts only", () => {
  const offenders = sources.filter(({ path, text }) =>
    /Deno\.(dlopen|UnsafePointer)/.test(text) && !/_unsafe\.ts$/.test(path) && path !== "tests/tidy_test.ts"
  );
  deepStrictEqual(offenders.map(({ path }) => path), []);
});

Deno.test("unsafe Rust lives in the binding crate only, in the heap of the tests, and where peers are measured that ask for it", async () => {
  const offenders: string[] = [];
  for await (const path of files("core-wasm")) {
    if (!path.endsWith(".rs") || /^core-wasm\/(crates\/(binding|failing_alloc)\/|bench\/benches\/peers\.rs$)/.test(path)) continue;
    const code = (await Deno.readTextFile(join(ROOT, path))).replace(/\/\/.*$/gm, "");
    if (/\bunsafe\b|allow\(unsafe_code\)/.test(code)) offenders.push(path);
  }
  deepStrictEqual(offenders, []);
});

function nameOf(node: ts.Node): string {
  const named = node as ts.Node & { name?: ts.Node };
  return named.name?.getText() ?? "(anonymous)";
}

Deno.test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
  const offenders: string[] = [];
  for (const { path, tree } of sources) {
    // Generated code is straight-line by design; a test file's registering function is a list.
    if (path === "uapi/codec.ts") continue;
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && "body" in node && node.body) {
        const lines = tree.getLineAndCharacterOfPosition(node.end).line - tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
        if (lines > FUNCTION_LINES_MAX) offenders.push(`${path}: ${nameOf(node)} has ${lines} lines`);
      }
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  deepStrictEqual(offenders, []);
});

Deno.test(`no source file is longer than ${FILE_LINES_MAX} lines`, async () => {
  const offenders: string[] = [];
  for await (const path of files(".")) {
    if (!/\.(ts|rs)$/.test(path)) continue;
    const text = await Deno.readTextFile(join(ROOT, path));
    const lines = text.split("\n").length;
    if (lines > FILE_LINES_MAX && !text.slice(0, 200).includes("GENERATED")) offenders.push(`${path}: ${lines} lines`);
  }
  deepStrictEqual(offenders, []);
});

Deno.test("every source file is reached from an entry point", () => {
  const entries = sources.map(({ path }) => path).filter((path) =>
    Object.values(config.exports).some((entry) => normalize(entry) === path) ||
    /(_test|_bench)\.ts$|^tools\/|^core-wasm\/build\.ts$|^examples\/([^/]+\.ts|[^/]+\/main\.ts)$/.test(path) ||
    /^tests\/(types|runtimes)\//.test(path) || Object.values(config.tasks).some((task) => JSON.stringify(task).includes(path))
  );
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const queue = [...entries];
  while (queue.length > 0) {
    const path = queue.pop()!;
    if (reached.has(path)) continue;
    reached.add(path);
    queue.push(...(byPath.get(path)?.imports ?? []));
  }
  deepStrictEqual(sources.map(({ path }) => path).filter((path) => !reached.has(path)), []);
});

// Classes that know each other by type are no circle: what one of them loads does not load the other.
Deno.test("modules do not load each other in a circle", () => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const state = new Map<string, "open" | "done">();
  const circles: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    if (state.get(path) === "done" || !byPath.has(path)) return;
    if (state.get(path) === "open") {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    state.set(path, "open");
    for (const next of byPath.get(path)!.loaded) visit(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const { path } of sources) visit(path, []);
  deepStrictEqual(circles, []);
});

Deno.test("the committed core was built from the sources that are here", async () => {
  const record = JSON.parse(await Deno.readTextFile(join(ROOT, "core-wasm/dist/source.json")));
  deepStrictEqual(record.source, await sourceHash(), "core-wasm/dist is stale: deno task build:core");
  for (const [name, budget] of [["core", 107_800], ["core_full", 149_200]] as const) {
    const { gzipped } = record[name];
    ok(gzipped <= budget, `${name}.wasm is ${gzipped} bytes gzipped, its budget is ${budget}`);
  }
});

Deno.test("the files that are generated from the schema are up to date", async () => {
  const { success, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", join(ROOT, "tools/generate.ts"), "--check"],
    cwd: ROOT,
  }).output();
  ok(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
});

Deno.test("no text in the repository is unfinished", async () => {
  const offenders: string[] = [];
  for await (const path of files(".")) {
    if (!/\.(ts|rs|md|sh|toml|json)$/.test(path) || path === "tests/tidy_test.ts") continue;
    const text = await Deno.readTextFile(join(ROOT, path));
    if (/\b(TODO|FIXME|XXX)\b|todo!\(|unimplemented!\(|#\[ignore/.test(text)) offenders.push(relative(".", path));
  }
  deepStrictEqual(offenders, []);
});
