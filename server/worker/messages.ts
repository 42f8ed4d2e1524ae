// What master and workers say to each other, over the fork channel. Sent by worker-process.ts and worker.ts. Both sides
// read what arrives by the two functions below: a message that is none of these is logged, not obeyed.
import type { Traffic } from '../../shared/log/log.ts';
import type { Block } from '../../shared/terminal/lines.ts';

export type { Traffic };

export const NO_TRAFFIC: Traffic = { messages: 0, bytesIn: 0, bytesOut: 0 };

export function plus(a: Traffic, b: Traffic): Traffic {
  return { messages: a.messages + b.messages, bytesIn: a.bytesIn + b.bytesIn, bytesOut: a.bytesOut + b.bytesOut };
}

export function minus(a: Traffic, b: Traffic): Traffic {
  return { messages: a.messages - b.messages, bytesIn: a.bytesIn - b.bytesIn, bytesOut: a.bytesOut - b.bytesOut };
}

/** What comes along with a connection that another worker has had before. */
export interface Moved {
  readonly traffic: Traffic;
  /** Received there and not answered yet. */
  readonly unread: Uint8Array;
  /** For how long its client had been silent, as --idle-timeout counts, in milliseconds. The line counts for nobody. */
  readonly silentMs: number;
  /** What has come of a PROXY protocol header that is not whole, and for how long that was waited for. */
  readonly header: Uint8Array;
  readonly headerMs: number;
  /** How many bytes of the traffic are the greeting; null: the client has not been greeted. */
  readonly greeted: number | null;
  /** Why nothing of it is in the log (`--log-probes no`); null: something is. */
  readonly probe: Probe | null;
}

/** Of a connection that an earlier worker has left as it came. */
export const UNTOUCHED: Moved = {
  traffic: NO_TRAFFIC, unread: new Uint8Array(), silentMs: 0, header: new Uint8Array(), headerMs: 0, greeted: null,
  probe: null,
};

/** Not a byte came of it yet; or it is a proxy's own check (LOCAL), whatever comes of it. */
export type Probe = 'silent' | 'local';

/** Who the client behind a proxy is, as the header says it. */
export interface ProxyClient {
  /** With its port, as the log shows it. */
  readonly peer: string;
  /** null: the header does not say it. */
  readonly host: string | null;
  /** A proxy's own check. */
  readonly isLocal: boolean;
}

/** How a connection ended, as its worker saw it. */
export type CloseReason =
  | 'client ended' // Its FIN came, and all replies were sent.
  | 'server stopping' // We sent the FIN, all replies before it.
  | 'idle' // --idle-timeout
  | '--close-after' // As asked for: we sent the FIN,
  | '--reset-after' // or the reset.
  | 'probe' // It left without a byte, or is a proxy's own check: with --log-probes no.
  | 'refused' // The master has refused it, and counted that.
  | 'not quiet in time' // The worker had to leave, and replies were still waiting for the client to read them.
  | `error ${string}`; // The system's code: ECONNRESET, EPIPE …

export type ToWorker =
  /** Serve this client; the socket comes with the message. */
  | {
    readonly type: 'connection';
    readonly id: number;
    readonly peer: string;
    /** A PROXY protocol header, or the rest of one, is yet to come. */
    readonly proxy: boolean;
    readonly moved: Moved | null;
  }
  /** After `client`: whether it is served, or closed. */
  | { readonly type: 'verdict'; readonly id: number; readonly admitted: boolean }
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
  /** How many lines of the log would be lost if it died now, and how many it had no room for since it began. */
  readonly unprinted: number;
  readonly dropped: number;
  /** What it has seen since it began, without what connections brought along from other workers. */
  readonly traffic: Traffic;
}

/** Lines of the log that the worker does not print itself. In order. */
export interface Lines extends Block {
  readonly type: 'lines';
}

/** What a worker says of a connection. */
export type WorkerReport =
  /** The socket of this connection arrived and is served. */
  | { readonly type: 'accepted'; readonly id: number }
  /** Its PROXY protocol header is whole. Nothing is answered before the verdict: the master knows whose it is. */
  | ProxyClient & { readonly type: 'client'; readonly id: number }
  /** Closed: nobody knows what its bytes are. `kind` is one of few, `reason` a clause. */
  | { readonly type: 'badHeader'; readonly id: number; readonly kind: string; readonly reason: string }
  /** The connection's socket did not arrive. */
  | { readonly type: 'unusable'; readonly id: number }
  /** Not served here any more; its descriptor here is closed. Whatever else the client sent waits in the kernel. */
  | { readonly type: 'givenBack'; readonly id: number; readonly moved: Moved }
  | { readonly type: 'closed'; readonly id: number; readonly reason: CloseReason; readonly traffic: Traffic };

