/**
 * Random programs on a machine with a sanitizer: a correct one is left alone, and of each mistake that is put in exactly that is found.
 */
import fc from "fast-check";
import { type BoundDevice, DeviceFd, type DmaBuffer, type Ioas, IommuFd } from "../../mod.ts";
import { describeReport, type SanitizerKind, simulated, type SimulatedKernel } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";

const PAGE = 4096;
const SPACES = 2;
/** Buffers that a program has at a time, at most. */
const BUFFERS = 6;

/** What a correct program does next; `at` picks a buffer, `from` and `length` a part of it, in parts of 1,000. */
type Step =
  | { readonly kind: "create"; readonly space: number; readonly pages: number; readonly access: "both" | "read" | "write" }
  | { readonly kind: "dispose"; readonly at: number }
  | { readonly kind: "read" | "write"; readonly at: number; readonly from: number; readonly length: number }
  | { readonly kind: "move"; readonly space: number };

const MISTAKES: readonly SanitizerKind[] = ["use-after-unmap", "red-zone", "wrong-direction", "never-written", "after-detach", "wild"];

const part = fc.integer({ min: 0, max: 999 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    space: fc.nat({ max: SPACES - 1 }),
    pages: fc.integer({ min: 1, max: 5 }),
    access: fc.constantFrom("both" as const, "read" as const, "write" as const),
  }),
  fc.record({ kind: fc.constant("dispose" as const), at: fc.nat({ max: BUFFERS - 1 }) }),
  fc.record({ kind: fc.constantFrom("read" as const, "write" as const), at: fc.nat({ max: BUFFERS - 1 }), from: part, length: part }),
  fc.record({ kind: fc.constant("move" as const), space: fc.nat({ max: SPACES - 1 }) }),
);

/** A buffer of a program. */
interface Held {
  readonly buffer: DmaBuffer;
  readonly space: number;
  readonly reads: boolean;
  readonly writes: boolean;
}

/** A program that fills what the device reads, waits for it, and keeps to its buffers. */
class Program implements Disposable {
  attached = 0;
  held: Held[] = [];
  /** Addresses that were given back, of each space, the newest last. */
  readonly freed: bigint[][] = Array.from({ length: SPACES }, () => []);
  #stack = new DisposableStack();

  private constructor(readonly kernel: SimulatedKernel, readonly puppet: Puppet) {}

  iommu!: IommuFd;
  spaces!: Ioas[];
  device!: BoundDevice;

  static async start(): Promise<Program> {
    const puppet = new Puppet();
    const kernel = await simulated(
      { memory: 2 ** 22, kernelMemory: 2 ** 21, pci: [{ model: puppet }], sanitizer: { neverWritten: true } },
      { checks: true },
    );
    const program = new Program(kernel, puppet);
    program.iommu = program.#stack.use(IommuFd.open(kernel));
    program.spaces = Array.from({ length: SPACES }, () => program.iommu.createIoas());
    program.device = DeviceFd.open(kernel, "0000:00:01.0").bind(program.iommu);
    program.device.config.write16(4, 6);
    program.device.attach(program.spaces[0]!);
    return program;
  }

  do(step: Step): void {
    if (step.kind === "create") return this.#create(step);
    if (step.kind === "move") {
      this.device.attach(this.spaces[step.space]!);
      this.attached = step.space;
      return;
    }
    const held = this.held[step.at % Math.max(this.held.length, 1)];
    if (held === undefined) return;
    if (step.kind === "dispose") {
      held.buffer[Symbol.dispose]();
      this.held = this.held.filter((other) => other !== held);
      this.freed[held.space]!.push(held.buffer.iova);
    } else if (held.space === this.attached && (step.kind === "read" ? held.reads : held.writes)) {
      this.#transfer(step.kind, held.buffer, step.from, step.length);
    }
  }

