/**
 * What explanations may ask of an I/O address space: its handle says how when it is made.
 *
 * @module
 */
import type { SpaceFacts } from "./ranges.ts";

const FACTS = new WeakMap<object, SpaceFacts>();

/** What can be asked of an address space, by its handle. */
export function spaceFacts(ioas: object): SpaceFacts | undefined {
  return FACTS.get(ioas);
}

/** Say what can be asked of an address space. */
export function setSpaceFacts(ioas: object, facts: SpaceFacts): void {
  FACTS.set(ioas, facts);
}
