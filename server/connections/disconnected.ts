// Which clients have left. The master holds their sockets paused and may not read from them, so nobody tells it: it
// looks before it refuses others for want of a place. Used by admission.ts.
//
// Of a Unix socket no table says anything: one whose client has closed it refuses to be written to, and that is all.
import type { Socket } from 'node:net';
import type { Moved } from '../worker/messages.ts';
import { CLOSE_WAIT, endOf, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, readTcpTable } from './tcp-table.ts';
import type { TcpEnd } from './tcp-table.ts';

interface Client {
  readonly socket: Socket;
  /** What comes along with it from an earlier worker. */
  readonly moved?: Moved | null;
}

const NOTHING = new Uint8Array();

/**
 * Those that wait and have left, for certain. Costs a look at each TCP connection of the machine.
 *
 * A client that has sent its FIN and has nothing to be answered counts as gone: all that it may still wait for is our
 * FIN. One that sent something before its FIN may have half-closed, and is answered; unless it is on this machine and
 * the table says that no process has its end any more.
 */
export function disconnected<C extends Client>(waiting: readonly C[]): C[] {
  const table = tableOf(waiting);
  return waiting.filter((client) => hasLeft(client, table));
}

/**
 * Those that a worker is likely to report as closed: the connection is over, or the worker has nothing left to read but
 * the FIN. It may hold that up, for a client that reads slowly or for --delay. Of TCP none, where there is no table.
 * Costs as much as {@link disconnected}.
 * @param served They are with a worker.
 */
export function closing<C extends Client>(served: readonly C[]): C[] {
  const table = tableOf(served);
  return served.filter(({ socket }) => {
    const name = endOf(socket, 'ours');
    if (name === undefined) return isOver(socket);
    if (table === undefined) return false;
    const ours = table.get(name);
    if (ours === undefined) return isOver(socket);
    if (ours.state !== CLOSE_WAIT) return ours.state !== ESTABLISHED;
    return ours.unread === 1 || (ours.unread > 1 && isAbandoned(socket, table));
  });
}

function tableOf(clients: readonly Client[]): ReadonlyMap<string, TcpEnd> | undefined {
  const ports = new Set(clients.flatMap(({ socket }) => socket.localPort ?? []));
  return ports.size === 0 ? undefined : readTcpTable(ports);
}

function hasLeft({ socket, moved }: Client, table: ReadonlyMap<string, TcpEnd> | undefined): boolean {
  const ours = table?.get(endOf(socket, 'ours') ?? '');
  if (ours === undefined) return isOver(socket);
  if (ours.state !== CLOSE_WAIT) return false;
  const toBeAnswered = ours.unread - 1 + (moved?.unread.length ?? 0);
  return toBeAnswered <= 0 || isAbandoned(socket, table!);
}

/** Whether the other end is on this machine, and no process has it any more. */
function isAbandoned(socket: Socket, table: ReadonlyMap<string, TcpEnd>): boolean {
  const theirs = table.get(endOf(socket, 'theirs') ?? '');
  return theirs !== undefined && theirs.orphaned && (theirs.state === FIN_WAIT1 || theirs.state === FIN_WAIT2);
}

/**
 * Asks the socket itself: an empty write sends nothing, and fails at once if the connection was reset, or a Unix socket
 * was closed at its other end.
 */
function isOver(socket: Socket): boolean {
  if (!socket.destroyed) socket.write(NOTHING);
  return socket.destroyed || socket.errored !== null;
}
