/**
 * Builds the C peer.
 *
 * @module
 */
import { join } from "node:path";
import { run } from "../command.ts";

const SOURCES = join(import.meta.dirname!, "../peer");

/**
 * Build the peer, with nothing that the guest would have to have.
 *
 * @param out where the program goes. @param headers a folder with Linux's headers of the guest's release, as `make headers_install` leaves them.
 */
export async function buildPeer(out: string, headers: string): Promise<void> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(SOURCES)) if (name.endsWith(".c")) names.push(join(SOURCES, name));
  const flags = ["-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-Werror"];
  await run("gcc", [...flags, "-isystem", headers, "-o", out, ...names.sort()], { quiet: true });
}
