// Reads a binary PROXY protocol header, version 2. What is in one is in shared/proxy-protocol/binary.ts. Used by
// proxy-header.ts.
import { plainIPv6, withPort } from '../../shared/address.ts';
import {
  ADDRESS_BYTES, checksumOf, Command, CRC32C_BYTES, ENDS_BYTES, Family, FIXED_BYTES, SIGNATURE, TLV_CRC32C,
  TLV_HEAD_BYTES, Transport, VERSION,
} from '../../shared/proxy-protocol/binary.ts';
import { bad, MORE, UNKNOWN_CLIENT, type BadHeader, type Progress, type ProxiedClient } from './proxy-outcome.ts';

/** The most that a block may have, in bytes: a header has to be held in memory until it is whole. */
const LONGEST_BLOCK = 4096;

/** @param bytes All that has arrived; they begin with SIGNATURE. */
export function readBinary(bytes: Buffer): Progress {
  const [first = VERSION << 4, second = 0, lengthHigh = 0, lengthLow] = bytes.subarray(SIGNATURE.length);
  const [version, command] = [first >> 4, first & 0xf];
  if (version !== VERSION) return bad('unsupported', `its version is ${version}`);
  if (command > Command.PROXY) return bad('malformed', `its command is ${command}`);
  const isLocal = command === Command.LOCAL;
  const [family, transport] = [second >> 4, second & 0xf];
  if (!isLocal && family > Family.UNIX) return bad('malformed', `its address family is ${family}`);
  if (!isLocal && transport > Transport.DGRAM) return bad('malformed', `its transport protocol is ${transport}`);
  if (!isLocal && transport === Transport.DGRAM) return bad('unsupported', 'it is for datagrams');
  const length = lengthHigh * 256 + (lengthLow ?? 0);
  if (length > LONGEST_BLOCK) return bad('too-long', `its length is more than ${LONGEST_BLOCK}`);
  if (lengthLow === undefined) return MORE;
  // Neither says how long its addresses are, and the specification has them ignored: so where TLVs begin nobody knows.
  const isIgnored = isLocal || family === Family.UNSPEC;
  const ends = isIgnored ? 0 : ENDS_BYTES[family]!;
  if (length < ends) return bad('malformed', `it has ${length} bytes for addresses of ${ends}`);
  const whole = FIXED_BYTES + length;
  if (bytes.length < whole) return MORE;
  const header = bytes.subarray(0, whole);
  const wrong = isIgnored ? undefined : wrongTlv(header, FIXED_BYTES + ends);
  if (wrong !== undefined) return wrong;
  const isSourceSaid = !isIgnored && transport === Transport.STREAM;
  const client = isSourceSaid ? clientOf(family, header.subarray(FIXED_BYTES)) : UNKNOWN_CLIENT;
  return { type: 'done', ...client, isLocal, length: whole };
}

/** Goes over the TLVs, which are nobody's here, but for the checksum. @param at Where the first one begins. */
function wrongTlv(header: Buffer, at: number): BadHeader | undefined {
  let hasChecksum = false;
  while (at < header.length) {
    const type = header[at];
    const value = at + TLV_HEAD_BYTES;
    const length = value <= header.length ? header.readUInt16BE(at + 1) : Infinity;
    at = value + length;
    if (at > header.length) return bad('malformed', 'a TLV runs over its end');
    if (type !== TLV_CRC32C) continue;
    // A second one could not be right, and hundreds would keep the process busy.
    if (length !== CRC32C_BYTES || hasChecksum) return bad('malformed', 'its CRC32C is not one number of four bytes');
    if (checksumOf(header, value) !== header.readUInt32BE(value)) return bad('checksum', 'its CRC32C does not match');
    hasChecksum = true;
  }
  return undefined;
}

/** @param block The addresses, and what is behind them. */
function clientOf(family: number, block: Buffer): ProxiedClient {
  const size = ADDRESS_BYTES[family]!;
  const address = block.subarray(0, size);
  if (family === Family.UNIX) {
    const name = `unix:${unixName(address)}`;
    return { host: name, source: name };
  }
  const host = family === Family.INET ? address.join('.') : ipv6Of(address);
  return { host, source: withPort(host, block.readUInt16BE(2 * size)) };
}

function ipv6Of(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return plainIPv6(groups.join(':'));
}

/**
 * A path up to its first zero byte; or behind an `@`, as ss(8) shows it, a name that is no path and begins with such a
 * byte. A client's end mostly has no name at all. Nothing in it is for a terminal to obey, or looks like its end.
 */
function unixName(bytes: Buffer): string {
  const isAbstract = bytes[0] === 0 && bytes.some((byte) => byte !== 0);
  const name = isAbstract ? bytes.subarray(1) : bytes;
  const end = name.indexOf(0);
  const text = name.toString('latin1', 0, end < 0 ? name.length : end);
  const shown = text.replace(/[^\x21-\x5b\x5d-\x7e]/g, (character) => (
    `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`));
  return isAbstract ? `@${shown}` : shown;
}
