/**
 * A misspelt option is an error that names it, and never its default.
 */
import { EduDevice, linux, memoryMedia, NvmeController, simulated } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";

const media = memoryMedia(4096);

const MISSPELT: readonly (readonly [string, () => unknown])[] = [
  ["dmaMaks", () => new EduDevice({ dmaMaks: 1n } as never)],
  ["queue", () => new NvmeController({ namespaces: [{ media }], queue: 3 } as never)],
  ["ready", () => new NvmeController({ namespaces: [{ media }], latency: { ready: 3 } } as never)],
  ["readonly", () => new NvmeController({ namespaces: [{ media, readonly: true }] } as never)],
];

for (const [key, make] of MISSPELT) {
  Deno.test(`the option "${key}" is refused by its name`, () => {
    const error = thrown(make);
    check(error instanceof TypeError && error.message.includes(`no option "${key}"`), String(error));
  });
}

Deno.test("misspelt options of a machine and of Linux are refused before anything is opened", async () => {
  for (
    const [key, open] of [["modul", () => simulated({ pci: [] }, { modul: 1 } as never)], [
      "iface",
      () => linux({ iface: 1 } as never),
    ]] as const
  ) {
    const error = await open().then(() => undefined, (error: unknown) => error);
    check(error instanceof TypeError && error.message.includes(`option "${key}"`), String(error));
  }
});

Deno.test("options that are spelt right are taken", () => {
  equal(new EduDevice({ dmaMask: 1n, dmaLatency: 1, factorialLatency: 1 }).description.vendor, 0x1234);
  equal(
    new NvmeController({ namespaces: [{ media, blockLength: 512, readOnly: true }], latency: { jitter: 0 }, queues: 2 }).description
      .classCode,
    0x010802,
  );
});
