/**
 * Plays the same on two kernels and finds the first call of which a program sees something else.
 *
 * @module
 */
import { Generator } from "./generate.ts";
import { type Outcome, Player, sameOutcome } from "./play.ts";
import type { Step } from "./sequence.ts";

/** A call that two kernels answered differently. */
export interface Difference {
  /** The sequence up to the call, which is its last. */
  readonly steps: readonly Step[];
  /** What the first kernel answered. */
  readonly first: Outcome;
  /** What the second kernel answered. */
  readonly second: Outcome;
}

/** Two programs that do the same. */
export class Pair {
  constructor(/** On the first kernel. */ readonly first: Player, /** On the second. */ readonly second: Player) {}

  /** Begin a sequence. */
  restart(): void {
    this.first.restart();
    this.second.restart();
  }

  /** Make a call on both. Returns the two outcomes. */
  play(step: Step): { readonly first: Outcome; readonly second: Outcome; readonly same: boolean } {
    const first = this.first.play(step);
    const second = this.second.play(step);
    return { first, second, same: sameOutcome(first, second) };
  }

  /** Play a sequence from its beginning to the first difference, if there is one. */
  difference(steps: readonly Step[]): Difference | undefined {
    this.restart();
    for (let index = 0; index < steps.length; index++) {
      const { first, second, same } = this.play(steps[index]!);
      if (!same) return { steps: steps.slice(0, index + 1), first, second };
    }
    return undefined;
  }

  /** Play a sequence of a seed, of so many calls and an end. It follows the answers of the first kernel. */
  generated(seed: number, length: number): { readonly calls: number; readonly difference?: Difference } {
    this.restart();
    const generator = new Generator(seed);
    const steps: Step[] = [];
    for (let index = 0; index < length; index++) {
      const step = generator.next();
      steps.push(step);
      const { first, second, same } = this.play(step);
      if (!same) return { calls: index, difference: { steps, first, second } };
      generator.learn(step, first, (value) => this.first.resolve(value));
    }
    for (const step of generator.end()) {
      steps.push(step);
      const { first, second, same } = this.play(step);
      if (!same) return { calls: steps.length - 1, difference: { steps, first, second } };
    }
    return { calls: steps.length };
  }
}
