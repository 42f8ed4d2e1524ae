// Hostile clients: they send and never read, or connect only to reset. Used by the fault tests and the soak.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { resetConnection } from '../../shared/reset.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'never read, ');

/** Clients that send as much as they can and never read. */
export class Deaf implements Disposable {
  readonly #sockets: Socket[];
  /** How many bytes all of them have got rid of. */
  taken = 0;
  /** How many of them the server has ended. */
  ended = 0;

  constructor(port: number, count: number) {
    this.#sockets = Array.from({ length: count }, () => {
      const socket = connect({ port, host: '127.0.0.1' }).pause();
      const pump = (): void => {
        if (!socket.destroyed) socket.write(CHUNK, (error) => {
          if (error) return;
          this.taken += CHUNK.length;
          pump();
        });
      };
      socket.on('connect', pump).on('error', () => {}).on('close', () => { this.ended++; });
      return socket;
    });
  }

  /** Settles when nothing more is taken of any of them: all that lies between them and the server's replies is full. */
  async stuck(turn: () => Promise<unknown>): Promise<void> {
    let before = -1;
    for (let quiet = 0; quiet < 50; quiet = this.taken === before ? quiet + 1 : 0) {
      before = this.taken;
      await turn();
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) resetConnection(socket);
  }
}

/**
 * Clients that connect and reset at once, so many at a time. Every second one sends something before.
 * @returns How many of them were connected.
 */
export async function connectAndReset(port: number, count: number, atATime = 200): Promise<number> {
  let left = count;
  let connected = 0;
  const one = async (): Promise<void> => {
    while (left > 0) {
      const number = left--;
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {});
      try {
        await once(socket, 'connect');
        connected++;
        if (number % 2 === 0) socket.write('gone');
      } catch {
        // Refused or reset: that is one way to be treated.
      }
      resetConnection(socket);
    }
  };
  await Promise.all(Array.from({ length: atATime }, one));
  return connected;
}
