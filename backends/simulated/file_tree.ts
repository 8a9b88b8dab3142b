/**
 * A read-only tree of directories, files and symbolic links, with the answers that Linux's calls give.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";

/** What a file holds: text, bytes, or a function that makes the bytes at each read. */
export type FileContent = string | Uint8Array | (() => Uint8Array);

type Node =
  | { readonly kind: "directory"; readonly entries: Map<string, Node> }
  | { readonly kind: "file"; readonly content: FileContent }
  | { readonly kind: "node" }
  | { readonly kind: "link"; readonly target: string };

type Directory = Extract<Node, { kind: "directory" }>;

/** Links followed in one look-up before it is a loop (MAXSYMLINKS of Linux). */
const LINKS_MAX = 40;

/** Files below /sys and /dev. Paths are absolute. Building answers nothing; reading answers −errno as the seam does. */
export class FileTree {
  #root: Directory = { kind: "directory", entries: new Map() };

  /** Add a directory, and those above it. */
  directory(path: string): this {
    this.#makeDirectory(split(path));
    return this;
  }

  /** Add a file, and the directories above it. */
  file(path: string, content: FileContent): this {
    return this.#add(path, { kind: "file", content });
  }

  /** Add a device node: it can be listed and opened, and has no content. */
  deviceNode(path: string): this {
    return this.#add(path, { kind: "node" });
  }

  /** Add a symbolic link to an absolute path. It is stored relative to its directory, as sysfs does. */
  link(path: string, target: string): this {
    return this.#add(path, { kind: "link", target: relative(split(path).slice(0, -1), split(target)) });
  }

  /** The names in a directory, sorted; −ENOENT or −ENOTDIR. */
  list(path: string): string[] | number {
    const node = this.#find(path, true);
    if (typeof node === "number") return node;
    return node.kind === "directory" ? [...node.entries.keys()].sort() : -ERRNO.ENOTDIR;
  }

  /** Where a symbolic link points, relative to its directory; −EINVAL where the path is no link. */
  readlink(path: string): string | number {
    const node = this.#find(path, false);
    if (typeof node === "number") return node;
    return node.kind === "link" ? node.target : -ERRNO.EINVAL;
  }

  /** The content of a file; −EISDIR for a directory, −EINVAL for a device node. */
  readFile(path: string): Uint8Array | number {
    const node = this.#find(path, true);
    if (typeof node === "number") return node;
    if (node.kind === "directory") return -ERRNO.EISDIR;
    if (node.kind !== "file") return -ERRNO.EINVAL;
    const { content } = node;
    if (typeof content === "string") return new TextEncoder().encode(content);
    return typeof content === "function" ? content() : content.slice();
  }

  #add(path: string, node: Node): this {
    const parts = split(path);
    this.#makeDirectory(parts.slice(0, -1)).entries.set(parts.at(-1)!, node);
    return this;
  }

  #makeDirectory(parts: string[]): Directory {
    let directory = this.#root;
    for (const part of parts) {
      let next = directory.entries.get(part);
      if (next?.kind !== "directory") directory.entries.set(part, next = { kind: "directory", entries: new Map() });
      directory = next;
    }
    return directory;
  }

  /** Walks with a stack, since ".." is relative to where links led. */
  #find(path: string, followLast: boolean): Node | number {
    if (!path.startsWith("/")) return -ERRNO.ENOENT;
    const rest = split(path).reverse();
    let stack: Directory[] = [this.#root];
    for (let links = 0; rest.length > 0;) {
      const part = rest.pop()!;
      if (part === "..") {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const next = stack.at(-1)!.entries.get(part);
      if (next === undefined) return -ERRNO.ENOENT;
      if (next.kind === "link" && (rest.length > 0 || followLast)) {
        if (++links > LINKS_MAX) return -ERRNO.ELOOP;
        if (next.target.startsWith("/")) stack = [this.#root];
        rest.push(...split(next.target).reverse());
      } else if (next.kind === "directory") {
        stack.push(next);
      } else {
        return rest.length === 0 ? next : -ERRNO.ENOTDIR;
      }
    }
    return stack.at(-1)!;
  }
}

function split(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function relative(from: string[], to: string[]): string {
  let common = 0;
  while (common < from.length && common < to.length && from[common] === to[common]) common++;
  return [...from.slice(common).map(() => ".."), ...to.slice(common)].join("/");
}
