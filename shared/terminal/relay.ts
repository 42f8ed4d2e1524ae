// Writes to a descriptor on which a write may block and cannot be given up: a process of its own does it, and is ended
// when the rest is not wanted any more. Made by output.ts; the process runs relay-entry.ts.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { codeOf } from '../errors.ts';
import type { Outcome, Output } from './output.ts';

/**
 * From the relay: how much of the last bytes is written, and up to where it writes next, which it begins only when that
 * is said; at the end what stopped the rest.
 */
export type FromRelay =
  | { readonly type: 'begins'; readonly written: number; readonly upTo: number }
  | { readonly type: 'done'; readonly written: number; readonly error: string | null };

/** The relay's descriptor: not one of the standard three, whose flags Node and libuv change. */
export const RELAY_FD = 4;
/** The error's code when the relay has ended by itself, or could not be started. The next one may do better. */
export const RELAY_LOST = 'ERR_ECHOPOOL_RELAY';

const SOURCE = import.meta.url.endsWith('.ts');
const ENTRY = new URL(SOURCE ? './relay-entry.ts' : './relay-entry.js', import.meta.url);

export class RelayOutput implements Output {
  readonly isRelayed = true;
  readonly #fd: number;
  #relay: ChildProcess | undefined;
  #written = 0;
  /** Up to where it has begun to write. */
  #begun = 0;
  #settle: ((error?: unknown) => void) | undefined;
  #ended = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async writeAll(bytes: Uint8Array): Promise<Outcome> {
    if (this.#ended) return { written: 0 };
    const relay = this.#relay ??= this.#start();
    this.#written = this.#begun = 0;
    relay.ref();
    relay.channel?.ref();
    const error = await new Promise((resolve) => {
      this.#settle = resolve;
      // Whether it has arrived is told by the answer, or by the end of the relay.
      if (relay.connected) relay.send(bytes, () => {});
    });
    this.#settle = undefined;
    relay.unref();
    relay.channel?.unref();
    const written = this.#written;
    if (error === undefined) return { written };
    return codeOf(error) === RELAY_LOST ? { written, perhaps: this.#begun, error } : { written, error };
  }

  /** What it has begun is not written: its writes are small, and one that waits for its reader has written nothing. */
  stop(): void {
    if (this.#settle !== undefined) this.#relay?.kill('SIGKILL');
  }

  end(): void {
    this.#ended = true;
    this.#relay?.kill('SIGKILL');
  }

  #start(): ChildProcess {
    const relay = fork(ENTRY, [], {
      // It does not get our flags, such as --inspect; only a source needs those that load it.
      execArgv: SOURCE ? process.execArgv : [],
      // A group of its own: what the terminal sends to ours is not meant for it.
      detached: true, serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc', this.#fd],
    });
    let stopped = false;
    relay.on('message', (message: FromRelay) => {
      this.#written = this.#begun = message.written;
      if (message.type === 'begins') this.#begun = message.upTo;
      if (message.type !== 'done') return;
      const { error } = message;
      this.#settle?.(error === null ? undefined : withCode(error, error));
    });
    const gone = (reason: string): void => {
      if (stopped) return;
      stopped = true;
      if (this.#relay === relay) this.#relay = undefined;
      this.#settle?.(relay.killed ? undefined : withCode(reason, RELAY_LOST));
    };
    // All that it has said comes before the end of its channel.
    relay.on('disconnect', () => gone('the process that writes to the terminal has ended'));
    relay.on('error', ({ message }) => {
      if (relay.pid === undefined) gone(`the process that writes to the terminal could not be started: ${message}`);
    });
    return relay;
  }
}

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
