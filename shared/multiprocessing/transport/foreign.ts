// Tells of messages that came over a fork channel and are of no use: once for those that are none of the toolkit's, and
// now and then for those of its own that could not be read, which are a fault. Used by channel.ts.
import type { SendHandle } from 'node:child_process';
import { inspect } from 'node:util';
import { messageOf } from '../base/errors.ts';

/** So long may a message be in the warning, in characters. */
const MOST_SHOWN = 100;

let foreign = 0;
let unreadable = 0;

/** Says of the first such message what it was. */
export function tellForeign(message: unknown): void {
  if (isFromWatchMode(message) || ++foreign > 1) return;
  const shown = inspect(message, { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: MOST_SHOWN });
  process.emitWarning(
    "a message that is none of the toolkit's came over a channel between processes and is passed over: "
      + shown.slice(0, MOST_SHOWN),
    { type: 'EchopoolWarning', code: 'ECHOPOOL_FOREIGN_MESSAGE', detail: 'Others like it are counted, and not told.' },
  );
}

/** Says so for the 1st, the 10th, the 100th … */
export function tellUnreadable(error: unknown): void {
  if (!/^10*$/.test(`${++unreadable}`)) return;
  const detail = error instanceof Error ? error.stack ?? '' : '';
  const others = unreadable === 1 ? '' : ` (it is number ${unreadable})`;
  process.emitWarning(
    `a message of the toolkit cannot be read and is passed over: ${messageOf(error)}${others}`,
    { type: 'EchopoolWarning', code: 'ECHOPOOL_UNREADABLE_MESSAGE', detail },
  );
}

/** In every child of a program under `node --watch` Node itself sends such messages, one a file; nobody misses them. */
function isFromWatchMode(message: unknown): boolean {
  return typeof message === 'object' && message !== null && Object.keys(message)[0]?.startsWith('watch:') === true;
}

/** Closes what came with such a message: nobody will have it. */
export function closeUnheard(handle: SendHandle | undefined): void {
  if (handle === undefined) return;
  if ('destroy' in handle) handle.destroy();
  else handle.close();
}
