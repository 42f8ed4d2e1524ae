// The last notices of the log, for those who watch the server. Told by the master's Log.
import type { Notice } from '../../shared/status/status.ts';

/** How many are kept. */
const MOST = 50;

export class Notices {
  #last: readonly Notice[] = [];
  #count = 0;

  /** The last ones, oldest first: another array after each new one. */
  get last(): readonly Notice[] {
    return this.#last;
  }

  /** @param fields The notice's facts: `worker` is the slot that it is about. */
  add(level: Notice['level'], event: string, text: string, fields: { readonly worker?: unknown }): void {
    const worker = typeof fields.worker === 'number' ? fields.worker : null;
    const notice = { id: ++this.#count, time: Date.now(), level, event, text, worker };
    this.#last = [...this.#last.slice(1 - MOST), notice];
  }
}
