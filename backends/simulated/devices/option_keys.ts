/**
 * Options that nothing reads are refused: a misspelt one must not pass for its default.
 *
 * @module
 */

/** Names of options, each once: a name that is missing here, or too much, does not compile. */
export type OptionKeys<T> = Readonly<Record<keyof T, true>>;

/**
 * Check the names of options.
 *
 * @param what is made or done with them, to follow "Cannot": "make an edu device".
 * @throws {TypeError} naming the option that there is not.
 */
export function checkOptionKeys<T extends object>(what: string, options: T, known: OptionKeys<T>): void {
  if (typeof options !== "object" || options === null) throw new TypeError(`Cannot ${what}: its options must be an object`);
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(known, key)) continue;
    throw new TypeError(`Cannot ${what}: there is no option "${key}", but ${Object.keys(known).join(", ")}`);
  }
}
