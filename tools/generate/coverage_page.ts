/**
 * docs/coverage.md: which of Linux's requests, objects and constants are covered, and how.
 *
 * @module
 */
import type { Row, Section } from "../coverage.ts";

const HEAD = `# What is covered

Each request, object kind and constant of Linux 7.3's \`<linux/iommufd.h>\` and of the part of \`<linux/vfio.h>\` that is for device files
opened as character devices. Names are Linux's without \`IOMMU_\` and \`VFIO_\`. A dash comes with its reason.

- **raw**: the name is in \`raw\`, with a codec for its struct: [requests.md](requests.md).
- **typed**: the members, options and fields of the typed API that stand for it.
- **simulated**: *yes*, where the conformance suite asks for it and the simulated machine does it; *refused*, where it is asked for and
  refused as Linux refuses it; or the test that shows it.
- **Linux**: where the same suite has it done by Linux 7.3 in the virtual machine, by the IOMMU there (*VT-d*) or by the mock IOMMU of the
  kernel (*mock*).
- **shown in**: where a newcomer sees it used or described.

None of this is written from memory: tests/coverage compares each cell with what the suite has asked and what was answered, the members with the classes,
and the places with the files.
`;

function link(place: string): string {
  const [path] = place.split("#");
  return `[${path}](../${path})`;
}

function cell(text: string): string {
  return text.startsWith("–") || !text.includes("/") || text.includes("`") ? text : link(text);
}

function row({ name, typed, simulated, linux, example }: Row): string {
  return `| ${name} | yes | ${typed} | ${cell(simulated)} | ${cell(linux)} | ${cell(example)} |`;
}

function section({ title, rows }: Section): string {
  return [
    `## ${title}`,
    "",
    "| name | raw | typed | simulated | Linux | shown in |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map(row),
  ].join("\n");
}

/** The page's text behind its first line, not yet formatted. */
export function coveragePage(sections: readonly Section[]): string {
  return [HEAD, ...sections.map(section)].join("\n\n");
}
