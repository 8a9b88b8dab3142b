/**
 * The quickstart, the conformance suite and the security rules outside Deno: from one esbuild bundle in Node and in headless Chromium.
 *
 * Needs `node`, and Chromium (the variable CHROMIUM names it; default: chromium). Run by `deno task test:runtimes`.
 *
 * @module
 */
import { deepStrictEqual, ok } from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { bundle, stopBundler } from "../../tools/build.ts";

const SUITE = "tests/runtimes/suite.ts";
const PAGE = `<!doctype html><meta charset="utf-8"><title>iommufd</title><script type="module">
import { runAll } from "/suite.js";
const report = await runAll().catch((error) => ({ passed: 0, failures: [String(error?.stack ?? error)] }));
await fetch("/report", { method: "POST", body: JSON.stringify(report) });
</script>`;
const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

interface Report {
  passed: number;
  failures: string[];
}

/** What the suite must have run at least, so that an empty bundle does not pass. */
const CASES_MIN = 300;

function judge(report: Report): void {
  deepStrictEqual(report.failures, []);
  ok(report.passed >= CASES_MIN, `only ${report.passed} cases ran`);
}

/** How often a folder is tried to be removed, and milliseconds between. */
const REMOVAL_TRIES = 50;
const REMOVAL_PAUSE = 100;

/** Remove a folder that a killed browser had its profile in: its helper processes outlive it by a moment, and write. */
async function removeFolder(folder: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (tries === REMOVAL_TRIES) throw error;
      await delay(REMOVAL_PAUSE);
    }
  }
}

async function withBundle(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await bundle(SUITE, join(folder, "suite.js"));
    await stopBundler();
    await use(folder);
  } finally {
    await removeFolder(folder);
  }
}

Deno.test("the suites pass in Node", async () => {
  await withBundle(async (folder) => {
    const script = join(folder, "run.mjs");
    await Deno.writeTextFile(script, `import { runAll } from "./suite.js";\nconsole.log(JSON.stringify(await runAll()));\n`);
    const { success, stdout, stderr } = await new Deno.Command("node", { args: [script] }).output();
    ok(success, new TextDecoder().decode(stderr));
    judge(JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!));
  });
});

/** Serve the page and the bundle's files on a free port; `reported` resolves with what the page posts. */
function servePage(folder: string): { server: Deno.HttpServer<Deno.NetAddr>; reported: Promise<Report> } {
  const { promise: reported, resolve } = Promise.withResolvers<Report>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (/^\/[\w-]+\.js$/.test(pathname)) {
      return new Response(await Deno.readFile(join(folder, pathname)), { headers: { "content-type": "text/javascript" } });
    }
    if (pathname !== "/report") return new Response(PAGE, { headers: { "content-type": "text/html" } });
    resolve(await request.json());
    return new Response();
  });
  return { server, reported };
}

Deno.test("the suites pass in headless Chromium", async () => {
  await withBundle(async (folder) => {
    const { server, reported } = servePage(folder);
    const url = `http://127.0.0.1:${server.addr.port}/`;
    const args = [...CHROMIUM_FLAGS, `--user-data-dir=${join(folder, "profile")}`, "--remote-debugging-port=0", url];
    const browser = new Deno.Command(Deno.env.get("CHROMIUM") ?? "chromium", { args, stdout: "null", stderr: "null" }).spawn();
    const patience = AbortSignal.timeout(120_000);
    try {
      judge(
        await Promise.race([
          reported,
          new Promise<never>((_, reject) => patience.addEventListener("abort", () => reject(new Error("The page did not report")))),
          browser.status.then(({ code }) => Promise.reject(new Error(`Chromium ended with status ${code} before the page reported`))),
        ]),
      );
    } finally {
      try {
        browser.kill("SIGKILL");
      } catch {
        // It ended by itself: the race above has said so.
      }
      await browser.status;
      await server.shutdown();
    }
  });
});
