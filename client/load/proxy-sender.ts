// Builds the PROXY protocol header that a connection of the load generator may begin with, so that others' receivers
// can be tried. Pure. Used by connection.ts.
import { isIP, isIPv4 } from 'node:net';
import { plainAddress } from '../../shared/address.ts';
import {
  checksumOf, Command, CRC32C_BYTES, Family, SIGNATURE, TLV_CRC32C, Transport, VERSION,
} from '../../shared/proxy-protocol/binary.ts';

export const PROXY_VERSIONS = ['v1', 'v2'] as const;
export type ProxyVersion = (typeof PROXY_VERSIONS)[number];

/** Both ends of a connection, as a net.Socket tells them: nothing for a Unix socket. */
export interface Ends {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** A header that says what is so: the client is who sends it, and the server who gets it. In a v2 one is a checksum. */
export function proxyHeader(version: ProxyVersion, ends: Ends): Buffer {
  const addresses = [ends.localAddress, ends.remoteAddress].map(addressOf);
  const ports = [ends.localPort ?? 0, ends.remotePort ?? 0];
  return version === 'v1' ? text(addresses, ports) : binary(addresses, ports);
}

/** A link-local address has the name of its interface behind it, `fe80::1%eth0`, which says nothing to anybody else. */
function addressOf(address = ''): string {
  return plainAddress(address.replace(/%.*$/, ''));
}

function text(addresses: readonly string[], ports: readonly number[]): Buffer {
  const protocol = addresses.every(isIPv4) ? 'TCP4' : 'TCP6';
  const words = addresses.every(isIP) ? [protocol, ...addresses, ...ports] : ['UNKNOWN'];
  return Buffer.from(`PROXY ${words.join(' ')}\r\n`);
}

function binary(addresses: readonly string[], ports: readonly number[]): Buffer {
  const family = addresses.every(isIPv4) ? Family.INET : addresses.every(isIP) ? Family.INET6 : Family.UNSPEC;
  const transport = family === Family.UNSPEC ? Transport.UNSPEC : Transport.STREAM;
  const ends = family === Family.UNSPEC ? [] : [...addresses.flatMap(bytesOf), ...ports.flatMap(twoBytes)];
  const checksum = [TLV_CRC32C, ...twoBytes(CRC32C_BYTES), ...new Array<number>(CRC32C_BYTES).fill(0)];
  const block = [...ends, ...checksum];
  const fixed = [(VERSION << 4) | Command.PROXY, (family << 4) | transport, ...twoBytes(block.length)];
  const header = Buffer.from([...SIGNATURE, ...fixed, ...block]);
  const at = header.length - CRC32C_BYTES;
  header.writeUInt32BE(checksumOf(header, at), at);
  return header;
}

function twoBytes(number: number): number[] {
  return [number >> 8, number & 0xff];
}

/** The bytes of an IP address, the highest one first. */
function bytesOf(address: string): number[] {
  if (isIPv4(address)) return address.split('.').map(Number);
  // In the host of a URL every group is a hexadecimal number; two colons stand for as many zeros as are missing.
  const [left = [], right = []] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::').map((part) => (
    part.split(':').filter((group) => group !== '').map((group) => parseInt(group, 16))));
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...zeros, ...right].flatMap(twoBytes);
}
