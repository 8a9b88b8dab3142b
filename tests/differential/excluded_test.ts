/**
 * Every request of an iommufd is compared with Linux, or it is written why not.
 */
import { DESCRIBED } from "../../uapi/schema/layout.ts";
import { equal } from "../check.ts";
import { EXCLUDED_REQUESTS } from "./excluded.ts";
import { ALL_KINDS } from "./generate.ts";

/** The requests of an iommufd as sequences name them: its own, and those of containers. */
function allRequests(): string[] {
  const requests = DESCRIBED.flatMap(({ requests }) => requests).filter(({ on }) => on === "iommufd" || on === "container");
  return requests.flatMap(({ name, variants }) =>
    variants === undefined ? [name] : Object.values(variants.structs).map((struct) => `${name}/${struct}`)
  );
}

Deno.test("every request of an iommufd is drawn, or excluded with a reason", () => {
  const known = [...Object.keys(ALL_KINDS), ...Object.keys(EXCLUDED_REQUESTS)];
  equal(known.sort(), allRequests().sort());
});
