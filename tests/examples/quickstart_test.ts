/**
 * The quickstart works as a function and as a program, and the README shows what is in the file.
 *
 * @module
 */
import { ok, strictEqual } from "node:assert/strict";
import { quickstart } from "../../examples/quickstart.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));

/** Lines of code of a file: what stands between the module's comment and the last line, which runs it as a program. */
function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

Deno.test("the device sends back what the program wrote", async () => {
  strictEqual(await quickstart(), "Hello, IOMMU!");
});

Deno.test("as a program it needs no permission and prints the text", async () => {
  const args = ["run", "--no-prompt", new URL("../../examples/quickstart.ts", import.meta.url).pathname];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
  strictEqual(new TextDecoder().decode(stdout), "Hello, IOMMU!\n");
  strictEqual(code, 0, new TextDecoder().decode(stderr));
});

Deno.test("the README shows the quickstart as it is", () => {
  const shown = /```ts\n([^]*?)```/.exec(read("README.md"))?.[1];
  ok(shown !== undefined, "the README has no code");
  const file = linesOf(read("examples/quickstart.ts"));
  const lines = linesOf(shown);
  ok(lines.length > 20, `only ${lines.length} lines are shown`);
  // One piece of the file: nothing between its first and last line may be missing.
  const start = file.indexOf(lines[0]!);
  strictEqual(file.slice(start, start + lines.length).join("\n"), lines.join("\n"));
});
