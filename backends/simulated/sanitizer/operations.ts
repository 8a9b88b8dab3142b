/**
 * Names of the requests that change what devices reach.
 *
 * @module
 */
import * as uapi from "../../../uapi/codec.ts";

const NAMES: ReadonlyMap<number, string> = new Map([
  [uapi.DESTROY, "DESTROY"],
  [uapi.IOAS_MAP, "IOAS_MAP"],
  [uapi.IOAS_MAP_FILE, "IOAS_MAP_FILE"],
  [uapi.IOAS_COPY, "IOAS_COPY"],
  [uapi.IOAS_UNMAP, "IOAS_UNMAP"],
]);

/** What a request is called; by its number, where it has nothing to do with mappings. */
export function operationOf(request: number): string {
  return NAMES.get(request) ?? `request 0x${request.toString(16)}`;
}
