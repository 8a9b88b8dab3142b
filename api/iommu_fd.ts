/**
 * An open /dev/iommu: the owner of I/O address spaces, page tables and bound devices.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { type Kernel, O_CLOEXEC, O_RDWR } from "../uapi/kernel.ts";
import { ERRNO } from "../uapi/errno.ts";
import { checkFd, iommuFds, probeIommu, takeOver } from "./adopt.ts";
import { checkCount, U32_LAST } from "./arguments.ts";
import { closeFile, failed } from "./error.ts";
import { explainAdopt, explainOpenIommu } from "./explain/open.ts";
import { explainNoType1, explainType1 } from "./explain/type1.ts";
import { createFaultQueue, type FaultQueue } from "./fault_queue.ts";
import { takeAll, track } from "./handle.ts";
import { Ioas } from "./ioas.ts";
import { Session, setSession } from "./session.ts";

const PATH = "/dev/iommu";

/**
 * An open /dev/iommu.
 *
 * Disposing it releases everything made from it, whatever the order: devices bound to it are closed, buffers are unmapped, then the file is
 * closed.
 */
export class IommuFd implements Disposable {
  #session: Session;
  #spaces = new Set<Ioas>();
  #faultQueues = new Set<FaultQueue>();

  private constructor(kernel: Kernel, fd: number) {
    const life = track(this, kernel, "IommuFd");
    try {
      this.#session = new Session(kernel, fd, life);
    } catch (error) {
      life.end();
      throw error;
    }
    iommuFds(kernel).add(fd);
    setSession(this, this.#session);
  }

  /** Open /dev/iommu. @throws {IommuError} ENOENT where the kernel has none, EACCES, EMFILE, ENOMEM. */
  static open(kernel: Kernel): IommuFd {
    const fd = kernel.open(PATH, O_RDWR | O_CLOEXEC);
    if (fd < 0) throw failed("openIommu", fd, { path: PATH }, explainNoType1(kernel, fd) ?? explainOpenIommu(kernel, fd, PATH));
    try {
      return new IommuFd(kernel, fd);
    } catch (error) {
      kernel.close(fd);
      throw error;
    }
  }

  /**
   * Take over an open /dev/iommu, in place of opening one: an fd that a privileged helper passed in, as containers get theirs. It is closed
   * when the `IommuFd` is disposed. What it holds already, objects that others made, is destroyed by their ids.
   *
   * @throws {IommuError} EBADF if no file has the number, EBADFD if it is no iommufd, EBUSY if an `IommuFd` has it: the fd stays open and whose
   * it was.
   */
  static adopt(kernel: Kernel, fd: number): IommuFd {
    if (iommuFds(kernel).has(checkFd(fd))) throw failed("adoptIommu", -ERRNO.EBUSY, { fd });
    return takeOver(kernel, fd, {
      probe: probeIommu,
      make: () => new IommuFd(kernel, fd),
      fail: (result) => failed("adoptIommu", result, { fd }, explainAdopt(kernel, result, fd)),
    });
  }

  /** The kernel that it is a file of. */
  get kernel(): Kernel {
    return this.#session.kernel;
  }

  /** The file descriptor, for raw requests. */
  get fd(): number {
    return this.#session.fd;
  }

  /** False once it was disposed. */
  get isOpen(): boolean {
    return this.#session.life.isOpen;
  }

  /** Make an I/O address space: IOAS_ALLOC. @throws {IommuError} ENOMEM */
  createIoas(): Ioas {
    const view = this.#session.begin("IOAS_ALLOC");
    uapi.putIoasAlloc(view, 0, { flags: 0 });
    const result = this.#session.send(uapi.IOAS_ALLOC);
    if (result < 0) throw failed("ioasAlloc", result);
    const ioas = new Ioas(this, uapi.getIoasAllocOutIoasId(view, 0), () => this.#spaces.delete(ioas));
    this.#spaces.add(ioas);
    return ioas;
  }

  /**
   * Make a queue for page faults of devices: FAULT_QUEUE_ALLOC, Linux 6.11. {@linkcode Ioas.createHwpt} makes page tables that report to it.
   *
   * @throws {IommuError} ENOTTY on an older kernel, EMFILE, ENOMEM
   */
  createFaultQueue(): FaultQueue {
    const queue = createFaultQueue(this, () => this.#faultQueues.delete(queue));
    this.#faultQueues.add(queue);
    return queue;
  }

  /**
   * Destroy any object by its id: DESTROY. The handle of the object, if there is one, is disposed with it.
   *
   * Handles destroy their own objects when they are disposed; this is for objects that were made by raw requests, or by attaching.
   *
   * @throws {IommuError} ENOENT if there is none, EBUSY if something uses it.
   */
  destroy(id: number): void {
    this.#session.destroy(checkCount(id, "an object id", 0, U32_LAST));
  }

  /**
   * Who pays for pinned memory: all processes of the user, or this process alone. OPTION RLIMIT_MODE.
   *
   * Setting it needs CAP_SYS_RESOURCE, and an iommufd without objects. @throws {IommuError} EPERM, EBUSY
   */
  get rlimitMode(): "user" | "process" {
    return this.#option(uapi.OPTION_OP_GET, 0n) === 0n ? "user" : "process";
  }

  set rlimitMode(mode: "user" | "process") {
    if (mode !== "user" && mode !== "process") throw new TypeError(`Cannot use "${mode}" as a mode: it is "user" or "process"`);
    this.#option(uapi.OPTION_OP_SET, mode === "process" ? 1n : 0n);
  }

  /**
   * The address space that VFIO's container requests work with, of programs that use this file as a container: VFIO_IOAS. It is an id where the
   * program has no handle of the space; undefined: none, as at first.
   *
   * @throws {IommuError} ENOENT for a space that is gone or another iommufd's.
   */
  get vfioIoas(): Ioas | number | undefined {
    const { result, id } = this.#vfioIoas(uapi.VFIO_IOAS_GET, 0);
    if (result === -ERRNO.ENODEV) return undefined;
    if (result < 0) throw failed("vfioIoas", result, { verb: "read" });
    return [...this.#spaces].find((ioas) => ioas.id === id) ?? id;
  }

  set vfioIoas(ioas: Ioas | undefined) {
    const isGone = ioas !== undefined && !this.#session.owns(ioas.id, ioas);
    const op = ioas === undefined ? uapi.VFIO_IOAS_CLEAR : uapi.VFIO_IOAS_SET;
    // Another iommufd may have a space of the same id.
    const result = isGone ? -ERRNO.ENOENT : this.#vfioIoas(op, ioas?.id ?? 0).result;
    if (result < 0) throw failed("vfioIoas", result, { verb: "set" });
  }

  #vfioIoas(op: number, ioasId: number): { result: number; id: number } {
    const view = this.#session.begin("VFIO_IOAS");
    uapi.putVfioIoas(view, 0, { ioasId, op });
    const result = this.#session.send(uapi.VFIO_IOAS);
    return { result, id: uapi.getVfioIoasIoasId(view, 0) };
  }

  /**
   * Have this process pay for the memory that is pinned, in place of the one that mapped it: IOAS_CHANGE_PROCESS, Linux 6.14. For a program that has
   * taken the file over ({@linkcode IommuFd.adopt}) before the one that passed it on ends.
   *
   * @throws {IommuError} EINVAL if anything but files is mapped, EBUSY for mappings in the making, ENOMEM beyond what this process may pin: the one that paid goes on paying.
   */
  changeProcess(): void {
    uapi.putIoasChangeProcess(this.#session.begin("IOAS_CHANGE_PROCESS"), 0);
    const result = this.#session.send(uapi.IOAS_CHANGE_PROCESS);
    if (result < 0) throw failed("changeProcess", result);
  }

  #option(op: number, value: bigint): bigint {
    const view = this.#session.begin("OPTION");
    uapi.putOption(view, 0, { optionId: uapi.OPTION_RLIMIT_MODE, op, objectId: 0, val64: value });
    const result = this.#session.send(uapi.OPTION);
    const verb = op === uapi.OPTION_OP_SET ? "set" : "read";
    if (result < 0) {
      const advice = explainType1(this.kernel, result, "a choice of who pays for pinned memory: it is the process");
      throw failed("option", result, { verb, option: "the mode of the limit of locked memory" }, advice);
    }
    return uapi.getOptionVal64(view, 0);
  }

  /** Release everything made from it, and close it. */
  [Symbol.dispose](): void {
    const { members, life, argument, kernel, fd } = this.#session;
    if (!life.isOpen) return;
    takeAll([
      ...[...members].map((member) => () => member[Symbol.dispose]()),
      ...[...this.#faultQueues].map((queue) => () => queue[Symbol.dispose]()),
      ...[...this.#spaces].map((ioas) => () => ioas[Symbol.dispose]()),
      () => life.end(),
      () => argument[Symbol.dispose](),
      () => iommuFds(kernel).delete(fd),
      () => closeFile(kernel, fd, PATH),
      () => this.#session.forgetAll(),
    ]);
  }
}