/**
 * What is said of every connection travels as an array, which is written, read and carried in half the time: a new one
 * to its worker; back, with a number that tells which it is, `accepted` and `closed`.
 */
export type Connection = readonly [id: number, peer: string, proxy: boolean, moved: Moved | null];
export type Accepted = readonly [what: typeof ACCEPTED, id: number];
export type Closed = readonly [
  what: typeof CLOSED, id: number, messages: number, bytesIn: number, bytesOut: number, reason: CloseReason,
];
export const ACCEPTED = 1;
export const CLOSED = 2;

/** All others travel as they are. */
export type OtherToWorker = Exclude<ToWorker, { readonly type: 'connection' }>;
export type OtherFromWorker = Exclude<FromWorker, { readonly type: 'accepted' | 'closed' }>;

/** The message from the master, or `undefined` when it is none. */
export function readToWorker(message: unknown): ToWorker | undefined {
  if (Array.isArray(message)) return readConnection(message);
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
    case 'verdict':
      return isCount(message['id']) && typeof message['admitted'] === 'boolean' ? message as ToWorker : undefined;
    default:
      return undefined;
  }
}

/** The message from a worker, or `undefined` when it is none. */
export function readFromWorker(message: unknown): FromWorker | undefined {
  if (Array.isArray(message)) return message[0] === ACCEPTED ? readAccepted(message) : readClosed(message);
  if (!isRecord(message)) return undefined;
  switch (message['type']) {
    case 'ready':
      return message as FromWorker;
    case 'pong': {
      const { unprinted, dropped, traffic } = message;
      return isCount(unprinted) && isCount(dropped) && isTraffic(traffic) ? message as FromWorker : undefined;
    }
    case 'lines':
      return isCount(message['lines']) && typeof message['text'] === 'string' ? message as FromWorker : undefined;
    case 'unusable':
      return isCount(message['id']) ? message as FromWorker : undefined;
    case 'givenBack':
      return isCount(message['id']) && isMoved(message['moved']) ? message as FromWorker : undefined;
    case 'client': {
      const { id, peer, host, isLocal } = message;
      const whole = isCount(id) && typeof peer === 'string' && typeof isLocal === 'boolean';
      return whole && (host === null || typeof host === 'string') ? message as FromWorker : undefined;
    }
    case 'badHeader': {
      const { id, kind, reason } = message;
      const whole = isCount(id) && typeof kind === 'string' && typeof reason === 'string';
      return whole ? message as FromWorker : undefined;
    }
    default:
      return undefined;
  }
}

function readConnection([id, peer, proxy, moved, more]: readonly unknown[]): ToWorker | undefined {
  const whole = isCount(id) && typeof peer === 'string' && typeof proxy === 'boolean' && more === undefined;
  return whole && (moved === null || isMoved(moved)) ? { type: 'connection', id, peer, proxy, moved } : undefined;
}

function readAccepted([, id, more]: readonly unknown[]): FromWorker | undefined {
  return isCount(id) && more === undefined ? { type: 'accepted', id } : undefined;
}

function readClosed([what, id, messages, bytesIn, bytesOut, reason, more]: readonly unknown[]): FromWorker | undefined {
  const whole = what === CLOSED && isCount(id) && typeof reason === 'string'
    && isCount(messages) && isCount(bytesIn) && isCount(bytesOut) && more === undefined;
  if (!whole) return undefined;
  return { type: 'closed', id, reason: reason as CloseReason, traffic: { messages, bytesIn, bytesOut } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isMoved(value: unknown): value is Moved {
  if (!isRecord(value)) return false;
  const { traffic, unread, silentMs, header, headerMs, greeted, probe } = value;
  return isTraffic(traffic) && unread instanceof Uint8Array && header instanceof Uint8Array
    && isCount(silentMs) && isCount(headerMs)
    && (greeted === null || isCount(greeted)) && (probe === null || probe === 'silent' || probe === 'local');
}

function isTraffic(value: unknown): value is Traffic {
  return isRecord(value) && isCount(value['messages']) && isCount(value['bytesIn']) && isCount(value['bytesOut']);
}
