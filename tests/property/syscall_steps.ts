/**
 * What a program and its devices do to a machine, one thing at a time. A step is a kind and a seed, from which its arguments are drawn.
 *
 * @module
 */
import type { FileKind } from "../../uapi/schema/types.ts";
import { IOAS_MAP, IOAS_UNMAP, type IoasMap, putIoasMap, putIoasUnmap } from "../../uapi/codec.ts";
import { check, equal } from "../check.ts";
import { drawRequest, learn } from "./syscall_requests.ts";
import { Draw, PAGE, SECRET } from "./syscall_values.ts";
import { turns, type World } from "./syscall_world.ts";

const REGION = 2 ** 40;
/** What devices write; the secret's bytes are others. */
const WRITTEN = 0x3a;
const LONG = 70_000;
const NOTHING = new Uint8Array(0);

/** One thing that happens. */
export interface Step {
  /** What. */
  readonly kind: string;
  /** Where its arguments come from. */
  readonly seed: number;
}

/** A kind of step. */
interface Kind {
  /** How often it comes. */
  readonly weight: number;
  /** What it does. */
  readonly run: (world: World, draw: Draw) => void | Promise<void>;
}

function requestStep(world: World, draw: Draw, name?: string): void {
  const { kernel, live } = world;
  const data = world.blocks.find(({ disposed, block }) => !disposed && block.bytes.length >= 256)?.block;
  const drawn = drawRequest(draw, live, data?.address ?? 0n, name);
  if (draw.once(30)) {
    world.result("ioctl", kernel.ioctl(draw.fd(), drawn.number, draw.number()));
    return;
  }
  const block = anyBlock(world, draw);
  if (block === undefined) return;
  const { bytes } = block;
  bytes.set(drawn.bytes.subarray(0, bytes.length));
  if (world.result(`ioctl ${drawn.request?.name}`, kernel.ioctl(drawn.fd, drawn.number, block)) === 0) learn(live, drawn, block.view);
}

/** A block, now and then one that was given back. */
function anyBlock(world: World, draw: Draw) {
  const live = world.blocks.filter(({ disposed }) => !disposed);
  return (draw.once(30) ? draw.any(world.blocks) : draw.any(live))?.block;
}

function opened(world: World, kind: FileKind, fd: number): void {
  world.result(kind, fd, world.openFiles - 1);
  if (fd < 0) return;
  check(fd > 2 && !world.live.files.has(fd), `fd ${fd} was given out twice`);
  world.live.files.set(fd, kind);
}

function open(world: World, draw: Draw): void {
  const path = draw.of(["/dev/iommu", "/dev/iommu", "", "/", "/dev/vfio/devices/vfio99", "/sys/bus/pci", "/dev/iommu/x", "\0"]);
  const device = `/dev/vfio/devices/vfio${draw.below(9)}`;
  const iommufds = [...world.live.files.values()].filter((kind) => kind === "iommufd").length;
  if (draw.once(1 + 4 * iommufds)) opened(world, "iommufd", world.kernel.open("/dev/iommu", 2));
  else if (draw.once(8)) world.result("open", path === "/dev/iommu" ? -2 : world.kernel.open(path, draw.number()));
  else opened(world, "device", world.kernel.open(device, 2));
}

async function close(world: World, draw: Draw): Promise<void> {
  const fd = draw.fd(draw.of([undefined, "iommufd", "device", "eventfd", "eventfd", "memfd", "fault"] as const));
  const known = world.live.files.has(fd);
  const waits = [...world.waiting].filter(([, other]) => known && other === fd).map(([number]) => number);
  equal(world.result(`close(${fd})`, world.kernel.close(fd)), known ? 0 : -9, `close(${fd})`);
  world.live.closed(fd);
  // The number may be another file's at once.
  if (draw.once(2)) makeEventfd(world, draw);
  for (let turn = 0; turn < 4; turn++) await undefined;
  check(!waits.some((number) => world.waiting.has(number)), `a wait for fd ${fd} goes on behind its end`);
}

