/**
 * Devices that are taken away from programs, on the running Linux: by `remove` in /sys, and back by a rescan.
 *
 * @module
 */
import { hostOf, PLUGGABLE } from "../conformance/mod.ts";
import type { Slots } from "../conformance/setup.ts";
import { register } from "../harness.ts";
import { openLinux } from "./linux_setup.ts";
import { IS_IOMMUFD } from "./this_guest.ts";

/** Run shell commands as root. Writing to these files of /sys can take as long as a program keeps its device. */
async function shell(commands: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", { args: ["-c", commands], stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`${commands}: ${new TextDecoder().decode(stderr)}`);
}

const SLOTS: Slots = {
  unplug: (address) => shell(`echo 1 >/sys/bus/pci/devices/${address}/remove`),
  plug: (address) =>
    shell(`
      set -e
      echo 1 >/sys/bus/pci/rescan
      echo vfio-pci >/sys/bus/pci/devices/${address}/driver_override
      echo ${address} >/sys/bus/pci/drivers_probe
      node=$(ls /sys/bus/pci/devices/${address}/vfio-dev)
      tries=0
      while [ ! -e "/dev/vfio/devices/$node" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ]
        sleep 0.1
      done`),
};

if (IS_IOMMUFD) register(PLUGGABLE, hostOf(async () => ({ ...await openLinux(), slots: SLOTS })), Deno.test, "linux: ");
