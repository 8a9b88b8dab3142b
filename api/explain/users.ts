/**
 * What keeps an object of an iommufd from being destroyed.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Session } from "../session.ts";
import { guess } from "./facts.ts";

/** What to say of a DESTROY that answered `result`. Objects that raw requests made are not known. */
export function explainDestroy(result: number, session: Session, id: number): string | undefined {
  if (result !== -ERRNO.EBUSY) return undefined;
  return guess(() => {
    const bound = [...session.members].find((member) => member.id === id);
    if (bound !== undefined) return `It is the bound device ${bound.name}: dispose its DeviceFd, which is what holds it.`;
    const users = [
      ...session.attachedTo((target) => session.owns(id, target)).map(({ name }) => `the attached device ${name}`),
      ...session.usersOf(id),
    ];
    return users.length === 0 ? undefined : `It is used by ${users.join(", ")}: detach or destroy that first.`;
  });
}
