/**
 * A setting of Linux on which answers of its mock IOMMU depend.
 *
 * @module
 */

const SETTING = "/sys/kernel/mm/transparent_hugepage/enabled";

/** Linux joins no pages of the program into huge ones while this lives: of those it would not say how often each is pinned. */
export class NoHugePages implements Disposable {
  readonly #before: string;

  /** @throws {Error} without the rights of the superuser */
  constructor() {
    this.#before = /\[(\w+)\]/.exec(Deno.readTextFileSync(SETTING))![1]!;
    Deno.writeTextFileSync(SETTING, "never");
  }

  /** As it was before. */
  [Symbol.dispose](): void {
    Deno.writeTextFileSync(SETTING, this.#before);
  }
}
