// How addresses are shown: the same client looks the same, however it came. Used by the server and by its clients.
import { isIPv6, SocketAddress } from 'node:net';

/** A socket for both families shows an IPv4 address as `::ffff:127.0.0.1`: it is the same client as on any other. */
export function plainAddress(address: string): string {
  return address.startsWith(':') ? address.replace(/^::ffff:(?=\d+\.)/i, '') : address;
}

/** An IPv6 address, however it is written, as the system writes it, and plain. */
export function plainIPv6(address: string): string {
  return plainAddress(new SocketAddress({ address, family: 'ipv6' }).address);
}

/** `127.0.0.1:8080`, `[::1]:8080`. */
export function withPort(address: string, port: number): string {
  return address.includes(':') && isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What a sockaddr_un holds beside the zero at its end, in bytes. */
export const LONGEST_PATH = 107;

/** The path in `unix:PATH`; `undefined`: it is none, or none that a socket may have. */
export function unixPathOf(address: string): string | undefined {
  const path = /^unix:([^\0]+)$/.exec(address)?.[1];
  return path !== undefined && Buffer.byteLength(path) <= LONGEST_PATH ? path : undefined;
}