function map(world: World, draw: Draw): void {
  const { kernel, live } = world;
  const length = draw.length();
  const flags = draw.of([
    0x22,
    0x22,
    0x22,
    0x21,
    0x01,
    0x02,
    0x32,
    0x32,
    0x12,
    0x11,
    0x100022,
    0x100032,
    0x40022,
    0,
    3,
    2 ** 32 + 0x22,
    NaN,
  ]);
  const fixed = flags === 0x32 || flags === 0x12 || flags === 0x11;
  const at = fixed || draw.once(4) ? hostile(world, draw) : 0n;
  const prot = draw.once(6) ? draw.of([0, 1, 2, 4, 7, -1, NaN]) : 3;
  const offset = draw.once(4) ? draw.number() : draw.below(3) * PAGE;
  if (overlapsSecret(at, length)) return;
  const result = kernel.mmap(at, length, prot, flags, draw.fd("memfd"), offset);
  if (result < 0n) return void world.result("mmap", Number(result));
  check(result % 4096n === 0n && result < 2n ** 47n, `mmap answered 0x${result.toString(16)}`);
  live.mapped.push({ at: result, length });
}

/** An address of the process, now and then that of a block. */
function hostile(world: World, draw: Draw): bigint {
  const block = draw.any(world.blocks)?.block;
  return block !== undefined && draw.once(4) ? block.address & ~4095n : draw.address() & (draw.once(4) ? ~0n : ~4095n);
}

/** Ranges that touch the secret memory from below end before they begin, or are longer than any machine. */
function overlapsSecret(at: bigint, length: number): boolean {
  return Number.isFinite(length) && length > 0 && at < SECRET.end && at + BigInt(Math.ceil(length)) > SECRET.start;
}

function unmap(world: World, draw: Draw): void {
  const { live } = world;
  const known = draw.any(live.mapped);
  const whole = known !== undefined && draw.once(2);
  const at = whole ? known.at : hostile(world, draw);
  const length = whole ? known.length : draw.length();
  if (overlapsSecret(at, length)) return;
  if (world.result("munmap", world.kernel.munmap(at, length)) === 0 && whole) live.mapped.splice(live.mapped.indexOf(known), 1);
}

function view(world: World, draw: Draw): void {
  const at = draw.once(8) ? draw.address() + 2n ** 64n : hostile(world, draw);
  const length = draw.length();
  const bytes = world.kernel.view(at, length);
  check(bytes.length === 0 || (bytes.length === length && at < 2n ** 47n), `view of ${length} bytes gave ${bytes.length}`);
  const mine = world.live.mapped.some((one) => one.at <= at && at + BigInt(bytes.length) <= one.at + BigInt(one.length));
  if (mine) bytes.fill(WRITTEN);
}

function makeBlock(world: World, draw: Draw): void {
  const length = draw.once(8) ? draw.number() : draw.of([1, 8, 24, 40, 48, 64, 100, 300, PAGE, LONG]);
  try {
    const block = world.kernel.block(length);
    check(block.bytes.length === length && block.bytes.every((byte) => byte === 0), `a block of ${length} bytes is not zeroed`);
    world.blocks.push({ block, disposed: false });
  } catch (error) {
    check(error instanceof RangeError && !(error.message.startsWith("offset is out")), `block(${length}) threw ${String(error)}`);
  }
}

function disposeBlock(world: World, draw: Draw): void {
  const one = draw.any(world.blocks);
  if (one === undefined) return;
  one.block[Symbol.dispose]();
  one.disposed = true;
  if (world.blocks.length > 16) world.blocks.splice(world.blocks.indexOf(one), 1);
}

function transfer(world: World, draw: Draw): void {
  const { kernel } = world;
  const block = anyBlock(world, draw);
  if (block === undefined) return;
  const fd = draw.fd(draw.once(4) ? undefined : "eventfd");
  const length = draw.once(4) ? draw.number() : 8;
  if (draw.once(2)) return void world.result("read", kernel.read(fd, block, length), 8);
  block.bytes.fill(draw.of([0, 0, 1, 0xff]), 0, 8);
  if (block.bytes.length > 1 && draw.once(2)) block.bytes[0] = draw.of([1, 0xfe, 0xff]);
  world.result("write", kernel.write(fd, block, length), 8);
}

