/**
 * Prints a C file that asserts the schema's numbers against Linux's own headers:
 *
 * ```sh
 * deno run tools/layout.ts | gcc -fsyntax-only -I $HEADERS -x c -
 * ```
 *
 * `HEADERS` is a folder with the `linux/iommufd.h`, `linux/vfio.h` and `iommufd_test.h` of the release that the schema describes. Taken from a
 * source tree rather than installed, they need `-D__user= "-D__counted_by(x)="`. Headers named as arguments are the only ones asked for:
 * `iommufd_test.h` is not among those that the kernel installs.
 *
 * @module
 */
import process from "node:process";
import { DESCRIBED, fieldBytes, minimumBytes, placed, structBytes, structOf } from "../uapi/schema/layout.ts";
import type { Family, Request, Struct } from "../uapi/schema/types.ts";

function assertion(condition: string): string {
  return `_Static_assert(${condition}, ${JSON.stringify(condition)});`;
}

function structAssertions(struct: Struct): string[] {
  if (!struct.c) return [];
  // Linux ends a struct with a tail behind its last field, which may be short of the struct's alignment.
  const last = struct.fields.at(-1)!;
  const member = `struct ${struct.c}`;
  return [
    ...placed(struct).filter(({ field }) => field.c !== "").flatMap(({ field, at }) => [
      assertion(`offsetof(${member}, ${field.c ?? field.name}) == ${at}`),
      assertion(`sizeof(((${member} *)0)->${field.c ?? field.name}) == ${fieldBytes(field)}`),
    ]),
    ...(struct.tails ?? []).map(({ name }) => assertion(`offsetof(${member}, ${name}) == ${structBytes(struct)}`)),
    assertion(
      `${struct.tails ? `offsetof(${member}, ${last.c ?? last.name}) + ${fieldBytes(last)}` : `sizeof(${member})`} == ${
        structBytes(struct)
      }`,
    ),
  ];
}

function requestAssertions(request: Request): string[] {
  if (!request.c) return [];
  const struct = structOf(request);
  const field = struct?.fields.find(({ name }) => name === request.minimum);
  const minimum = struct?.c && field
    ? [assertion(`offsetof(struct ${struct.c}, ${field.c ?? field.name}) + ${fieldBytes(field)} == ${minimumBytes(request)}`)]
    : [];
  return [assertion(`${request.c} == ${request.number}`), ...minimum];
}

function familyAssertions(family: Family): string[] {
  const constants = family.names.flatMap(({ c, values }) =>
    Object.entries(values).map(([name, value]) => assertion(`${c ?? ""}${name} == ${value}`))
  );
  return [...family.structs.flatMap(structAssertions), ...family.requests.flatMap(requestAssertions), ...constants];
}

/** A C file that asserts what the schema says. @param headers the only ones to ask for; none: all. @throws {RangeError} for one that nothing describes. */
export function layoutAssertions(headers: readonly string[] = []): string {
  const known = DESCRIBED.filter(({ header }) => header !== "");
  const stray = headers.find((name) => !known.some(({ header }) => header === name));
  if (stray !== undefined) throw new RangeError(`Cannot check ${stray}: the schema does not describe it`);
  const described = known.filter(({ header }) => headers.length === 0 || headers.includes(header));
  const includes = described.map(({ header }) => `#include <${header}>`);
  return ["#include <stddef.h>", ...includes, ...described.flatMap(familyAssertions), ""].join("\n");
}

if (import.meta.main) console.log(layoutAssertions(process.argv.slice(2)));
