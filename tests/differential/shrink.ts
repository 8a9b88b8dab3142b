/**
 * Makes a sequence in which two kernels differ as short and as plain as it gets.
 *
 * First steps are taken out, in halves, quarters and so on to single ones, as in delta debugging; then values are replaced by plainer ones.
 * Whatever still shows a difference is kept, also another than at first: each is a finding.
 *
 * @module
 */
import { shapeOf } from "./play.ts";
import { isFile, reference, type RequestStep, type Step, type Value, valueText } from "./sequence.ts";

/** Whether something is still wrong: how many steps of these it takes to see it; undefined where nothing is. */
export type Fails = (steps: readonly Step[]) => number | undefined;

/** The numbers that references stood for when the whole sequence was played, by their texts. */
export type Literals = ReadonlyMap<string, bigint>;

/** The sequence up to what goes wrong; undefined where nothing does. */
function failing(fails: Fails, steps: readonly Step[]): readonly Step[] | undefined {
  const needed = fails(steps);
  return needed === undefined ? undefined : steps.slice(0, needed);
}

/** The shortest and plainest sequence found. @throws {Error} where nothing goes wrong with the one given */
export function shrink(steps: readonly Step[], fails: Fails, literals: Literals): Step[] {
  let best = failing(fails, steps);
  if (best === undefined) throw new Error("Cannot shrink a sequence in which nothing goes wrong");
  for (let before = ""; before !== text(best);) {
    before = text(best);
    best = simplify(withoutSteps(best, fails, literals), fails);
  }
  return renumber(best);
}

function text(steps: readonly Step[]): string {
  return JSON.stringify(steps, (_, value) => typeof value === "bigint" ? value.toString() : value);
}

function withoutSteps(steps: readonly Step[], fails: Fails, literals: Literals): readonly Step[] {
  let best = steps;
  for (let chunk = Math.ceil(best.length / 2); chunk >= 1; chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2)) {
    // From the end: what comes last depends on most and is needed least.
    for (let end = best.length; end > 0; end -= chunk) {
      const left = [...best.slice(0, Math.max(0, end - chunk)), ...best.slice(end)];
      const shorter = failing(fails, left) ?? failing(fails, left.map((step) => mapValues(step, literal(left, literals))));
      if (shorter === undefined) continue;
      best = shorter;
      end = Math.min(end, best.length + chunk);
    }
  }
  return best;
}

function simplify(steps: readonly Step[], fails: Fails): readonly Step[] {
  let best = steps;
  for (let index = 0; index < best.length; index++) {
    for (const plainer of plainerSteps(best, index)) {
      const simpler = failing(fails, [...best.slice(0, index), plainer, ...best.slice(index + 1)]);
      if (simpler !== undefined) best = simpler;
      if (index >= best.length) break;
    }
  }
  return best;
}

/** Steps that could stand for one, made from what it is when each is asked for. */
function* plainerSteps(steps: readonly Step[], index: number): Iterable<Step> {
  const step = steps[index]!;
  if (step.call === "memfd") {
    for (const length of [4096n, 65536n]) if (length < step.length) yield { ...step, length };
  }
  if (step.call !== "ioctl" && step.call !== "read" && step.call !== "write") return;
  const { at: _at, ...inPlace } = step;
  if (step.at !== undefined) yield inPlace;
  const { data: _data, ...withoutData } = step;
  if (step.data !== undefined) yield withoutData;
  if (step.call !== "ioctl") return;
  const { tail: _tail, ...withoutTail } = step;
  if (step.tail !== undefined) yield withoutTail;
  yield* plainerFields(step);
  yield* plainerData(step);
  yield* namedIds(steps, index, step);
}

/** An id that is a number, as the answer of each step before that gave one: so that steps can go without which ids are others. */
function* namedIds(steps: readonly Step[], index: number, step: RequestStep): Iterable<Step> {
  const { fields } = shapeOf(step.request);
  for (const [name, value] of Object.entries(step.fields)) {
    const role = fields.get(name)!.field.role;
    if (typeof value !== "bigint" || role.is !== "id") continue;
    for (const before of steps.slice(0, index)) {
      for (const made of before.call === "ioctl" ? shapeOf(before.request).fields.values() : []) {
        const { field } = made;
        if (field.role.is !== "id" || field.direction !== "out" || !role.kinds.includes(field.role.kinds[0]!)) continue;
        yield { ...step, fields: { ...step.fields, [name]: reference(before.id, field.name) } };
      }
    }
  }
}

function* plainerFields(step: RequestStep): Iterable<Step> {
  const size = [...shapeOf(step.request).fields.keys()][0];
  for (const name of Object.keys(step.fields)) {
    const { [name]: value, ...others } = step.fields;
    yield { ...step, fields: others };
    if (name === size) continue;
    for (const plainer of plainerValues(value!)) yield { ...step, fields: { ...step.fields, [name]: plainer } };
  }
}

function* plainerData(step: RequestStep): Iterable<Step> {
  const { data = [] } = step;
  for (let word = 0; word < data.length; word++) {
    for (const plainer of plainerValues(data[word]!)) yield { ...step, data: data.with(word, plainer) };
  }
}

function* plainerValues(value: Value): Iterable<Value> {
  if (typeof value !== "bigint") {
    if (value.plus !== 0n) yield { ...value, plus: 0n };
    return;
  }
  const plain = [1n, 2n, 2048n, 4096n, 0x100_0000n, value & ~0xfffffn, value & ~0xfffn, value & ~0x7ffn];
  for (const candidate of plain) if (candidate < value) yield candidate;
}

/** A step with other values, the numbers of steps as they are. */
function mapValues(step: Step, map: (value: Value) => Value): Step {
  if (step.call === "open" || step.call === "memfd") return step;
  if (step.call !== "ioctl") return { ...step, file: map(step.file) };
  const fields = Object.fromEntries(Object.entries(step.fields).map(([name, value]) => [name, map(value)]));
  return { ...step, file: map(step.file), fields, ...(step.data ? { data: step.data.map(map) } : {}) };
}

/** Of a reference to a step that is not there, the number that it stood for. Files have other numbers in each run. */
function literal(steps: readonly Step[], literals: Literals): (value: Value) => Value {
  const there = new Set(steps.map(({ id }) => id));
  return (value) => {
    if (typeof value === "bigint" || there.has(value.step)) return value;
    return isFile(value.field) ? -1n : literals.get(valueText(value)) ?? 0n;
  };
}

/** The steps with numbers from 0, in order. */
function renumber(steps: readonly Step[]): Step[] {
  const numbers = new Map(steps.map(({ id }, index) => [id, index]));
  const plain = literal(steps, new Map());
  return steps.map((step, id) => {
    const renamed = mapValues(step, (value) => {
      const there = plain(value);
      return typeof there === "bigint" ? there : { ...there, step: numbers.get(there.step)! };
    });
    return { ...renamed, id };
  });
}
