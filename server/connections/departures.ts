// Finds the clients that have left while they waited. The master holds their sockets paused and may not read from them,
// so nobody tells it: it looks before it refuses others for want of a place (door.ts). And those that have left a worker which
// has not told yet. Used by server.ts.
import type { Socket } from 'node:net';
import type { Moved } from '../worker/messages.ts';
import { CLOSE_WAIT, endOf, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, readTcpTable } from './tcp-table.ts';
import type { TcpEnd } from './tcp-table.ts';

/** A client that waits; `moved` is what comes along with it from an earlier worker. */
interface Waiting {
  readonly socket: Socket;
  readonly moved?: Moved | null;
}

const NOTHING = new Uint8Array();

/**
 * Those that have left, for certain. Costs a look at each TCP connection of the machine.
 *
 * A client that has sent its FIN and has nothing to be answered counts as gone: all that it may still wait for is our
 * FIN. One that has sent something before is answered, as it may have half-closed; unless it is on this machine, where
 * the table tells that no process has its end any more.
 */
export function departed<Client extends Waiting>(waiting: readonly Client[]): Client[] {
  const table = readTcpTable(new Set(waiting.map(({ socket }) => socket.localPort ?? -1)));
  return waiting.filter((client) => hasLeft(client, table));
}

/**
 * Those of whom their worker is about to say that they have ended: the connection is over, or the worker has nothing left to
 * read but the FIN. Nobody, where there is no table. Costs as much as {@link departed}.
 * @param served They are with a worker.
 */
export function ending<Client extends Waiting>(served: readonly Client[]): Client[] {
  const table = readTcpTable(new Set(served.map(({ socket }) => socket.localPort ?? -1)));
  return table === undefined ? [] : served.filter(({ socket }) => {
    const ours = table.get(endOf(socket, 'ours') ?? '');
    if (ours === undefined) return true;
    if (ours.state !== CLOSE_WAIT) return ours.state !== ESTABLISHED;
    return ours.unread === 1 || (ours.unread > 1 && isAbandoned(socket, table));
  });
}

function hasLeft({ socket, moved }: Waiting, table: ReadonlyMap<string, TcpEnd> | undefined): boolean {
  const ours = table?.get(endOf(socket, 'ours') ?? '');
  if (ours === undefined) return isReset(socket);
  if (ours.state !== CLOSE_WAIT) return false;
  const owed = ours.unread - 1 + (moved?.unread.length ?? 0);
  return owed <= 0 || isAbandoned(socket, table!);
}

/** Whether the other end is on this machine, and no process has it any more. */
function isAbandoned(socket: Socket, table: ReadonlyMap<string, TcpEnd>): boolean {
  const theirs = table.get(endOf(socket, 'theirs') ?? '');
  return theirs !== undefined && theirs.orphaned && (theirs.state === FIN_WAIT1 || theirs.state === FIN_WAIT2);
}

/** Asks the socket itself: an empty write sends nothing, and fails at once if the connection was reset. */
function isReset(socket: Socket): boolean {
  if (!socket.destroyed) socket.write(NOTHING);
  return socket.destroyed || socket.errored !== null;
}
