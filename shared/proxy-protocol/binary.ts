// What a binary header of the PROXY protocol, version 2, is made of: haproxy/haproxy, doc/proxy-protocol.txt, 2.2. Used
// by the server, which reads such headers, and by the load generator, which sends them.
//
//    signature, 12 bytes │ version, command │ family, transport │ length, 2 bytes │ block: addresses, then TLVs
//                          4 bits each        4 bits each         of the block
//
// A TLV is a type, 1 byte, a length, 2 bytes, and a value of that length. All numbers have their highest byte first.
import { crc32c } from './crc32c.ts';

export const SIGNATURE: Readonly<Buffer> = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** What comes before the block, in bytes. */
export const FIXED_BYTES = 16;
export const VERSION = 2;
export const Command = { LOCAL: 0, PROXY: 1 } as const;
export const Family = { UNSPEC: 0, INET: 1, INET6: 2, UNIX: 3 } as const;
export const Transport = { UNSPEC: 0, STREAM: 1, DGRAM: 2 } as const;

/** By family, how long the address of one end is, in bytes. */
export const ADDRESS_BYTES = [0, 4, 16, 108] as const;
/** And how long all that is known of both ends is: two addresses, and where there are ports, two of them. */
export const ENDS_BYTES = [0, 12, 36, 216] as const;

/** The type and the length of a TLV, in bytes. */
export const TLV_HEAD_BYTES = 3;
export const TLV_CRC32C = 3;
export const CRC32C_BYTES = 4;
const ZEROS = new Uint8Array(CRC32C_BYTES);

/** The checksum of a whole header. @param at Where its own four bytes are: they count as zeros. */
export function checksumOf(header: Uint8Array, at: number): number {
  return crc32c(header.subarray(0, at), ZEROS, header.subarray(at + CRC32C_BYTES));
}
