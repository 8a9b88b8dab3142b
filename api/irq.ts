/**
 * Interrupts of a device, by eventfd.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK } from "../uapi/kernel.ts";
import { checkCount } from "./arguments.ts";
import type { DeviceState } from "./device_state.ts";
import { allocateBlock, closed, failed, type FailedValues } from "./error.ts";
import { explainNewFile } from "./explain/open.ts";
import { type Life, takeAll, track } from "./handle.ts";
import { IrqVector } from "./irq_vector.ts";

/** Interrupts by VFIO's index. "error": the device reports an error (AER); "request": the kernel asks to have the device back. */
export type IrqKind = "intx" | "msi" | "msix" | "error" | "request";

const INDEX: Readonly<Record<IrqKind, number>> = {
  intx: uapi.PCI_INTX_IRQ_INDEX,
  msi: uapi.PCI_MSI_IRQ_INDEX,
  msix: uapi.PCI_MSIX_IRQ_INDEX,
  error: uapi.PCI_ERR_IRQ_INDEX,
  request: uapi.PCI_REQ_IRQ_INDEX,
};
/** Bytes of a file descriptor in a request. */
const FD_LENGTH = 4;
const TRIGGER = uapi.IRQ_SET_ACTION_TRIGGER;

/** What can be done with interrupts of a kind. */
export interface IrqFlags {
  /** Whether they can be masked. */
  readonly maskable: boolean;
  /** Whether each masks itself until it is unmasked, as a level-triggered interrupt must. */
  readonly automasked: boolean;
  /** Whether all vectors must be enabled at once. */
  readonly noResize: boolean;
}

/**
 * Interrupts of one kind of a device. Made by {@linkcode BoundDevice.irq}.
 *
 * {@linkcode Irq.enable} a number of vectors, then iterate: each step is one wake-up, with how many interrupts came since the last. INTx masks
 * itself with each interrupt: {@linkcode Irq.unmask} it once the device was served.
 */
export class Irq implements AsyncIterable<bigint>, Disposable {
  /** The kind. */
  readonly kind: IrqKind;
  /** Vectors that the device has; 0: none of this kind. */
  readonly count: number;
  /** What can be done with them. */
  readonly flags: IrqFlags;
  #state: DeviceState;
  #life: Life;
  #vectors: IrqVector[] = [];
  #stay: () => void;

