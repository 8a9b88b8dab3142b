/**
 * docs/requests.md: each request with its struct, for people.
 *
 * @module
 */
import { minimumBytes, placed, structBytes, structOf } from "../../uapi/schema/layout.ts";
import type { Extent, Family, Field, Names, Request, Role, Struct, Tail } from "../../uapi/schema/types.ts";
import { hex } from "./names.ts";

const HEAD = `# Requests

The requests that the schema in [uapi/schema](../uapi/schema) describes. Names are Linux's without \`IOMMU_\` and \`VFIO_\`; sizes and
offsets are bytes. _Beyond_ says what the kernel does with bytes of the caller's struct that it does not know: they must be **zero** (else
E2BIG), are **ignored**, or are **data**. All numbers are little-endian.
`;

function values(names: Names): string {
  return Object.entries(names.values).map(([name, value]) => `${name.slice(names.prefix.length)} ${value > 9 ? hex(value) : value}`).join(
    ", ",
  );
}

function extent(of: Extent): string {
  if ("of" in of) return `\`${of.count}\` × ${of.of}`;
  if ("bytes" in of) return typeof of.bytes === "number" ? `${of.bytes} bytes` : `\`${of.bytes}\` bytes`;
  if ("each" in of) return `\`${of.count}\` × \`${of.each}\` bytes`;
  return `a bit for each \`${of.bitmap.page}\` of \`${of.bitmap.length}\` bytes`;
}

function meaning(role: Role): string {
  switch (role.is) {
    case "flags":
      return role.names ? `flags: ${values(role.names)}` : "flags";
    case "constant":
      return `always ${role.value}`;
    case "enum":
      return `one of: ${values(role.names)}`;
    case "id":
      return `${role.makes ? "new " : ""}id: ${role.kinds.join(", ")}`;
    case "fd":
      return `${role.makes ? "new " : ""}fd: ${role.of}`;
    case "pointer":
      return `pointer (${role.data}): ${extent(role.extent)}`;
    case "userAddress":
      return `user address, \`${role.length}\` bytes`;
    case "capabilities":
      return "capabilities";
    case "physicalAddress":
      return "physical address";
    default:
      return role.is;
  }
}

function fieldRow(at: number, { name, width, array, direction, role, doc }: Field): string {
  const type = array === undefined ? width : `${width}[${array}]`;
  return `| ${at} | \`${name}\` | ${type} | ${direction} | ${meaning(role)} | ${doc} |`;
}

function tailRow(at: number, { name, of, count, direction, role, doc }: Tail): string {
  return `| ${at} | \`${name}\` | ${of}[${count ? `\`${count}\`` : ""}] | ${direction} | ${meaning(role)} | ${doc} |`;
}

function fieldTable(struct: Struct): string {
  return [
    "| at | field | type | direction | meaning | |",
    "| --: | --- | --- | --- | --- | --- |",
    ...placed(struct).map(({ at, field }) => fieldRow(at, field)),
    ...(struct.tails ?? []).map((tail) => tailRow(structBytes(struct), tail)),
  ].join("\n");
}

function overview(families: readonly Family[]): string {
  const rows = families.flatMap(({ requests }) => requests).map((request) => {
    const struct = structOf(request);
    const sizes = struct ? `${structBytes(struct)} | ${minimumBytes(request)} | ${request.beyond}` : "– | – | –";
    return `| ${hex(request.number)} | ${request.name} | ${request.on} | ${sizes} | ${request.since} | ${request.doc} |`;
  });
  return ["| number | request | file | size | minimum | beyond | since | |", "| --- | --- | --- | --: | --: | --- | --- | --- |", ...rows]
    .join("\n");
}

function requestSection(request: Request): string {
  const struct = structOf(request);
  const body = struct ? `${struct.doc}${struct.c ? ` \`struct ${struct.c}\`` : ""}\n\n${fieldTable(struct)}` : "No argument.";
  return `### ${request.name}\n\n${request.doc} ${body}`;
}

function familySection(family: Family): string {
  const asked = new Set(family.requests.map(({ struct }) => struct));
  const others = family.structs.filter(({ name }) => !asked.has(name));
  const data = others.map((struct) =>
    `### ${struct.name}\n\n${struct.doc}${struct.c ? ` \`struct ${struct.c}\`` : ""}\n\n${fieldTable(struct)}`
  );
  const title = family.header ? `\`<${family.header}>\`` : "the simulated kernel alone";
  return [`## Of ${title}`, ...family.requests.map(requestSection), ...data].join("\n\n");
}

/** The page's text behind its first line, not yet formatted. */
export function requestsPage(families: readonly Family[]): string {
  return [HEAD, overview(families), ...families.map(familySection)].join("\n\n");
}
