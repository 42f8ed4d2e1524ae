// What master and workers say to each other, over the fork channel. Sent by worker-process.ts and worker.ts. Both sides
// read what arrives by the two functions below: a message that is none of these is logged, not obeyed.
import type { Traffic } from '../../shared/log/log.ts';
import type { Block } from '../../shared/terminal/lines.ts';

export type { Traffic };

export const NO_TRAFFIC: Traffic = { messages: 0, bytesIn: 0, bytesOut: 0 };

/** What comes along with a connection that another worker has had before. */
export interface Moved {
  readonly traffic: Traffic;
  /** Received there and not answered yet. */
  readonly unread: Uint8Array;
}

/** How a connection ended, as its worker saw it. */
export type CloseReason =
  | 'client ended' // Its FIN came, and all replies were sent.
  | 'server stopping' // We sent the FIN, all replies before it.
  | 'idle' // --idle-timeout
  | 'not quiet in time' // The worker had to leave, and replies were still waiting for the client to read them.
  | `error ${string}`; // The system's code: ECONNRESET, EPIPE …

export type ToWorker =
  /** Serve this client; the socket comes with the message. */
  | { readonly type: 'connection'; readonly id: number; readonly peer: string; readonly moved: Moved | null }
  /** Give every connection back at a quiet point, within this time, and end. */
  | { readonly type: 'retire'; readonly graceMs: number }
  /** Within this time answer what was received and end every connection, also those that still come. */
  | { readonly type: 'drain'; readonly graceMs: number }
  /** After `drain`: no more will come. End when none is left. */
  | { readonly type: 'leave' }
  /** Say `unusable` if the socket of this connection, the last that was sent, has not arrived. */
  | { readonly type: 'check'; readonly id: number }
  /** Answer with `pong`: your event loop turns. */
  | { readonly type: 'ping' };

export type FromWorker = WorkerReport | { readonly type: 'ready' } | Pong | Lines;

/** Its event loop turns. */
export interface Pong {
  readonly type: 'pong';
  /** How many lines of the log would be lost if it died now. */
  readonly unprinted: number;
}

/** Lines of the log that the worker does not print itself. In order. */
export interface Lines extends Block {
  readonly type: 'lines';
}

/** What a worker says of a connection. */
export type WorkerReport =
  /** The socket of this connection arrived and is served. */
  | { readonly type: 'accepted'; readonly id: number }
  /** The connection's socket did not arrive. */
  | { readonly type: 'unusable'; readonly id: number }
  /** Not served here any more; its descriptor here is closed. Whatever else the client sent waits in the kernel. */
  | { readonly type: 'givenBack'; readonly id: number; readonly moved: Moved }
  | { readonly type: 'closed'; readonly id: number; readonly reason: CloseReason; readonly traffic: Traffic };

/** The message from the master, or `undefined` when it is none. */
export function readToWorker(message: unknown): ToWorker | undefined {
  if (!isRecord(message)) return undefined;
  switch (message['type']) {
    case 'ping':
    case 'leave':
      return message as ToWorker;
    case 'check':
      return isCount(message['id']) ? message as ToWorker : undefined;
    case 'retire':
    case 'drain':
      return isCount(message['graceMs']) ? message as ToWorker : undefined;
    case 'connection': {
      const { id, peer, moved } = message;
      const whole = isCount(id) && typeof peer === 'string' && (moved === null || isMoved(moved));
      return whole ? message as ToWorker : undefined;
    }
    default:
      return undefined;
  }
}

/** The message from a worker, or `undefined` when it is none. */
export function readFromWorker(message: unknown): FromWorker | undefined {
  if (!isRecord(message)) return undefined;
  switch (message['type']) {
    case 'ready':
      return message as FromWorker;
    case 'pong':
      return isCount(message['unprinted']) ? message as FromWorker : undefined;
    case 'lines':
      return isCount(message['lines']) && typeof message['text'] === 'string' ? message as FromWorker : undefined;
    case 'accepted':
    case 'unusable':
      return isCount(message['id']) ? message as FromWorker : undefined;
    case 'givenBack':
      return isCount(message['id']) && isMoved(message['moved']) ? message as FromWorker : undefined;
    case 'closed': {
      const { id, reason, traffic } = message;
      return isCount(id) && typeof reason === 'string' && isTraffic(traffic) ? message as FromWorker : undefined;
    }
    default:
      return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isMoved(value: unknown): value is Moved {
  return isRecord(value) && isTraffic(value['traffic']) && value['unread'] instanceof Uint8Array;
}

function isTraffic(value: unknown): value is Traffic {
  return isRecord(value) && isCount(value['messages']) && isCount(value['bytesIn']) && isCount(value['bytesOut']);
}
