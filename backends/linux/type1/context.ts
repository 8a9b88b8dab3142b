/**
 * What an iommufd holds, beside what the core knows of it: which memory each area is, and which groups see it.
 *
 * @module
 */
import { Areas } from "./areas.ts";
import type { Device, Group } from "./devices.ts";

/** An IOAS. */
export class AddressSpace {
  /** Its object id. */
  readonly id: number;
  /** What it maps. */
  readonly areas: Areas = new Areas();
  /** Groups that are attached to it. */
  readonly groups: Set<Group> = new Set();

  /** An empty one. */
  constructor(id: number) {
    this.id = id;
  }
}

/** An iommufd, from open until the last file that holds it is closed. */
export class Context {
  /** Devices that are bound to it, by their id. */
  readonly devices: Map<number, Device> = new Map();
  #holders = 1;
  #spaces = new Map<number, AddressSpace>();
  /** The IOAS of each page table, by the page table's id. An automatic one may be gone: then its id is free, or that of a newer object. */
  #tables = new Map<number, AddressSpace>();

  /** One more file holds it. */
  hold(): void {
    this.#holders++;
  }

  /** One less. With the last one everything goes. */
  drop(): void {
    if (--this.#holders > 0) return;
    for (const { areas } of this.#spaces.values()) areas.clear();
    this.#spaces.clear();
    this.#tables.clear();
  }

  /** The IOAS of an id. */
  space(id: number): AddressSpace | undefined {
    return this.#spaces.get(id);
  }

  /** The IOAS that an id of an IOAS or of a page table leads to. */
  spaceOf(id: number): AddressSpace | undefined {
    return this.#spaces.get(id) ?? this.#tables.get(id);
  }

  /** The core has made an IOAS. */
  addSpace(id: number): void {
    this.#tables.delete(id);
    this.#spaces.set(id, new AddressSpace(id));
  }

  /** The core has made a page table. */
  addTable(id: number, space: AddressSpace): void {
    this.#tables.set(id, space);
  }

  /** The core has destroyed an object. Nothing is attached to it. */
  destroyed(id: number): void {
    this.#spaces.get(id)?.areas.clear();
    this.#spaces.delete(id);
    this.#tables.delete(id);
  }
}
