// Floppy disks by the size of their image, and how a PC's CMOS RAM names the drives for them.

export interface FloppyGeometry {
  readonly sizeBytes: number;
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
  /** CMOS RAM byte 10h: type of drive. */
  readonly driveType: number;
}

const KIB = 1024;
const GEOMETRIES: readonly FloppyGeometry[] = [
  { sizeBytes: 360 * KIB, cylinders: 40, heads: 2, sectors: 9, driveType: 1 },
  { sizeBytes: 1200 * KIB, cylinders: 80, heads: 2, sectors: 15, driveType: 2 },
  { sizeBytes: 720 * KIB, cylinders: 80, heads: 2, sectors: 9, driveType: 3 },
  { sizeBytes: 1440 * KIB, cylinders: 80, heads: 2, sectors: 18, driveType: 4 },
  { sizeBytes: 2880 * KIB, cylinders: 80, heads: 2, sectors: 36, driveType: 5 },
];

/** Undefined: it is not the image of a floppy disk. */
export function floppyGeometry(sizeBytes: number): FloppyGeometry | undefined {
  return GEOMETRIES.find((geometry) => geometry.sizeBytes === sizeBytes);
}
