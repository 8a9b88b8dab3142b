/**
 * A kernel with files of the test's own in front of those of the kernel below: what the machine says of itself can be made up.
 *
 * @module
 */
import { ERRNO, type Kernel } from "../../mod.ts";

/** Files by path (null: there is none), links by path, and directories by path. */
export interface Told {
  /** Contents of files. */
  readonly files?: Readonly<Record<string, string | null>>;
  /** Targets of links. */
  readonly links?: Readonly<Record<string, string>>;
  /** Names in directories. */
  readonly directories?: Readonly<Record<string, readonly string[]>>;
  /** Tell nothing else than what is here. */
  readonly mute?: boolean;
}

/** `kernel`, with what is told instead of what it says. */
export function toldKernel(kernel: Kernel, { files = {}, links = {}, directories = {}, mute = false }: Told): Kernel {
  const pick = <T>(from: Readonly<Record<string, T | null>>, path: string, below: () => T | number): T | number => {
    const found = from[path];
    if (found !== undefined && found !== null) return found;
    return found === null || mute ? -ERRNO.ENOENT : below();
  };
  return new Proxy(kernel, {
    get(target, name) {
      if (name === "readFile") {
        return (path: string) => {
          const text = pick<string | Uint8Array>(files, path, () => target.readFile(path));
          return typeof text === "string" ? new TextEncoder().encode(text) : text;
        };
      }
      if (name === "readlink") return (path: string) => pick(links, path, () => target.readlink(path));
      if (name === "list") return (path: string) => pick<readonly string[]>(directories, path, () => target.list(path));
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
