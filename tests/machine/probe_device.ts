/**
 * A device that records what it is asked, for tests of what is around it.
 *
 * @module
 */
import type { Bus, DeviceDescription, DeviceModel } from "../../backends/simulated/device.ts";

export class ProbeDevice implements DeviceModel {
  readonly description: DeviceDescription;
  /** Accesses and resets in order. */
  readonly log: string[] = [];
  bus!: Bus;

  constructor(description: Partial<DeviceDescription> = {}) {
    this.description = { vendor: 0x1234, device: 0x5678, classCode: 0xff0000, bars: [{ index: 0, length: 8192 }], ...description };
  }
  connect(bus: Bus): void {
    this.bus = bus;
  }
  reset(): void {
    this.log.push("reset");
  }
  read(bar: number, offset: number, width: 1 | 2 | 4): number {
    this.log.push(`read${8 * width} ${bar}:${offset.toString(16)}`);
    return 0x8877_6655 >>> 0 & (0xffff_ffff >>> (32 - 8 * width));
  }
  write(bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    this.log.push(`write${8 * width} ${bar}:${offset.toString(16)} ${value.toString(16)}`);
  }
}

/** The same with accesses of 8 bytes. */
export class WideProbeDevice extends ProbeDevice {
  read64(bar: number, offset: number): bigint {
    this.log.push(`read64 ${bar}:${offset.toString(16)}`);
    return 0x1122_3344_5566_7788n;
  }
  write64(bar: number, offset: number, value: bigint): void {
    this.log.push(`write64 ${bar}:${offset.toString(16)} ${value.toString(16)}`);
  }
}
