// @ts-check
// What the server is like at each moment of the last two minutes: made from the frames of /events, kept, and looked at
// by whoever pauses and steps back. Pure. Used by page.js.
import { narrate } from './sentences.js';

/** @typedef {import('../../../shared/status/status.ts').Status} Status */
/** @typedef {import('../../../shared/status/status.ts').Change} Change */
/** @typedef {import('../../../shared/status/status.ts').ConnectionStatus} Connection */
/** @typedef {import('./sentences.js').Sentence} Sentence */

/**
 * A moment.
 * @typedef {object} Frame
 * @property {number} seq Counts them.
 * @property {Status} status
 * @property {readonly number[]} cutOff The connections that were cut off since the one before.
 * @property {Sentence | undefined} said What happened last, for somebody who watches.
 */

/** So long are frames kept, in milliseconds of the server's clock, and so many of them. */
export const KEPT_MS = 120_000;
export const MOST_FRAMES = 1300;
/** As many as a status has. */
const MOST_NOTICES = 50;
/** What matters is not replaced by everyday news before that, in milliseconds. */
const IMPORTANT_FOR_MS = 8000;

/**
 * The status after a change. Neither is touched, and what has not changed is shared.
 * @param {Status} status
 * @param {Change} change
 * @returns {Status}
 */
export function apply(status, change) {
  const { moved, ended, notices, connections = status.connections, ...values } = change;
  return {
    ...status, ...values,
    uptimeMs: change.now - (values.startedAt ?? status.startedAt),
    connections: connections !== null && (moved || ended) ? merge(connections, moved, ended) : connections,
    notices: notices ? [...status.notices, ...notices].slice(-MOST_NOTICES) : status.notices,
  };
}

/**
 * @param {readonly Connection[]} connections
 * @param {Change['moved']} moved
 * @param {Change['ended']} ended
 * @returns {readonly Connection[]} By number.
 */
function merge(connections, moved = [], ended = []) {
  const byId = new Map(connections.map((connection) => [connection.id, connection]));
  for (const connection of moved) byId.set(connection.id, connection);
  for (const { id } of ended) byId.delete(id);
  return [...byId.values()].sort((a, b) => a.id - b.id);
}

/** The last two minutes, in bounded memory. */
export class History {
  /** @type {Frame[]} */
  #frames = [];
  #count = 0;

  /** @returns {Frame | undefined} */
  get first() {
    return this.#frames[0];
  }

  /** @returns {Frame | undefined} */
  get last() {
    return this.#frames.at(-1);
  }

  get length() {
    return this.#frames.length;
  }

  /**
   * The server's whole status: at first, and whenever the thread was lost.
   * @param {Status} status
   */
  begin(status) {
    // Another server, or the same one after a while: what is new in it did not happen just now.
    this.#push({ seq: ++this.#count, status, cutOff: [], said: undefined });
  }

  /**
   * @param {Change} change
   * @returns {boolean} False: there is no status yet that it could be a change of.
   */
  follow(change) {
    const before = this.last;
    if (before === undefined) return false;
    const status = apply(before.status, change);
    const cutOff = (change.ended ?? []).filter((end) => end.cutOff).map(({ id }) => id);
    const said = later(before.said, narrate(before.status, status, change));
    this.#push({ seq: ++this.#count, status, cutOff, said });
    return true;
  }

  /**
   * The frame of that number, or the one nearest to it that is still here.
   * @param {number} seq
   * @returns {Frame | undefined}
   */
  at(seq) {
    if (this.first === undefined) return undefined;
    const index = Math.min(Math.max(seq - this.first.seq, 0), this.length - 1);
    return this.#frames[index];
  }

  /**
   * Who was cut off between two moments: after the one, up to and with the other.
   * @param {number} from
   * @param {number} to
   * @returns {Set<number>}
   */
  cutOffBetween(from, to) {
    const first = this.first?.seq ?? 0;
    const frames = this.#frames.slice(Math.max(from + 1 - first, 0), Math.max(to + 1 - first, 0));
    return new Set(frames.flatMap(({ cutOff }) => cutOff));
  }

  /**
   * What was at each second of the minute before a moment, oldest first.
   * @template T
   * @param {number} seq
   * @param {(status: Status) => T} look
   * @returns {T[]}
   */
  minuteBefore(seq, look) {
    const end = this.at(seq);
    if (end === undefined) return [];
    const found = [];
    let index = end.seq - /** @type {Frame} */ (this.first).seq;
    for (let second = 0; second < 60; second++) {
      const time = end.status.now - 1000 * second;
      while (index >= 0 && /** @type {Frame} */ (this.#frames[index]).status.now > time) index--;
      const frame = this.#frames[index];
      if (frame === undefined) break;
      found.unshift(look(frame.status));
    }
    return found;
  }

  /** @param {Frame} frame */
  #push(frame) {
    this.#frames.push(frame);
    const oldest = frame.status.now - KEPT_MS;
    let old = Math.max(this.length - MOST_FRAMES, 0);
    while (old < this.length - 1 && /** @type {Frame} */ (this.#frames[old]).status.now < oldest) old++;
    if (old > 0) this.#frames.splice(0, old);
  }
}

/**
 * @param {Sentence | undefined} before
 * @param {Sentence | undefined} now
 * @returns {Sentence | undefined} What is to be read now.
 */
function later(before, now) {
  if (now === undefined) return before;
  if (before?.isImportant && !now.isImportant && now.time - before.time < IMPORTANT_FOR_MS) return before;
  return now;
}
