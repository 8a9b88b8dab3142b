/**
 * Files are passed between processes of this machine over Unix sockets: memory that one writes the other reads.
 */
import { join } from "node:path";
import { FdListener, FdSocket, PassedFdsError } from "../../backends/linux/passed_fds.ts";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { DeviceFd, IommuFd, receiveFds, sendFds } from "../../mod.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import { failure } from "../api/machine.ts";

const ROOT = join(import.meta.dirname!, "../..");
const RW = PROT_READ | PROT_WRITE;

/** Open files of this process. */
function openFiles(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name).sort();
}

async function rejection(work: Promise<unknown>, code: string): Promise<Error> {
  try {
    await work;
  } catch (error) {
    check(error instanceof PassedFdsError, String(error));
    equal(error.code, code, error.message);
    return error;
  }
  throw new Error(`nothing was thrown where ${code} was expected`);
}

/** A folder and a kernel object, both gone at the end; and a failure if files are left open. */
async function linuxTest(run: (kernel: LinuxKernel, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  // The C library and the runtime's own files are there before the first test.
  using _held = new LinuxKernel();
  const before = openFiles();
  {
    using kernel = new LinuxKernel();
    await run(kernel, join(folder, "socket"));
  }
  // A thread that waited gives its files back once it is out of the kernel.
  for (let tries = 0; tries < 50 && openFiles().length > before.length; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  equal(openFiles().length, before.length, "files that are left open");
  await Deno.remove(folder, { recursive: true });
}

/** Start a Deno process on a script that imports the library. */
function start(script: string, ...args: string[]): Deno.ChildProcess {
  const imports = `import { LinuxKernel } from ${JSON.stringify(`file://${ROOT}/backends/linux/kernel.ts`)};
    import { fdSocket, fdListener, receiveFds, sendFds } from ${JSON.stringify(`file://${ROOT}/mod.ts`)};\n`;
  const code = `data:application/typescript,${encodeURIComponent(imports + script)}`;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", code, ...args],
    stdout: "piped",
    stderr: "inherit",
  })
    .spawn();
}

const CHILD_RECEIVES = `
  using kernel = new LinuxKernel();
  const { fds: [memory, event], message } = await receiveFds(kernel, Deno.args[0]);
  const at = kernel.mmap(0n, 4096, 3, 1, memory, 0);
  const bytes = kernel.view(at, 4096);
  const text = new TextDecoder().decode(bytes.subarray(0, 5));
  bytes.set(new TextEncoder().encode("world"));
  using one = kernel.block(8);
  one.view.setBigUint64(0, 7n, true);
  kernel.write(event, one, 8);
  console.log(message + ": " + text);
`;

Deno.test("another process gets a memory file and an eventfd, and both see what the other does", () =>
  linuxTest(async (kernel, path) => {
    using listener = FdListener.listen(kernel, path);
    const [memory, event] = [kernel.memfd("shared", 4096), kernel.eventfd(0, 0o4000)];
    const at = kernel.mmap(0n, 4096, RW, MAP_SHARED, memory, 0);
    kernel.view(at, 5).set(new TextEncoder().encode("hello"));
    const child = start(CHILD_RECEIVES, path);
    using socket = await listener.accept();
    socket.send([memory, event], "take these");
    equal(await kernel.wait(event), 0);
    using count = kernel.block(8);
    equal([kernel.read(event, count, 8), count.view.getBigUint64(0, true)], [8, 7n]);
    equal(new TextDecoder().decode(kernel.view(at, 5)), "world");
    const { stdout, code } = await child.output();
    equal([code, new TextDecoder().decode(stdout)], [0, "take these: hello\n"]);
  }));

const CHILD_SENDS = `
  using kernel = new LinuxKernel();
  const fd = kernel.memfd("from the child", 8);
  const at = kernel.mmap(0n, 4096, 3, 1, fd, 0);
  kernel.view(at, 8).set([1, 2, 3, 4, 5, 6, 7, 8]);
  await sendFds(kernel, Deno.args[0], [fd, fd, fd], Deno.args[1]);
`;

Deno.test("a process passes files to one that listens", () =>
  linuxTest(async (kernel, path) => {
    using listener = FdListener.listen(kernel, path);
    const child = start(CHILD_SENDS, path, "ä".repeat(2048));
    using socket = await listener.accept();
    const { fds, message } = await socket.receive();
    equal([fds.length, message], [3, "ä".repeat(2048)]);
    const at = kernel.mmap(0n, 4096, RW, MAP_SHARED, fds[2]!, 0);
    equal(kernel.view(at, 8), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    equal((await child.output()).code, 0);
  }));

/** Two ends of a connection in this process. */
async function pair(kernel: LinuxKernel, path: string): Promise<[FdSocket, FdSocket]> {
  using listener = FdListener.listen(kernel, path);
  const client = FdSocket.connect(kernel, path);
  return [client, await listener.accept()];
}

Deno.test("as many files as the kernel passes arrive in order, and each message by itself", () =>
  linuxTest(async (kernel, path) => {
    const [one, other] = await pair(kernel, path);
    const event = kernel.eventfd(3, 0);
    one.send(Array.from({ length: 253 }, () => event), "many");
    one.send([event], "one");
    const [many, single] = [await other.receive(), await other.receive()];
    equal([many.fds.length, many.message, single.fds.length, single.message], [253, "many", 1, "one"]);
    for (const count of [0, 254]) check(throwsRange(() => one.send(Array.from({ length: count }, () => event))), `${count} files`);
    check(throwsRange(() => one.send([event], "")) && throwsRange(() => one.send([event], "x".repeat(4097))), "messages");
  }));

function throwsRange(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    return error instanceof RangeError;
  }
}

Deno.test("a name without a file works, too", () =>
  linuxTest(async (kernel) => {
    const [one, other] = await pair(kernel, `@iommufd-test-${Deno.pid}`);
    one.send([kernel.eventfd(0, 0)]);
    equal((await other.receive()).message, "fds");
  }));

Deno.test("what can go wrong has a code and says what to do", () =>
  linuxTest(async (kernel, path) => {
    check((await rejection(receiveFds(kernel, path), "ENOENT")).message.includes("start the helper first"), "ENOENT");
    const [one, other] = await pair(kernel, path);
    check((await rejection(sendFds(kernel, path, [1]), "ECONNREFUSED")).message.includes("nobody listens"), "ECONNREFUSED");
    await rejection(Promise.resolve().then(() => FdListener.listen(kernel, path)), "EADDRINUSE");
    await rejection(Promise.resolve().then(() => one.send([9999])), "EBADF");
    await rejection(Promise.resolve().then(() => FdSocket.adopt(kernel, 9999)), "EBADF");
    using text = kernel.block(2);
    kernel.write(one.fd, text, 2);
    await rejection(other.receive(), "ENOMSG");
    one[Symbol.dispose]();
    await rejection(other.receive(), "EPIPE");
    await rejection(Promise.resolve().then(() => other.send([1])), "EPIPE");
    await rejection(one.receive(), "EBADF");
    for (const bad of ["", "x".repeat(108), "a\0b"]) check(throwsRange(() => FdSocket.connect(kernel, bad)), JSON.stringify(bad));
  }));

Deno.test("waiting is aborted, and ends when the kernel object is disposed", () =>
  linuxTest(async (kernel, path) => {
    const [one] = await pair(kernel, path);
    const reason = await one.receive({ signal: AbortSignal.abort("enough") }).catch((error) => error);
    equal(reason, "enough");
    const controller = new AbortController();
    const waiting = one.receive({ signal: controller.signal }).catch((error) => error);
    controller.abort("now");
    equal(await waiting, "now");
    const last = rejection(one.receive(), "EBADF");
    kernel[Symbol.dispose]();
    await last;
  }));

Deno.test("files that no handle took are closed with the kernel object, and what is of the wrong kind stays open", () =>
  linuxTest(async (kernel, path) => {
    const [one, other] = await pair(kernel, path);
    one.send([kernel.eventfd(0, 0), kernel.memfd("memory", 4096)]);
    const { fds } = await other.receive();
    for (const fd of fds) {
      for (const take of [IommuFd.adopt, DeviceFd.adopt]) {
        const error = failure(() => take(kernel, fd), "EBADFD");
        check(/of another kind: (eventfd|.memfd:memory)/.test(error.advice), error.message);
      }
      check(Deno.readLinkSync(`/proc/self/fd/${fd}`).length > 0, "it is open");
    }
  }));

Deno.test("a file that was taken over is given up as it was", () =>
  linuxTest(async (kernel) => {
    using file = await Deno.open("/dev/null", { write: true });
    const numbers = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name);
    const fd = Number(numbers.find((name) => isNull(name)));
    failure(() => IommuFd.adopt(kernel, fd), "EBADFD");
    equal(kernel.close(fd), -ERRNO.EBADF, "it is not the kernel object's");
    equal(kernel.disown(fd), -ERRNO.EBADF);
    equal(await file.write(Uint8Array.of(1)), 1, "its owner goes on");
  }));

function isNull(name: string): boolean {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${name}`) === "/dev/null" && Number(name) > 2;
  } catch {
    return false;
  }
}
