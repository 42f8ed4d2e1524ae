// Who presses the keys of scheduler.ts: the reader at the terminal, or the program itself where there is none.
import { EventEmitter, on } from 'node:events';
import { isatty, type ReadStream } from 'node:tty';
import { RawKeys } from '../../shared/terminal/raw-keys.ts';
import { isOver } from './model.ts';
import type { State } from './model.ts';

export const ENTER = '\r';
const CTRL_C = '\x03';
/** Means nothing: it has said again what the keys do. */
const NONE = '';

export interface Reader {
  /** Whether it is a person. */
  readonly isThere: boolean;
  /** The next key for that state. */
  key(state: State): Promise<string>;
  /** The next key for a question to be answered by y or n. */
  answer(): Promise<string>;
  close(): void;
}

/** @param over Ends the waits for a key. */
export function newReader(over: AbortSignal, leave: () => void): Reader {
  const { stdin } = process;
  return isatty(0) && isatty(1) && stdin.isTTY ? new Person(stdin, over, leave) : new Automaton();
}

/** Keys that were pressed too early wait. But q and Ctrl-C are obeyed at once. */
class Person implements Reader {
  readonly isThere = true;
  readonly #keys: RawKeys;
  readonly #presses: NodeJS.AsyncIterator<unknown[]>;

  constructor(stdin: ReadStream, over: AbortSignal, leave: () => void) {
    const presses = new EventEmitter();
    this.#presses = on(presses, 'key', { signal: over });
    this.#keys = new RawKeys(stdin, {
      press: (typed) => {
        const key = typed.toLowerCase();
        if (key === 'q' || key === CTRL_C) leave();
        else presses.emit('key', key);
      },
      lost: leave,
      again: () => presses.emit('key', NONE),
    });
  }

  key(): Promise<string> {
    return this.answer();
  }

  async answer(): Promise<string> {
    const { value } = await this.#presses.next() as IteratorResult<string[], never>;
    return value[0]!;
  }

  close(): void {
    this.#keys.close();
  }
}

/** Lets one after the other go on by a step, and guesses as most people do. */
class Automaton implements Reader {
  readonly isThere = false;
  #last = -1;
  /** Those that it has chosen in vain, in order to show it. */
  #inVain = new Set<number>();

  key(state: State): Promise<string> {
    return Promise.resolve(this.#choose(state));
  }

  answer(): Promise<string> {
    return Promise.resolve('n');
  }

  close(): void {}

  #choose(state: State): string {
    if (isOver(state)) {
      this.#last = -1;
      this.#inVain.clear();
      return ENTER;
    }
    for (;;) {
      this.#last = (this.#last + 1) % state.players.length;
      const { next, isWaiting } = state.players[this.#last]!;
      if (next === undefined || (isWaiting && this.#inVain.has(this.#last))) continue;
      if (isWaiting) this.#inVain.add(this.#last);
      return String(this.#last + 1);
    }
  }
}
