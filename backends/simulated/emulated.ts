/**
 * Emulated devices: checked like PCI functions of a bus of their own, which nobody sees, and shown as mediated devices are.
 *
 * @module
 */
import type { FileTree } from "./file_tree.ts";
import { checkKeys, type EmulatedNode, MachineError } from "./machine.ts";
import { enumerate, type PciFunction } from "./pci_tree.ts";
import { renderVfio } from "./sysfs.ts";

/** A name as RFC 9562 writes it. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** As many as a bus has places. */
const DEVICES_MAX = 32;

/** The emulated devices of a machine as functions, whose address is their name. @throws {MachineError} naming the value that is wrong. */
export function emulatedFunctions(nodes: readonly EmulatedNode[] = []): PciFunction[] {
  if (!Array.isArray(nodes) || nodes.length > DEVICES_MAX) {
    throw new MachineError("emulated", nodes, `a list of at most ${DEVICES_MAX} devices`);
  }
  const names = nodes.map((node, index) => nameOf(`emulated[${index}]`, node, index));
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) throw new MachineError(`emulated[${index}].uuid`, name, "one that no other device has");
  });
  const functions = enumerate({ pci: nodes.map(({ model }) => ({ model })) }, [], "emulated");
  return functions.map((pci, index): PciFunction => ({ ...pci, address: names[index]!, driver: null }));
}

function nameOf(path: string, node: EmulatedNode, index: number): string {
  checkKeys(path, node, ["model", "uuid"]);
  const { uuid = `00000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}` } = node;
  if (typeof uuid !== "string" || !UUID.test(uuid)) {
    throw new MachineError(`${path}.uuid`, uuid, 'a UUID in lower case: "12345678-90ab-4cde-8f01-234567890abc"');
  }
  return uuid;
}

/** Show an emulated device: /sys/bus/mdev/devices and its node. */
export function addEmulatedFiles(files: FileTree, uuid: string, vfio: number): void {
  const home = `/sys/devices/virtual/emulated/emulated/${uuid}`;
  files.link(`/sys/bus/mdev/devices/${uuid}`, home).link(`${home}/subsystem`, "/sys/bus/mdev");
  renderVfio(files, home, vfio);
}