  /** Made by {@linkcode BoundDevice.irq}. */
  constructor(state: DeviceState, kind: IrqKind) {
    if (!Object.hasOwn(INDEX, kind)) {
      throw new TypeError(`Cannot use "${kind}" as a kind of interrupt: it is ${Object.keys(INDEX).join(", ")}`);
    }
    const view = state.begin("DEVICE_GET_IRQ_INFO");
    uapi.putIrqInfo(view, 0, { index: INDEX[kind] });
    const result = state.send(uapi.DEVICE_GET_IRQ_INFO);
    // A device without a kind of interrupt may lack its index: that is to have none.
    if (result < 0 && result !== -ERRNO.EINVAL) throw failed("irqInfo", result, { irq: kind, device: state.name });
    const { flags, count } = result < 0 ? { flags: 0, count: 0 } : uapi.getIrqInfo(view, 0);
    const has = (flag: number) => (flags & flag) !== 0;
    this.kind = kind;
    this.count = count;
    this.flags = {
      maskable: has(uapi.IRQ_INFO_MASKABLE),
      automasked: has(uapi.IRQ_INFO_AUTOMASKED),
      noResize: has(uapi.IRQ_INFO_NORESIZE),
    };
    this.#state = state;
    this.#life = track(this, state.kernel, "Irq");
    this.#stay = state.onClose(() => {
      this.#life.end();
      this.#closeVectors();
    });
  }

  /** Vectors that are enabled. */
  get enabled(): number {
    return this.#vectors.length;
  }

  /**
   * Have vectors 0 to `vectors` − 1 delivered.
   *
   * @throws {RangeError} if the device has fewer. @throws {IommuError} EBUSY if some are enabled, EINVAL if another kind is, EMFILE, ENOSPC: none
   * is enabled then.
   */
  enable(vectors: number): void {
    this.#begin();
    if (this.count === 0) throw new RangeError(`Cannot enable ${this.kind} interrupts of ${this.#state.name}: the device has none`);
    checkCount(vectors, `the number of ${this.kind} vectors`, 1, this.count);
    // The kernel would hand them over, and who waits for them through the other handle would wait for ever.
    if (this.#state.enabledKinds.has(this.kind)) {
      throw this.#failed(-ERRNO.EBUSY, "enable", "They are enabled already, by this or another handle: disable them first.");
    }
    try {
      for (let index = 0; index < vectors; index++) this.#vectors.push(this.#openVector(index));
      const result = this.#setEventfds(this.#vectors.map(({ fd }) => fd));
      if (result < 0) throw this.#failed(result, "enable");
      this.#state.enabledKinds.add(this.kind);
    } catch (error) {
      this.#closeVectors();
      throw error;
    }
  }

  /** Have none delivered any more: iterations end. That none was is no error. */
  disable(): void {
    this.#begin();
    if (this.#vectors.length === 0) return;
    const result = this.#set(uapi.IRQ_SET_DATA_NONE | TRIGGER, 0, 0);
    if (result < 0) throw this.#failed(result, "disable");
    this.#closeVectors();
  }

  /** Hold an interrupt back: INTx. @throws {IommuError} EINVAL, ENOTTY where the kind cannot be masked. */
  mask(vector = 0): void {
    this.#act("mask", uapi.IRQ_SET_ACTION_MASK, vector);
  }

  /** Let an interrupt through again, and one that is pending at once: INTx, after each. @throws {IommuError} EINVAL, ENOTTY */
  unmask(vector = 0): void {
    this.#act("unmask", uapi.IRQ_SET_ACTION_UNMASK, vector);
  }

  /** Have the kernel signal a vector, as if the device had: to test what handles it. @throws {IommuError} EINVAL if it is not enabled. */
  trigger(vector = 0): void {
    this.#act("trigger", TRIGGER, vector);
  }

  /** One vector. @throws {RangeError} if it is not enabled. */
  vector(index: number): IrqVector {
    this.#begin();
    const vector = this.#vectors[index];
    if (vector !== undefined) return vector;
    throw new RangeError(`Cannot use vector ${index} of ${this.kind}: ${this.#vectors.length} are enabled`);
  }

  /** Iterate over vector 0. @throws {RangeError} if more than one is enabled, or none. */
  [Symbol.asyncIterator](): AsyncIterableIterator<bigint> {
    if (this.#vectors.length > 1) {
      throw new RangeError(`Cannot iterate over ${this.#vectors.length} vectors of ${this.kind} at once: use vector(n) for each`);
    }
    return this.vector(0)[Symbol.asyncIterator]();
  }

  /** Disable them: iterations end. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    // Their files are closed even if the kernel does not disable them: nobody would read them.
    takeAll([() => this.disable(), () => this.#closeVectors(), () => this.#stay(), () => this.#life.end()]);
  }

  #begin(): void {
    if (!this.#life.isOpen) throw closed("Irq", "DEVICE_SET_IRQS");
    this.#state.begin("DEVICE_SET_IRQS");
  }

  #openVector(index: number): IrqVector {
    const { kernel } = this.#state;
    const fd = kernel.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) throw failed("eventfd", fd, { vector: index }, explainNewFile(kernel, fd));
    return new IrqVector(kernel, fd, index);
  }

  #act(verb: string, action: number, vector: number): void {
    this.#begin();
    checkCount(vector, "a vector", 0, 0xffff_fffe);
    const result = this.#set(uapi.IRQ_SET_DATA_NONE | action, vector, 1);
    if (result < 0) throw this.#failed(result, verb);
  }

  /** Without eventfds it needs no memory, so that to disable never fails for lack of it. */
  #set(flags: number, start: number, count: number): number {
    uapi.putIrqSet(this.#state.argument.view, 0, { flags, index: INDEX[this.kind], start, count }, uapi.IrqSetSize);
    return this.#state.send(uapi.DEVICE_SET_IRQS);
  }

  #setEventfds(fds: readonly number[]): number {
    const length = uapi.IrqSetSize + fds.length * FD_LENGTH;
    using block = allocateBlock(this.#state.kernel, length);
    const flags = uapi.IRQ_SET_DATA_EVENTFD | TRIGGER;
    uapi.putIrqSet(block.view, 0, { flags, index: INDEX[this.kind], start: 0, count: fds.length }, length);
    fds.forEach((fd, index) => block.view.setInt32(uapi.IrqSetSize + index * FD_LENGTH, fd, true));
    return this.#state.kernel.ioctl(this.#state.fd, uapi.DEVICE_SET_IRQS, block);
  }

  #failed(result: number, verb: string, advice?: string): Error {
    const values: FailedValues = { verb, irq: this.kind, device: this.#state.name };
    return failed("setIrqs", result, values, advice);
  }

  #closeVectors(): void {
    const vectors = this.#vectors;
    this.#vectors = [];
    if (vectors.length > 0) this.#state.enabledKinds.delete(this.kind);
    takeAll(vectors.map((vector) => () => vector.close()));
  }
}
