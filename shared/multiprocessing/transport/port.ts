// What a Channel needs of a child that Node has forked, and a forked child of Node. Used by channel.ts.
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

/** The forked child, as its parent sees it, or `process` in a forked child. */
export interface Port extends EventEmitter {
  connected: boolean;
  send?(message: unknown, socket: Socket | undefined, options: { keepOpen: boolean }, callback: () => void): boolean;
}
