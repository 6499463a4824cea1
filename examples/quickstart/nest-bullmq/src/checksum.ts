import { createHash } from 'node:crypto';

export interface Checksum {
  bytes: number;
  sha256: string;
}

export function checksum(text: string): Checksum {
  return { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}
