/**
 * Requests that only the simulated kernel knows; a real one answers ENOTTY.
 *
 * @module
 */
import { ARGSZ, input, NO_FLAGS } from "./fields.ts";
import type { Family } from "./types.ts";

/** The private requests of the simulated kernel. */
export const SIMULATED: Family = {
  name: "simulated",
  header: "",
  doc: "Requests that only the simulated kernel knows.",
  names: [],
  structs: [
    {
      name: "SimulatedDeviceSetLabel",
      doc: "Names a device for fault records.",
      fields: [
        ARGSZ,
        NO_FLAGS,
        input("label", "u64", { is: "value" }, "The number that fault records of this device carry from now on."),
      ],
    },
  ],
  requests: [
    {
      name: "SIMULATED_DEVICE_SET_LABEL",
      number: 0x3bf0,
      on: "device",
      struct: "SimulatedDeviceSetLabel",
      minimum: "label",
      beyond: "zero",
      since: "not Linux",
      doc: "Give the device the label that its fault records carry.",
    },
  ],
};
