// How a worker answers where that is not plainly: with a greeting, late, or only so much. Loaded by worker.ts when it
// is wanted, and asked by each EchoSession.
import type { Socket } from 'node:net';
import type { DelayedOutput } from './delayed-output.ts';

/** What can be asked for. */
export interface BehaviorOptions {
  /** What each client is sent first; as it was given, with its names in braces. */
  readonly greeting: string | undefined;
  /** How long each reply waits; 0: not at all. */
  readonly delayMs: number;
  /** After so many bytes of replies comes a FIN, or a reset; the lesser number counts. */
  readonly closeAfter: number | undefined;
  readonly resetAfter: number | undefined;
}

export interface Behavior {
  /** What this client is sent first; it may be nothing. */
  greeting(socket: Socket, peer: string): Buffer;
  /** What writes to the socket in its own time; undefined: nothing is between. */
  delay(socket: Socket): DelayedOutput | undefined;
  /** After so many bytes of replies the connection is ended; Infinity: never. */
  readonly mostReplies: number;
  /** By a reset. */
  readonly resets: boolean;
}

const NOTHING = Buffer.alloc(0);

/** @param slot What the log calls the worker. */
export async function behaviorOf(options: BehaviorOptions, slot: number): Promise<Behavior> {
  const { greeting, delayMs, closeAfter = Infinity, resetAfter = Infinity } = options;
  const greetings = greeting === undefined ? undefined : await import('./greeting.ts');
  const delays = delayMs === 0 ? undefined : await import('./delayed-output.ts');
  return {
    greeting: greetings?.greetingOf(greeting!, slot) ?? (() => NOTHING),
    delay: (socket) => delays && new delays.DelayedOutput(socket, delayMs),
    mostReplies: Math.min(closeAfter, resetAfter),
    resets: resetAfter <= closeAfter,
  };
}
