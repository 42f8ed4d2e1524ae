// The messages of one Queue: between the owner (queue-owner.ts), in the process that made the queue, and the client that
// each process has (queue-client.ts). Both ways they arrive in the order in which they were sent. Whatever else comes is
// none of ours: the readers say so, and it is ignored.
import { ticketsOf } from './codec.ts';
import type { Death } from './errors.ts';
import { encodedPart, sizeOf } from './queue-item.ts';
import type { Item } from './queue-item.ts';

/** From a client. `id` names a put or a get that waits there; `now` says that it wants its answer at once. */
export type ToOwner =
  | { readonly type: 'here' } // This process has the queue, and speaks for itself.
  | { readonly type: 'gone' } // It has nothing of it any more, and is not waiting: it speaks again if it gets it again.
  // So many more items of other queues, which are kept in this process, have this queue in them.
  | { readonly type: 'kept'; readonly more: number }
  | { readonly type: 'put'; readonly id: number; readonly now: boolean; readonly item: Item } // Answered.
  | { readonly type: 'withdraw put'; readonly id: number } // Answered, unless it has been.
  | { readonly type: 'puts'; readonly items: readonly Item[] } // Into a queue without a bound.
  // `ahead`: so many more could be used at once. `taken`, `done`: as in `used`.
  | { readonly type: 'get'; readonly id: number; readonly now: boolean; readonly ahead: number;
    readonly taken: number; readonly done: number; }
  // Answered, unless it has been. `aborted`: nothing must come for it any more.
  | { readonly type: 'withdraw get'; readonly id: number; readonly aborted: boolean }
  // Since the last such word: gets took so many that had come ahead, and so many of all are done.
  | { readonly type: 'used'; readonly taken: number; readonly done: number }
  | { readonly type: 'back'; readonly count: number } // The last so many of what was sent, all that is unused.
  | { readonly type: 'idle' } // To a probe: no get waits here.
  | { readonly type: 'left' } // The target has ended: what is put stays put, and nobody may wait for my gets.
  | { readonly type: 'query'; readonly id: number; readonly about: 'size' | 'end of work' }
  | { readonly type: 'withdraw join'; readonly id: number } // Answered, unless it has been.
  | { readonly type: 'close' }
  | { readonly type: 'sealed' }; // To `closed`: no more puts will come from me.

/** To a client. */
export type FromOwner =
  | { readonly type: 'accepted'; readonly id: number } // That put.
  | { readonly type: 'arrived'; readonly count: number } // So many items, in a queue without a bound; 0: begin.
  | { readonly type: 'full'; readonly id: number } // That put, which would not wait longer, is not in the queue.
  | { readonly type: 'items'; readonly id: number; readonly items: readonly Item[] } // For that get, and some ahead.
  | { readonly type: 'empty'; readonly id: number } // To a get that would not wait longer.
  | { readonly type: 'recall' } // Others need what came ahead.
  | { readonly type: 'probe' } // Others wait for items that came back from you. Does nobody there want them?
  | { readonly type: 'deadlocked'; readonly side: 'put' | 'get'; readonly id: number; readonly death: Death }
  | { readonly type: 'closed' } // No more puts.
  | { readonly type: 'drained'; readonly id: number } // Closed, and nothing is left for that get.
  | { readonly type: 'answer'; readonly id: number; readonly value: number }
  | { readonly type: 'abandoned'; readonly id: number; readonly unfinished: number; readonly death: Death };

type Check = (value: unknown) => boolean;
type Checks<Message extends { readonly type: string }> = {
  readonly [Type in Message['type']]: Readonly<Record<Exclude<keyof Extract<Message, { type: Type }>, 'type'>, Check>>;
};

const count: Check = (value) => Number.isSafeInteger(value) && value as number >= 0;
const whole: Check = (value) => Number.isSafeInteger(value);
const flag: Check = (value) => typeof value === 'boolean';
const items: Check = (value) => Array.isArray(value) && value.every(isItem);
const death: Check = (value) => {
  if (typeof value !== 'object' || value === null) return false;
  const { address, name, exitCode } = value as Death;
  return typeof address === 'string' && typeof name === 'string' && Number.isInteger(exitCode);
};

const TO_OWNER: Checks<ToOwner> = {
  'here': {}, 'gone': {}, 'kept': { more: whole },
  'put': { id: count, now: flag, item: isItem }, 'withdraw put': { id: count }, 'puts': { items },
  'get': { id: count, now: flag, ahead: count, taken: count, done: count },
  'withdraw get': { id: count, aborted: flag }, 'used': { taken: count, done: count }, 'back': { count },
  'idle': {}, 'left': {}, 'query': { id: count, about: (value) => value === 'size' || value === 'end of work' },
  'withdraw join': { id: count }, 'close': {}, 'sealed': {},
};

const FROM_OWNER: Checks<FromOwner> = {
  'accepted': { id: count }, 'arrived': { count }, 'full': { id: count },
  'items': { id: count, items: (value) => items(value) && (value as unknown[]).length > 0 }, 'empty': { id: count },
  'recall': {}, 'probe': {}, 'deadlocked': { side: (value) => value === 'put' || value === 'get', id: count, death },
  'closed': {}, 'drained': { id: count }, 'answer': { id: count, value: count },
  'abandoned': { id: count, unfinished: count, death },
};

/** What came from a client; undefined when it is no such message. */
export function readToOwner(message: unknown): ToOwner | undefined {
  return isOneOf(TO_OWNER, message) ? message as ToOwner : undefined;
}

/** What came from the owner; undefined when it is no such message. */
export function readFromOwner(message: unknown): FromOwner | undefined {
  return isOneOf(FROM_OWNER, message) ? message as FromOwner : undefined;
}

function isOneOf(kinds: Readonly<Record<string, Readonly<Record<string, Check>>>>, message: unknown): boolean {
  if (typeof message !== 'object' || message === null) return false;
  const parts = message as Record<string, unknown>;
  if (typeof parts['type'] !== 'string' || !Object.hasOwn(kinds, parts['type'])) return false;
  const checks = kinds[parts['type']]!;
  for (const key in checks) if (!checks[key]!(parts[key])) return false;
  return true;
}

/** Whether it can be kept and sent on. What is in it, and whether that can be decoded, is for the get that takes it. */
function isItem(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function' && typeof value !== 'symbol';
  try {
    const item = value as Item;
    if (!Number.isFinite(sizeOf(item))) return false;
    return ticketsOf(encodedPart(item)).every(({ kind, ref }) => typeof kind === 'string' && typeof ref === 'string');
  } catch {
    return false;
  }
}
