// The system's table of TCP connections, read where it is the only one to know: what has become of a socket that nobody
// may read from. Linux alone has it. Used by disconnected.ts.
import { readFileSync } from 'node:fs';
import { isIP, isIPv6, SocketAddress } from 'node:net';
import type { Socket } from 'node:net';

/** What the table says of one end of a connection. */
export interface TcpEnd {
  /** As in include/net/tcp_states.h. */
  readonly state: number;
  /** Bytes received and not read; a FIN counts as one. */
  readonly unread: number;
  /** No process has it open any more. */
  readonly orphaned: boolean;
}

export const ESTABLISHED = 1;
export const FIN_WAIT1 = 4;
export const FIN_WAIT2 = 5;
export const CLOSE_WAIT = 8;

/** The name of our end of a connection, or of the other end. Undefined: it is no TCP connection. */
export function endOf(socket: Socket, which: 'ours' | 'theirs'): string | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress === undefined || remoteAddress === undefined || isIP(localAddress) === 0) return undefined;
  const [ours, theirs] = [`${plain(localAddress)} ${localPort}`, `${plain(remoteAddress)} ${remotePort}`];
  return which === 'ours' ? `${ours} ${theirs}` : `${theirs} ${ours}`;
}

/**
 * All ends of connections from and to these ports, by the names that {@link endOf} gives; undefined where there is no
 * such table. The system reads it out in parts: while others come and go, one that is there may be missing.
 */
export function readTcpTable(ports: ReadonlySet<number>): Map<string, TcpEnd> | undefined {
  const ends = new Map<string, TcpEnd>();
  let found = false;
  for (const path of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    let table: string;
    try {
      table = readFileSync(path, 'latin1');
    } catch {
      continue; // Without IPv6 the second one is missing.
    }
    found = true;
    for (const line of table.split('\n')) readLine(line, ports, ends);
  }
  return found ? ends : undefined;
}

/** `12: 0100007F:1F90 0100007F:B530 08 00000000:00000001 02:0000174C 00000000 0 0 70790 …` */
function readLine(line: string, ports: ReadonlySet<number>, ends: Map<string, TcpEnd>): void {
  const [, local = '', remote = '', state = '', queues = '', , , , , inode] = line.trim().split(/\s+/);
  const [localPort, remotePort] = [portIn(local), portIn(remote)];
  if (!ports.has(localPort) && !ports.has(remotePort)) return;
  ends.set(`${addressIn(local)} ${localPort} ${addressIn(remote)} ${remotePort}`, {
    state: parseInt(state, 16), unread: parseInt(queues.split(':')[1] ?? '', 16), orphaned: inode === '0',
  });
}

function portIn(end: string): number {
  return parseInt(end.slice(end.indexOf(':') + 1), 16);
}

/** The address in `0100007F:1F90`: 32 bits at a time, each as a number of this machine. */
function addressIn(end: string): string {
  const words = end.slice(0, end.indexOf(':')).match(/.{8}/g) ?? [];
  const bytes = new Uint8Array(Uint32Array.from(words, (word) => parseInt(word, 16)).buffer);
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16));
  return plain(new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address);
}

/** The same text for the same address: without its zone, and IPv4 as such. */
function plain(address: string): string {
  return isIPv6(address) ? address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/, '') : address;
}