function access(world: World, draw: Draw): void {
  const { kernel } = world;
  const block = anyBlock(world, draw);
  if (block === undefined) return;
  const fd = draw.boundFd();
  const length = draw.once(6) ? draw.number() : draw.of([1, 2, 4, 8, 3, 64]);
  const region = draw.of([0, 0, 0, 7, 7, 1, 6, 8]);
  const place = draw.once(4)
    ? draw.below(5000)
    : draw.of([0, 4, 8, 0x14, 0x20, 0x24, 0x28, 0x30, 0x44, 0x60, 0x64, 0x80, 0x88, 0x90, 0x98, 0x1000, 0x1004, 2048, 3072, 4092]);
  const offset = draw.once(10) ? draw.number() : region * REGION + place;
  const most = Math.max(block.bytes.length, 0);
  if (draw.once(2)) return void world.result("pread", kernel.pread(fd, block, length, offset), most);
  const value = draw.once(2) ? draw.iova() : BigInt(draw.u32());
  if (block.bytes.length >= 8) block.view.setBigUint64(0, value, true);
  world.result("pwrite", kernel.pwrite(fd, block, length, offset), most);
}

/** What a driver does first: let the device answer and do DMA. */
function enable(world: World, draw: Draw): void {
  const block = anyBlock(world, draw);
  if (block === undefined || block.bytes.length < 2) return;
  block.view.setUint16(0, 6, true);
  world.result("pwrite", world.kernel.pwrite(draw.boundFd(), block, 2, 7 * REGION + 4), 2);
}

function wait(world: World, draw: Draw): void {
  const controller = new AbortController();
  const fd = draw.fd("eventfd");
  const number = ++world.waits;
  if (draw.once(10)) controller.abort();
  if (draw.once(2)) world.controllers.push(controller);
  world.waiting.set(number, fd);
  world.kernel.wait(fd, controller.signal).then((result) => {
    world.result("wait", result);
    check(world.waiting.delete(number), "a wait ended twice");
    world.log.push(`wait ${number} of fd ${fd} ended with ${result}`);
  });
}

function dma(world: World, draw: Draw): void {
  // Mostly one whose driver lets it, since the others are not heard.
  const puppet = (draw.once(4) ? undefined : draw.any(world.puppets.filter(({ bus }) => bus.dma.read(0n, NOTHING) !== "bus-master-off"))) ??
    draw.of(world.puppets);
  const area = draw.once(3) ? undefined : draw.area();
  const length = area !== undefined && draw.once(2) ? Number(area.length % 65536n) : draw.of([0, 1, 4, 64, PAGE, PAGE + 8, 3 * PAGE]);
  const limit = 2n ** 64n - BigInt(Math.max(length, 1));
  const wanted = area?.iova ?? draw.iova();
  const iova = wanted < limit ? wanted : limit;
  const pasid = draw.once(12) ? draw.below(2 ** 20) : undefined;
  const bytes = new Uint8Array(length).fill(WRITTEN);
  const fault = draw.once(2) ? puppet.bus.dma.write(iova, bytes, pasid) : puppet.bus.dma.read(iova, bytes, pasid);
  world.isNoSecret(bytes, `a transfer at 0x${iova.toString(16)}`);
  world.log.push(`dma 0x${iova.toString(16)} ${length}: ${fault ?? "done"} ${bytes.reduce((sum, byte) => sum + byte, 0)}`);
}

function interrupt(world: World, draw: Draw): void {
  const { bus } = draw.of(world.puppets);
  if (draw.once(4)) bus.lower();
  else if (draw.once(3)) bus.clock.after(draw.below(2000), () => bus.raise(0));
  else bus.raise(draw.below(6) - 1);
}

function look(world: World, draw: Draw): void {
  const { kernel } = world;
  const path = draw.of([
    "/sys/bus/pci/devices",
    "/sys/class/iommu",
    "/dev/vfio/devices",
    "/dev",
    "/nothing",
    "",
    "/sys/bus/pci/devices/0000:00:03.0/config",
  ]);
  for (const result of [kernel.list(path), kernel.readlink(path), kernel.readFile(path)]) {
    if (typeof result === "number") world.result(`a look at "${path}"`, result);
  }
  kernel.relax();
}

