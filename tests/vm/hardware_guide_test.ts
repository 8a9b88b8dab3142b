/**
 * The commands of docs/hardware.md do what the guide says, in the order in which they stand; its programs run as a user without rights.
 */
import { dirname, join } from "node:path";
import { check, equal } from "../check.ts";
import { DEVICES } from "./devices.ts";
import { NOBODY, outcomeOf, startProgram, writeProgram } from "./unprivileged.ts";

const ROOT = join(import.meta.dirname!, "../..");
const GUIDE = await Deno.readTextFile(join(ROOT, "docs/hardware.md"));

/** Code blocks of a kind, in order. */
function blocks(kind: string): string[] {
  return [...GUIDE.matchAll(new RegExp("^```" + kind + "\\n([^]*?)^```$", "gm"))].map(([, code]) => code!);
}

/** The guide's imports are those of a file in docs/. */
function program(folder: string, code: string): Promise<string> {
  return writeProgram(folder, code.replaceAll('from "../', 'from "/'));
}

/** A shell as root that runs one block after the other, with the variables of those before. */
class Shell {
  #child = new Deno.Command("/bin/sh", { stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
  #writer = this.#child.stdin.getWriter();
  #reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  #text = "";

  /** What a block prints. @throws {CheckError} if its last command fails. */
  async run(block: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(`${block}\necho "status:$?"\n`));
    for (;;) {
      const match = /^([^]*?)status:(\d+)\n/.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match[0].length);
        equal(match[2], "0", `status of\n${block}which printed\n${match[1]}`);
        return match[1]!;
      }
      const { value, done } = await this.#reader.read();
      check(!done, `the shell goes on after\n${block}`);
      this.#text += value;
    }
  }

  async end(): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }
}

/** Fail unless a text is as it should be. */
function says(text: string, wanted: RegExp): void {
  check(wanted.test(text), `${wanted} is what is said, and not:\n${text}`);
}

/** As a machine is that nobody has prepared: the device has no driver, and /boot has the kernel's configuration. */
async function prepare(shell: Shell): Promise<void> {
  await shell.run(`echo ${DEVICES.messages} > /sys/bus/pci/devices/${DEVICES.messages}/driver/unbind
echo > /sys/bus/pci/devices/${DEVICES.messages}/driver_override
mkdir -p /boot && cp ${ROOT}/tests/vm/kernel.config /boot/config-$(uname -r)
`);
}

Deno.test("the guide leads from a device's address to its first DMA, as a user, and back", async () => {
  const folder = await Deno.makeTempDir();
  const shell = new Shell();
  try {
    await prepare(shell);
    const steps = blocks("sh");
    const [kernel, iommu, list, group, vfio, rights, limit, pool, undo] = steps;
    equal(steps.length, 9, "blocks with commands");
    const said = await shell.run(kernel!);
    for (const option of ["IOMMUFD", "VFIO_DEVICE_CDEV", "VFIO_PCI"]) check(said.includes(`CONFIG_${option}=y`), said);
    check(said.includes("/dev/iommu") && said.includes("/dev/vfio/vfio"), said);
    says(await shell.run(iommu!), /\bdmar0\n[^]*\n[1-9]\d*\n$/);
    says(await shell.run(list!), /^0000:00:07\.0 class 0x010802 0x1b36:0x0010 driver none$/m);
    says(await shell.run(group!), /^0000:00:07\.0\n[^]*0x00000000fee00000 0x00000000feefffff msi\n/);
    says(await shell.run(vfio!), /the driver was none\n[^]*\/dev\/vfio\/devices\/vfio\d+\n$/);
    const path = await program(folder, blocks("ts")[0]!);
    equal(blocks("sh user"), [`deno run --allow-ffi docs/first_dma.ts ${DEVICES.messages}\n`]);
    const before = await outcomeOf(startProgram(path, [DEVICES.messages]));
    check(
      before.code === 1 && before.stderr.includes("EACCES") && before.stderr.includes(`chown ${NOBODY} /dev/iommu`),
      JSON.stringify(before),
    );
    await shell.run(rights!);
    says(await shell.run(limit!), /^(\d+|unlimited)\n$/);
    equal(await shell.run(pool!), "64\n");
    const { code, stdout, stderr } = await outcomeOf(startProgram(path, [DEVICES.messages]));
    equal([code, stderr], [0, ""]);
    says(stdout, /^0000:00:07\.0: group \d+, driver vfio-pci, node \/dev\/vfio\/devices\/vfio\d+\nQEMU NVMe Ctrl, .*iommufd, 1 name/);
    equal(await shell.run(undo!), "no driver has it\n");
    const after = await outcomeOf(startProgram(path, [DEVICES.messages]));
    check(after.code === 1 && after.stderr.includes("EACCES"), after.stderr);
  } finally {
    await shell.run(`echo vfio-pci > /sys/bus/pci/devices/${DEVICES.messages}/driver_override
echo ${DEVICES.messages} > /sys/bus/pci/drivers_probe; echo 64 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
`);
    await shell.end();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the guide's helper passes fds to its program in the container", async () => {
  const folder = await Deno.makeTempDir();
  const socket = join(folder, "vfio.sock");
  const [, helper, contained] = blocks("ts").map((code) => code.replaceAll("/tmp/vfio.sock", socket));
  const root = startProgram(await program(folder, helper!), [DEVICES.alone], { isRoot: true });
  while (!(await Deno.stat(socket).then(() => true, () => false))) await new Promise((resolve) => setTimeout(resolve, 20));
  await Deno.chown(socket, NOBODY, NOBODY);
  const { code, stdout, stderr } = await outcomeOf(startProgram(await program(dirname(socket), contained!), []));
  equal([code, stdout, stderr], [0, `device ${DEVICES.alone} has vendor 0x1234\n`, ""]);
  equal((await outcomeOf(root)).code, 0);
  await Deno.remove(folder, { recursive: true });
});
