/**
 * What the handles of one iommufd share: the file, memory for arguments, and which object each id is.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import type { Block, Kernel } from "../uapi/kernel.ts";
import { allocateBlock, closed, failed } from "./error.ts";
import { explainDestroy } from "./explain/users.ts";
import { type Life, takeAll } from "./handle.ts";

/** The handle of an object with an id. */
interface Owned {
  readonly handle: object;
  /** Called once the kernel has no such object any more: gives back what the program held for it. */
  readonly forget: () => void;
}

/** A bound device, as the iommufd sees it. */
export interface Member extends Disposable {
  /** Its id in the iommufd. */
  readonly id: number;
  /** What errors call it. */
  readonly name: string;
  /** PCI address; undefined: not known. */
  readonly address: string | undefined;
  /** What it is attached to: by PASID, under undefined as far as its other requests go. */
  readonly attachments: ReadonlyMap<number | undefined, object>;
  /** Attach it, or a PASID of it, to nothing. */
  detach(options: { readonly pasid?: number }): void;
}

/** Bytes of the longest struct of a request without a list. */
const ARGUMENT_LENGTH = 64;

/** An open iommufd. */
export class Session {
  /** The kernel. */
  readonly kernel: Kernel;
  /** The file. */
  readonly fd: number;
  /** Of the handle. */
  readonly life: Life;
  /** The argument of requests without a list. Requests are synchronous, so one is enough. */
  readonly argument: Block;
  /** Devices bound to it. */
  readonly members: Set<Member> = new Set();
  #objects = new Map<number, Owned>();

  /** For an open file. @throws {IommuError} ENOMEM if the kernel has no memory for arguments. */
  constructor(kernel: Kernel, fd: number, life: Life) {
    this.kernel = kernel;
    this.fd = fd;
    this.life = life;
    this.argument = allocateBlock(kernel, ARGUMENT_LENGTH);
  }

  /** The argument's view, if the file is open. @throws {IommuError} EBADF */
  begin(operation: string): DataView {
    if (!this.life.isOpen) throw closed("IommuFd", operation);
    return this.argument.view;
  }

  /** Send the argument. */
  send(request: number): number {
    return this.kernel.ioctl(this.fd, request, this.argument);
  }

  /** An object was made. `forget` is called once the kernel has it no more, by whatever request: it gives back what the program held. */
  add(id: number, handle: object, forget: () => void): void {
    // The kernel gives an id again once its object is gone, which a raw request may have done: then the old handle is of no object.
    this.#forget(id);
    this.#objects.set(id, { handle, forget });
  }

  /** Whether a handle stands for an object of this iommufd, which it has not destroyed. */
  owns(id: number, handle: object): boolean {
    return this.#objects.get(id)?.handle === handle;
  }

  /** Objects with handles that hold an object, in words: page tables of an IOAS, what is on top of a page table or was made of a virtual IOMMU. */
  usersOf(id: number): string[] {
    const handle = this.#objects.get(id)?.handle;
    if (handle === undefined) return [];
    return [...this.#objects].filter(([, user]) => heldBy(user.handle) === handle).map(([user, { handle }]) => `${kindOf(handle)} ${user}`);
  }

  /** Destroy an object, whoever made it. @throws {IommuError} ENOENT, EBUSY: nothing is changed then. */
  destroy(id: number): void {
    uapi.putDestroy(this.begin("DESTROY"), 0, { id });
    const result = this.send(uapi.DESTROY);
    if (result < 0) throw failed("destroy", result, { id }, explainDestroy(result, this, id));
    this.#forget(id);
  }

  /** Destroy the object of a handle. That it is gone already is no error: the program may have destroyed it by its id. */
  dispose(id: number): void {
    uapi.putDestroy(this.begin("DESTROY"), 0, { id });
    const result = this.send(uapi.DESTROY);
    if (result < 0 && result !== -ERRNO.ENOENT) throw failed("destroy", result, { id }, explainDestroy(result, this, id));
    this.#forget(id);
  }

  /** Devices that are attached to one of these. */
  attachedTo(isTarget: (attachedTo: object) => boolean): Member[] {
    return [...this.members].filter(({ attachments }) => [...attachments.values()].some(isTarget));
  }

  /** How to detach the devices and PASIDs that are attached to one of these. */
  detachFrom(isTarget: (attachedTo: object) => boolean): (() => void)[] {
    return [...this.members].flatMap((member) =>
      [...member.attachments].filter(([, target]) => isTarget(target)).map(([pasid]) => () =>
        member.detach(pasid === undefined ? {} : { pasid })
      )
    );
  }

  /** The file is closed, and with it the kernel has dropped every object: so does the program, whatever failed before. */
  forgetAll(): void {
    takeAll([...this.#objects.keys()].map((id) => () => this.#forget(id)));
  }

  #forget(id: number): void {
    const object = this.#objects.get(id);
    this.#objects.delete(id);
    object?.forget();
  }
}

/** What the object of a handle holds. */
function heldBy(user: object): unknown {
  for (const name of ["viommu", "parent", "ioas"]) {
    const held: unknown = name in user ? user[name as keyof typeof user] : undefined;
    if (held !== undefined) return held;
  }
  return undefined;
}

function kindOf(handle: object): string {
  if ("virtualId" in handle) return "virtual device";
  if ("data" in handle) return "virtual IOMMU";
  if ("index" in handle) return "hardware queue";
  return "fd" in handle ? "event queue" : "page table";
}

/** Sessions by handle: other handles of the library reach them, programs do not. */
const SESSIONS = new WeakMap<object, Session>();

/** A handle's session. */
export function sessionOf(handle: object): Session {
  return SESSIONS.get(handle)!;
}

/** Say which session a handle stands for. */
export function setSession(handle: object, session: Session): void {
  SESSIONS.set(handle, session);
}