/** Many single pages in one IOAS, until something is full. */
function exhaust(world: World, draw: Draw): void {
  const block = world.blocks.find(({ disposed, block }) => !disposed && block.bytes.length >= 40)?.block;
  const memory = draw.any(world.live.mapped);
  if (block === undefined || memory === undefined) return;
  const fd = draw.fd("iommufd");
  const request: IoasMap = { flags: 7, ioasId: draw.id(fd, ["ioas"]), userVa: memory.at, length: 4096n, iova: 0n };
  for (let page = 0; page < 20_000; page++) {
    putIoasMap(block.view, 0, { ...request, iova: BigInt(page) * 8192n + 0x1000_0000n });
    if (world.result("ioctl", world.simulated.ioctl(fd, IOAS_MAP, block)) < 0) return;
  }
}

/** Unmap everything while devices remember where it was; what they still reach is somebody else's by then. */
function recycle(world: World, draw: Draw): void {
  const { kernel, live } = world;
  const iovas = [0x1000n, ...live.areas.map(({ iova }) => iova)].filter((iova) => iova < 2n ** 63n);
  const readAll = () => {
    for (const { bus } of world.puppets) {
      for (const iova of iovas) {
        const bytes = new Uint8Array(8);
        bus.dma.read(iova, bytes);
        world.isNoSecret(bytes, `a read at 0x${iova.toString(16)}`);
      }
    }
  };
  readAll();
  const block = world.blocks.find(({ disposed, block }) => !disposed && block.bytes.length >= 24)?.block;
  if (block === undefined) return;
  for (const [iommufd, ids] of live.ids) {
    for (const ioasId of ids.get("ioas") ?? []) {
      putIoasUnmap(block.view, 0, { ioasId, iova: 0n, length: 2n ** 64n - 1n });
      world.result("ioctl", kernel.ioctl(iommufd, IOAS_UNMAP, block));
    }
  }
  for (const { at, length } of live.mapped.splice(0)) world.result("munmap", kernel.munmap(at, length));
  world.dirty();
  readAll();
  for (let mapping = 0; mapping < 3; mapping++) map(world, draw);
}

function makeEventfd(world: World, draw: Draw): void {
  const [initial, flags] = draw.once(8) ? [draw.number(), draw.number()] : [draw.once(3) ? 2 ** 32 - 1 : 0, draw.below(2)];
  opened(world, "eventfd", world.kernel.eventfd(initial, flags));
}

/** All kinds of steps. */
export const STEPS: Readonly<Record<string, Kind>> = {
  request: { weight: 100, run: (world, draw) => requestStep(world, draw) },
  bind: { weight: 8, run: (world, draw) => requestStep(world, draw, "DEVICE_BIND_IOMMUFD") },
  ioas: { weight: 4, run: (world, draw) => requestStep(world, draw, "IOAS_ALLOC") },
  attach: { weight: 8, run: (world, draw) => requestStep(world, draw, "DEVICE_ATTACH_IOMMUFD_PT") },
  mapping: { weight: 8, run: (world, draw) => requestStep(world, draw, "IOAS_MAP") },
  open: { weight: 14, run: open },
  close: { weight: 6, run: close },
  eventfd: { weight: 8, run: makeEventfd },
  memfd: { weight: 5, run: (world, draw) => opened(world, "memfd", world.kernel.memfd("memory", draw.length())) },
  map: { weight: 20, run: map },
  unmap: { weight: 8, run: unmap },
  view: { weight: 5, run: view },
  makeBlock: { weight: 12, run: makeBlock },
  disposeBlock: { weight: 6, run: disposeBlock },
  transfer: { weight: 10, run: transfer },
  access: { weight: 14, run: access },
  enable: { weight: 10, run: enable },
  wait: { weight: 8, run: wait },
  abort: { weight: 3, run: (world, draw) => draw.any(world.controllers)?.abort() },
  dma: { weight: 40, run: dma },
  interrupt: { weight: 8, run: interrupt },
  look: { weight: 4, run: look },
  exhaust: { weight: 1, run: exhaust },
  dirty: { weight: 2, run: (world) => world.dirty() },
  recycle: { weight: 2, run: recycle },
  turn: { weight: 4, run: () => Promise.resolve() },
  task: { weight: 1, run: turns },
};

/** Do one thing. */
export async function take(world: World, { kind, seed }: Step): Promise<void> {
  const draw = new Draw(seed, world.live);
  world.log.push(kind);
  await STEPS[kind]!.run(world, draw);
}
