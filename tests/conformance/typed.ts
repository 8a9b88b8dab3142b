/**
 * The typed API on whatever kernel is below: settings of an iommufd that have no struct's worth of cases, and page tables that nest.
 *
 * @module
 */
import { DeviceFd, IommuError, IommuFd, MemFd } from "../../mod.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { newIoas } from "./steps.ts";

/** Bits of VT-d's Extended Capability Register (VT-d specification, 11.4.3): nested translation, and scalable mode, which it needs. */
const ECAP_NEST = 1n << 26n;
const ECAP_SMTS = 1n << 43n;

/** The code of the error that something throws; "OK": none. */
export function errorOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    check(error instanceof IommuError, `${error} is an IommuError`);
    return error.code;
  }
  return "OK";
}

/** Whether the IOMMU of a device says that it nests page tables. */
function saysThatItNests(device: ReturnType<DeviceFd["bind"]>): boolean {
  const { vtd } = device.hwInfo();
  const needed = ECAP_NEST | ECAP_SMTS;
  return vtd !== undefined && (vtd.extendedCapability & needed) === needed;
}

/** The typed API. */
export const TYPED: Suite<Caller> = {
  name: "typed API",
  cases: [
    {
      name: "a nesting parent can be made where the IOMMU says that it nests, and nowhere else",
      run(t) {
        using iommu = IommuFd.open(t.kernel);
        using file = DeviceFd.open(t.kernel, t.devices.alone);
        const device = file.bind(iommu);
        const nests = saysThatItNests(device);
        equal(errorOf(() => iommu.createIoas().createHwpt(device, { nestParent: true })), nests ? "OK" : "EOPNOTSUPP");
      },
    },
    {
      name: "a device that moves takes along what must share its page table, and each handle says so",
      run(t) {
        for (const [pair, isShared] of [[t.devices.siblings, t.has("one-table-a-group")], [t.devices.aliases, true]] as const) {
          using iommu = IommuFd.open(t.kernel);
          using oneFile = DeviceFd.open(t.kernel, pair[0]);
          using otherFile = DeviceFd.open(t.kernel, pair[1]);
          const [first, second] = [oneFile.bind(iommu), otherFile.bind(iommu)];
          const [one, two] = [iommu.createIoas(), iommu.createIoas()];
          first.attach(one);
          second.attach(one);
          first.attach(two);
          equal([first.attachedTo, second.attachedTo], [two, isShared ? two : one], pair.join(" and "));
          // What nothing is attached to can go without its devices being detached.
          const [left, stays] = isShared ? [one, two] : [two, one];
          if (!isShared) first.attach(one);
          left[Symbol.dispose]();
          equal([first.attachedTo, second.attachedTo], [stays, stays], "after the other IOAS has gone");
          stays[Symbol.dispose]();
          equal([first.attachedTo, second.attachedTo], [undefined, undefined], "after its own has gone");
        }
      },
    },
    {
      name: "the IOAS of container requests is one of the program, one by its id, or none",
      run(t) {
        using iommu = IommuFd.open(t.kernel);
        using other = IommuFd.open(t.kernel);
        equal(iommu.vfioIoas, undefined);
        const [one, two] = [iommu.createIoas(), iommu.createIoas()];
        iommu.vfioIoas = one;
        equal(iommu.vfioIoas, one);
        iommu.vfioIoas = two;
        equal([iommu.vfioIoas, other.vfioIoas], [two, undefined]);
        equal(errorOf(() => other.vfioIoas = one), "ENOENT");
        const raw = newIoas(t, iommu.fd);
        t.do(iommu.fd, "VFIO_IOAS", { op: 1, ioas_id: raw });
        equal(iommu.vfioIoas, raw);
        iommu.vfioIoas = undefined;
        equal(iommu.vfioIoas, undefined);
        iommu.vfioIoas = two;
        two[Symbol.dispose]();
        equal([iommu.vfioIoas, errorOf(() => iommu.vfioIoas = two)], [undefined, "ENOENT"]);
      },
    },
    {
      name: "memory files can be paid for by another process, other memory cannot",
      run(t) {
        using iommu = IommuFd.open(t.kernel);
        using file = MemFd.create(t.kernel, "paid", 8192);
        const ioas = iommu.createIoas();
        ioas.mapFile(file);
        iommu.changeProcess();
        const buffer = ioas.createDmaBuffer(4096);
        equal(errorOf(() => iommu.changeProcess()), "EINVAL");
        buffer[Symbol.dispose]();
        iommu.changeProcess();
      },
    },
    {
      name: "behind an IOMMU no physical address is told",
      run(t) {
        using iommu = IommuFd.open(t.kernel);
        const ioas = iommu.createIoas();
        const { iova } = ioas.createDmaBuffer(4096);
        equal(errorOf(() => ioas.physicalRange(iova, 4096)), "EOPNOTSUPP");
      },
    },
  ],
};