  #create({ space, pages, access }: Extract<Step, { kind: "create" }>): void {
    if (this.held.length === BUFFERS) return;
    const [reads, writes] = [access !== "write", access !== "read"];
    const buffer = this.spaces[space]!.createDmaBuffer(pages * PAGE, { read: reads, write: writes });
    // Zeros too: what is written is written, whatever it is.
    buffer.bytes.fill(pages % 2 === 0 ? 0 : 0xdb);
    this.held.push({ buffer, space, reads, writes });
  }

  #transfer(kind: "read" | "write", { iova, length: whole }: DmaBuffer, from: number, part: number): void {
    const start = Math.floor(whole * from / 1000);
    const length = 1 + Math.floor((whole - start - 1) * part / 1000);
    const at = iova + BigInt(start);
    if (kind === "read") check(this.puppet.reads(at, length) instanceof Uint8Array, "a read of a buffer is done");
    else equal(this.puppet.writes(at, new Uint8Array(length).fill(from & 0xff)), "OK");
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
    equal(this.kernel.inspect.check(), []);
    this.kernel[Symbol.dispose]();
  }
}

/** Make one mistake, and say where the report must put it. */
function blunder(program: Program, mistake: SanitizerKind): bigint {
  const { puppet, attached, spaces } = program;
  const ioas = spaces[attached]!;
  const one = Uint8Array.of(1);
  switch (mistake) {
    case "use-after-unmap": {
      const buffer = ioas.createDmaBuffer(2 * PAGE);
      buffer[Symbol.dispose]();
      puppet.writes(buffer.iova + 5000n, one);
      return buffer.iova + 5000n;
    }
    case "red-zone": {
      const { iova } = ioas.createDmaBuffer(PAGE);
      puppet.writes(iova + 4000n, new Uint8Array(200));
      return iova + 4096n;
    }
    case "wrong-direction": {
      const { iova } = ioas.createDmaBuffer(PAGE, { read: false });
      puppet.reads(iova + 7n, 9);
      return iova + 7n;
    }
    case "never-written": {
      const { iova, bytes } = ioas.createDmaBuffer(PAGE);
      bytes.fill(0, 0, 1024);
      puppet.reads(iova + 1000n, 100);
      return iova + 1024n;
    }
    case "after-detach": {
      const { iova } = ioas.createDmaBuffer(PAGE);
      program.device.detach();
      puppet.writes(iova, one);
      return iova;
    }
    case "wild": {
      puppet.writes(0x7000_0000_0000n, one);
      return 0x7000_0000_0000n;
    }
  }
}

Deno.test("a correct program is left alone, whatever it does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      using program = await Program.start();
      for (const one of steps) program.do(one);
      equal(program.kernel.sanitizer!.reports.map(describeReport), []);
      equal([program.kernel.sanitizer!.lost, program.kernel.sanitizer!.missed], [0, 0]);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a mistake in the middle of a correct program is found, as what it is and where it is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...MISTAKES), fc.array(step, { maxLength: 30 }), async (mistake, steps) => {
      using program = await Program.start();
      for (const one of steps) program.do(one);
      const iova = blunder(program, mistake);
      equal(program.kernel.sanitizer!.reports.map((report) => [report.kind, report.iova]), [[mistake, iova]]);
    }),
    { numRuns: 90 },
  );
});

Deno.test("what was given back stays free while the quarantine has room for it, and buffers keep their distance", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      using program = await Program.start();
      for (const one of steps) {
        program.do(one);
        for (const { buffer, space } of program.held) {
          check(!program.freed[space]!.includes(buffer.iova), `0x${buffer.iova.toString(16)} is used again`);
          for (const other of program.held) {
            if (other.buffer === buffer || other.space !== space) continue;
            const [low, high] = buffer.iova < other.buffer.iova ? [buffer, other.buffer] : [other.buffer, buffer];
            check(low.iova + BigInt(low.mappedLength) + 65536n <= high.iova, "a red zone lies between them");
          }
        }
      }
    }),
    { numRuns: 40 },
  );
});
