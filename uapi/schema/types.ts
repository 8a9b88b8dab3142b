/**
 * The vocabulary in which the UAPI is described: what each field is, not only how wide it is.
 *
 * After syzkaller's descriptions of system calls. From these tables come the codec, the Rust structs, the decoder, what a recording must
 * save, and docs/requests.md; a layout is written nowhere else.
 *
 * @module
 */

/** How a field is stored. All are little-endian and aligned to their own width. */
export type Width = "u8" | "u16" | "u32" | "s32" | "u64";

/** Who writes a field: the caller, the kernel, or both. */
export type Direction = "in" | "out" | "inout";

/** The kinds of objects that an iommufd gives ids to. */
export type ObjectKind = "ioas" | "hwpt" | "device" | "fault" | "viommu" | "vdevice" | "veventq" | "hw_queue" | "selftest";

/** The kinds of open files. */
export type FileKind = "iommufd" | "device" | "eventfd" | "memfd" | "fault" | "veventq" | "group" | "container" | "access" | "dmabuf";

/** Constants with their names, without the `IOMMU_` or `VFIO_` of the header. */
export interface Names {
  /** The name's common beginning, which readable output leaves out: `"IOAS_MAP_"`. */
  readonly prefix: string;
  /** Value by whole name: `{ IOAS_MAP_FIXED_IOVA: 1 }`. */
  readonly values: Readonly<Record<string, number>>;
  /** What they are, for the generated documentation. */
  readonly doc: string;
  /** What stands before the names in Linux's header. */
  readonly c?: string;
}

/** How many bytes are behind a pointer. `field` names a field of the struct that holds the pointer. */
export type Extent =
  /** As many structs as `count` says. */
  | { readonly of: string; readonly count: string }
  /** As many bytes as a field says, or always the same number. */
  | { readonly bytes: string | number }
  /** `count` entries of `each` bytes. */
  | { readonly count: string; readonly each: string }
  /** One bit for each page of `page` bytes in `length` bytes, in words of 64 bits. */
  | { readonly bitmap: { readonly length: string; readonly page: string } };

/** What a field means. */
export type Role =
  /** The caller's size of the struct (iommufd `size`, VFIO `argsz`). */
  | { readonly is: "size" }
  /** Must be zero. */
  | { readonly is: "reserved" }
  /** Bits with names. */
  | { readonly is: "flags"; readonly names: Names | null }
  /** One of several values with names. */
  | { readonly is: "enum"; readonly names: Names }
  /** Always the same of several values with names: it says which struct of a request this is. */
  | { readonly is: "constant"; readonly names: Names; readonly value: number }
  /** An object's id; `makes` where a successful request creates the object. */
  | { readonly is: "id"; readonly kinds: readonly ObjectKind[]; readonly makes?: true }
  /** An open file; `makes` where a successful request opens it. */
  | { readonly is: "fd"; readonly of: FileKind; readonly makes?: true }
  /** An address of arguments or results that the kernel reads or writes during the request. */
  | { readonly is: "pointer"; readonly extent: Extent; readonly data: Direction }
  /** An address of the process's memory, `length` bytes (a field's name) of which a device may reach afterwards. */
  | { readonly is: "userAddress"; readonly length: string }
  /** An I/O virtual address. */
  | { readonly is: "iova" }
  /** A physical address. */
  | { readonly is: "physicalAddress" }
  /** A number of bytes. */
  | { readonly is: "length" }
  /** A number of things. */
  | { readonly is: "count" }
  /** A position in a file or region. */
  | { readonly is: "offset" }
  /** Which of several: a region, an interrupt, a queue. */
  | { readonly is: "index" }
  /** A process address space id. */
  | { readonly is: "pasid" }
  /** Offset of the first capability in the answer; `structs` by capability id. */
  | { readonly is: "capabilities"; readonly structs: Readonly<Record<number, string>> }
  /** A plain value. */
  | { readonly is: "value" }
  /** A register or entry of the hardware, in the layout of its specification. */
  | { readonly is: "register" };

/** One field of a struct. Its offset follows from its place and its width. */
export interface Field {
  /** Linux's name of it. Underscores in front are left out in TypeScript and Rust. */
  readonly name: string;
  /** How it is stored. */
  readonly width: Width;
  /** Number of elements of an array. Absent for a single value. */
  readonly array?: number;
  /** Who writes it. */
  readonly direction: Direction;
  /** What it means. */
  readonly role: Role;
  /** One sentence on it. */
  readonly doc: string;
  /** The member in Linux's header where that is not `name`: a member of a nested struct or union. Empty for bytes without a name there. */
  readonly c?: string;
}

/** What follows a struct's fixed part, up to the caller's size. */
export interface Tail {
  /** Linux's name of it. */
  readonly name: string;
  /** What one element is: a struct's name, or how a number is stored. */
  readonly of: string | Width;
  /** The field that counts the elements. Absent: as many bytes as the size leaves. */
  readonly count?: string;
  /** The tail has this form only where `flag` is set in the field `flags`. */
  readonly flag?: number;
  /** Who writes it. */
  readonly direction: Direction;
  /** What an element means. */
  readonly role: Role;
  /** One sentence on it. */
  readonly doc: string;
}

/** One struct. */
export interface Struct {
  /** Our name: Linux's without its prefix, in camel case. */
  readonly name: string;
  /** The name in Linux's header. Absent for our own. */
  readonly c?: string;
  /** What it is, in a sentence. */
  readonly doc: string;
  /** Its fields in order, without gaps. */
  readonly fields: readonly Field[];
  /** What may follow. With several, at most one applies, by its flag. */
  readonly tails?: readonly Tail[];
}

/** One request to a file. */
export interface Request {
  /** Its name without `IOMMU_` or `VFIO_`. */
  readonly name: string;
  /** The name in Linux's header. Absent for our own. */
  readonly c?: string;
  /** The number that `ioctl` takes. */
  readonly number: number;
  /** The kind of file that knows it. */
  readonly on: "iommufd" | "device" | "group" | "container";
  /** Its struct. Absent: the request takes no argument. */
  readonly struct?: string;
  /** Where a request takes several structs: the field of `struct` that tells which, and their names by its value. All are as long as `struct`. */
  readonly variants?: { readonly field: string; readonly structs: Readonly<Record<number, string>> };
  /** The last field that the caller's struct must hold; the minimum size ends behind it. */
  readonly minimum?: string;
  /** What the kernel does with bytes behind the struct that it knows: they must be zero (else E2BIG), it ignores them, or they are data. */
  readonly beyond?: "zero" | "ignored" | "data";
  /** The Linux release that first had it. */
  readonly since: string;
  /** What it does, in a sentence. */
  readonly doc: string;
}

/** One family of requests: what one file of the schema describes. */
export interface Family {
  /** `iommufd`, `vfio`, `simulated`: the name of the Rust module, where the core has one. */
  readonly name: string;
  /** The header that it describes. */
  readonly header: string;
  /** What it is, in a sentence. */
  readonly doc: string;
  /** All named constants that are no request. */
  readonly names: readonly Names[];
  /** All structs. */
  readonly structs: readonly Struct[];
  /** All requests. */
  readonly requests: readonly Request[];
}
