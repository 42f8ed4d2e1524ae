// The checksum CRC32C (Castagnoli's polynomial), as RFC 4960, appendix B, has it. Used by binary.ts.

/** The polynomial with its bits reversed, since the bits of a byte go in from the lowest one on. */
const POLYNOMIAL = 0x82f63b78;
/** What each byte makes of a checksum that is 0. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
  return value;
});

/** The checksum of these bytes, one part behind the other: a whole number below 2^32. */
export function crc32c(...parts: readonly Uint8Array[]): number {
  let checksum = -1;
  for (const part of parts) {
    for (const byte of part) checksum = (checksum >>> 8) ^ TABLE[(checksum ^ byte) & 0xff]!;
  }
  return ~checksum >>> 0;
}
