/**
 * A QEMU whose processors sleep, driven over its qtest protocol on standard input and output: memory and ports are written and read, and
 * devices work, without a guest system.
 *
 * Commands are queued and sent together by {@link Qtest.flush}, since a round trip costs more than what it asks for. Timers of devices run only
 * while QEMU waits for input.
 */

const SUFFIX = { 1: "b", 2: "w", 4: "l", 8: "q" } as const;

/** Bytes of one access. */
export type Width = keyof typeof SUFFIX;

type Answer = (words: string) => void;

/** QEMU, from its start to {@link Qtest.stop}. */
export class Qtest {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<void>;
  #queue: string[] = [];
  #answers: Answer[] = [];
  #failure: string | undefined;
  #idle: (() => void) | undefined;

  /**
   * Starts `binary` with a machine of `args`; its processors must halt at once.
   * Virtual time stands still while a command is answered, and jumps to the next timer when there is nothing to do.
   */
  constructor(binary: string, args: readonly string[]) {
    const common = ["-display", "none", "-nodefaults", "-qtest", "stdio", "-qtest-log", "none", "-accel", "tcg"];
    const time = ["-icount", "shift=0,sleep=off"];
    this.#child = new Deno.Command(binary, { args: [...common, ...time, ...args], stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
    this.#input = this.#child.stdin.getWriter();
    const errors = new Response(this.#child.stderr).text();
    this.#ended = this.#receive().then(async () => this.#fail(`QEMU ended: ${await errors}`));
  }

  /** Queues a store to an address of the first processor. */
  write(width: Width, address: bigint, value: bigint): void {
    this.#push(`write${SUFFIX[width]}`, address, `0x${value.toString(16)}`);
  }

  /** Queues a load from such an address. */
  read(width: Width, address: bigint): Promise<bigint> {
    return this.#ask(`read${SUFFIX[width]}`, address);
  }

  /** Queues the store of 64-bit words from an address upwards; each as hexadecimal digits without a prefix. */
  writeWords(address: bigint, words: readonly string[]): void {
    const bytes = words.map((word) => (word.padStart(16, "0").match(/../g) ?? []).reverse().join(""));
    this.#push("write", address, `0x${(words.length * 8).toString(16)} 0x${bytes.join("")}`);
  }

  /** Queues zeros. */
  clear(address: bigint, length: bigint): void {
    this.#push("memset", address, `0x${length.toString(16)} 0`);
  }

  /** Queues a store to an x86 port, of 4 bytes. */
  writePort(port: number, value: number): void {
    this.#push("outl", BigInt(port), `0x${value.toString(16)}`);
  }

  /** Sends what is queued and waits for all answers. Throws if one is a failure, or QEMU ended. */
  async flush(): Promise<void> {
    const text = this.#queue.join("");
    this.#queue = [];
    const answered = new Promise<void>((resolve) => this.#idle = resolve);
    if (this.#answers.length === 0) this.#idle?.();
    await this.#input.write(new TextEncoder().encode(text)).catch(() => this.#ended);
    await Promise.race([answered, this.#ended]);
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  /** Ends QEMU. */
  async stop(): Promise<void> {
    await this.#input.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await this.#ended;
  }

  #ask(command: string, address: bigint): Promise<bigint> {
    return new Promise((resolve) => this.#push(command, address, "", (words) => resolve(BigInt(words))));
  }

  #push(command: string, address: bigint, rest: string, answer: Answer = () => {}): void {
    this.#queue.push(`${command} 0x${address.toString(16)} ${rest}
`);
    this.#answers.push(answer);
  }

  async #receive(): Promise<void> {
    let first = 0;
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("OK")) this.#fail(`QEMU answers ${line}`);
        this.#answers[first++]?.(line.slice(3));
      }
      if (first === this.#answers.length) {
        this.#answers = [];
        first = 0;
        this.#idle?.();
      }
    }
  }

  #fail(text: string): void {
    this.#failure ??= text;
    this.#idle?.();
  }
}
