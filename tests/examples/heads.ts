/**
 * The first 4,096 bytes of real file systems, as mkfs.fat 4.2, mkfs.exfat 1.2.0, mkntfs 2022.10.3 and mke2fs 1.47 made them.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import { Buffer } from "node:buffer";

/** Names of the file systems; "unnamed" is a FAT16 without a label. */
export type Head = "fat12" | "fat16" | "fat32" | "unnamed" | "exfat" | "ntfs" | "ext2" | "ext3" | "ext4";

/** gzip, then base64. */
const HEADS: Readonly<Record<Head, string>> = {
  fat12: "H4sIAAAAAAACA3ttMyE3O61YLy2xhIGJhZGBCQR/MDIIAGkYaGDQrAgzEQoJd/UJc1UAATfHEEMjIM0nvy+6Zo3SgRLusC18u9kZzgrEvf5g9O" +
    "Ss2FnJ1/9CMjKLFYAoL79EIVEhKT+/JDEpJ1UhJbM4W09BISAnNbE4VSEzrzi1CEU+LSe/oKBSITEvhZeroCi1uBjIrFTITq1UKMlXKCkCyqQn" +
    "ZuYp6OnpKfByMYwCSkDoqh/////3Z2BNYGBvYOBcwMB9gIH3AQM/A6OgAqOwA6NoAqN4A6PkAkbpA4yyDxjlGZj+84+G2nACo/E/sgFSoc7BwB" +
    "DmURlbGQuhIfJBro4uvkD5kIgQBQaGVRvzwvPCITQTgzlQ3i/U18k1KBiLPDPDvbej4TsKRsEoGAWjYBSMglEw2AAAA+exAAAQAAA=",
  fat16: "H4sIAAAAAAACA3ttMyE3O61YLy2xhIGJhYWBCQgbfigwKABpGGhg0BRjOLs62DMixNXVTwEI3BxDDM2ANJ/8vuiaNUoHSrjDtvDtZmc4KxD3+o" +
    "PRk7NiZyVf/wvJyCxWAKK8/BKFRIWk/PySxKScVIWUzOJsPQWFgJzUxOJUhcy84tQiFPm0nPyCgkqFxLwUXq6CotTiYiCzUiE7tVKhJF+hpAgo" +
    "k56Ymaegp6enwMvFMAooAaGrRsNgFIyCUTAKRib48f///9FQGAWjYBSMglEwCkYWAAD1aog2ABAAAA==",
  fat32: "H4sIAAAAAAACA3sdMSE3O61YLy2xhIGJUYGBiQEIfjAwKDBwMEAAE8NHZhiLgYGRgY0BGTQwaBoxGDGEeHgGhUSGhPsrKLg5hhgbKSgo8MnvK6" +
    "9Zo3SghDtsC99udoazAnGvPxg9OSt2VvL1v5CMzGIFIMrLL1FIVEjKzy9JTMpJVUjJLM7WU1AIyElNLE5VyMwrTi1CkU/LyS8oqFRIzEvh5Soo" +
    "Si0uBjIrFbJTKxVK8hVKioAy6YmZeQp6enoKvFwMo4AQCF0VFJToOBoOwxsUFTkm/v3OCMnbaPE/GjqjYBSMglEwCkbByAOvR9v/o+3/UTBi2/" +
    "8AxZPdOwAQAAA=",
  unnamed: "H4sIAAAAAAACA3ttMyE3O61YLy2xhIGJhYWBCQgbfigwKABpGGhg0BRnOLvaz1/Bz9HXVQEI3BxDDM2ANJ/8vuiaNUoHSrjDtvDtZmc4KxD3+o" +
    "PRk7NiZyVf/wvJyCxWAKK8/BKFRIWk/PySxKScVIWUzOJsPQWFgJzUxOJUhcy84tQiFPm0nPyCgkqFxLwUXq6CotTiYiCzUiE7tVKhJF+hpAgo" +
    "k56Ymaegp6enwMvFMAooAaGrRsNgFIyCUTAKRib48f///9FQGAWjYBSMglEwCkYWAABtAfGcABAAAA==",
  exfat: "H4sIAAAAAAACA3tdNsE1ws0xREFBgYEi0AClORgYwCYJADEfAwMrkDL5sr6egZGBgZOZsYFhFAwiELpqNAxG438UjMb/KBiN/1EwGv+jYDT+R8" +
    "Fo/I+CkRH/AJ8sa6IAEAAA",
  ntfs: "H4sIAAAAAAACA3sdNMEvxC1YAQgYmDgYIOAHAwpoAML/9RA2C1TsPzuE/gbEjED8Kvx/vMAaFkGQGJ/8vsKaNUoHSrjDtvDtZmc4KxD3+oPRk7" +
    "NiZyVf/wvJyCxWAKK8/BKFRIWk/PySxKScVIWUzOJsPYWAnNTE4lSFzLzi1CIU6bSc/IKCSoXEvBReroKi1OJiILNSITu1UqEkX6GkCCiTnpiZ" +
    "p6Cnp6fAy8UwCogEoatGw2AUjIJRMApGwSgYBaNgFIyCUTAKRgYAANsNjtYAEAAA",
  ext2: "H4sIAAAAAAACA2NgGAWjYBSMWMACxAIMDGeA1D0+BoavzAwMjMjyClDMAuUuYctmYPj/P/g9I1gdhA8BMH3cUI4FkGICYmaQFU8uAEkHhgaIEq" +
    "aS8nwaeIYfr+yV5/Oqpm7xnbTup/32VK5f/iD38jAg+4u6QAEIGUdIMhJhHM1KQxEIAbEwKP7A+f8rMxMso4+CUTAKRsEoGAWjYNgCAJBOmnUA" +
    "EAAA",
  ext3: "H4sIAAAAAAACA2NgGAWjYBSMWMABxAoMDDMZGRhOSjIwfGVnYGBElleAYg4odwlbNgPD///B7xnB6iB8CIDp44ZybIAUExAzA7HAkwtA0oGhAa" +
    "KEuSSjKDWV6p6Rx+o9GHgxz4h/h7iv/qqTTGJbk9nXMwLdyMOA8JcR0LHGQGwCxKZAbAbE5kBsAcSWQGwFxNZAbAPEtkBsB8T2zMi2CTCgBp0C" +
    "algOY6DCNpqVhiJQAmJlUPwxgPL/V3YmBpbRQBkFo2AUjIJRMAqGOQAAZLF80QAQAAA=",
  ext4: "H4sIAAAAAAACA2NgGAWjYBSMWMABxAoMDDMZGRjWSTIwfGVnYGBElleAYg4odwlbNgPD///B7xnB6iB8CIDp44ZybIDUISYGhmwWBgaBJxeAPA" +
    "eGBogSlrT80iLqe8Yeq/dgYK6gvg7PX6+HW2cdkViu3V3OyOjAwMOA8BfXZ2YGFiT1QKczBEBpfiAOBmJBIH7PzMCQzITNfgEG1KBTQA1LKGAB" +
    "CoYMs2TkwjaalYYaaMyIa3MC0kFAnMQAyv9f2ZmgOUDp8M+Qr+xZ63DpPXQqadZoCI6CUTAKRsEoGAVDEwAAK9dkhQAQAAA=",
};

/** The first 4,096 bytes of a file system. */
export function head(name: Head): Uint8Array {
  return new Uint8Array(gunzipSync(Buffer.from(HEADS[name], "base64")));
}
