// wait: which of several connections and processes are ready. Follows Python's multiprocessing.connection.wait, with a
// process itself in the place of its sentinel.
import { inspect } from 'node:util';
import { WrongUse } from '../base/errors.ts';
import { asksOnce, checkWait, watchWait } from '../base/time-limit.ts';
import type { Wait, WaitOptions } from '../base/time-limit.ts';
import { Process } from '../process/process.ts';
import { afterThis } from '../transport/turn.ts';
import { Connection } from './connection.ts';

/** Why the waits at each of them are called off once wait() has settled. Nobody gets to see it. */
const SETTLED = 'wait() has settled';

/**
 * Waits until one of them is ready, or several at once: a `Connection` at which recv would settle at once, because a
 * value is there or none will come any more, or a `Process` that has ended. Nothing is taken from them.
 * @param objects In any number. With none there is nothing to wait for, and it settles at once.
 * @param limits How long to wait, in milliseconds, or `{ timeoutMs, signal }`; 0: not at all. Without it there is no
 * limit.
 * @returns All that are ready, each once, in the order in which they were given; none when the time is up.
 * @throws {WrongUse} One of them is neither; a process was not started; a connection was passed on.
 * @throws {PipeClosed} A connection is closed on this side. @throws The signal's `reason`.
 */
export async function wait<Waitable extends Connection | Process>(
  objects: Iterable<Waitable>, limits?: Wait,
): Promise<Waitable[]> {
  const { timeoutMs, signal } = checkWait(limits);
  const all = checked(objects);
  if (all.length === 0) return [];
  const once = asksOnce(timeoutMs);
  const waits = new AbortController();
  let endWatch = (): void => {};
  try {
    return await new Promise<Waitable[]>((resolve, reject) => {
      const ready = new Set<Waitable>();
      const settle = (): void => resolve(all.filter((object) => ready.has(object)));
      const askAll = (limit: WaitOptions): void => {
        let left = all.length;
        for (const object of all) {
          untilReady(object, limit).then((isReady) => {
            left--;
            if (isReady) ready.add(object);
            // What became ready with it is to be told with it.
            if (isReady) afterThis(settle);
            else if (left === 0) settle();
          }, reject);
        }
      };
      // When the time is up, each is asked once more: what was sent before may still be on its way.
      const askOnce = (): void => askAll({ timeoutMs: 0, signal: waits.signal });
      endWatch = watchWait({ timeoutMs: once ? undefined : timeoutMs, signal }, askOnce, reject);
      if (once) askOnce();
      else askAll({ signal: waits.signal });
    });
  } finally {
    endWatch();
    waits.abort(SETTLED);
  }
}

function untilReady(object: Connection | Process, limits: WaitOptions): Promise<boolean> {
  return object instanceof Process ? object.join(limits) : object.poll(limits);
}

/** Each once. @throws {WrongUse} */
function checked<Waitable>(objects: Iterable<Waitable>): Waitable[] {
  if (typeof (objects as Iterable<Waitable> | undefined)?.[Symbol.iterator] !== 'function') {
    throw new WrongUse(`wait needs an array of connections and processes, not ${inspect(objects, { depth: 0 })}`);
  }
  const all = [...new Set(objects)];
  for (const object of all) {
    if (object instanceof Connection || object instanceof Process) continue;
    throw new WrongUse(`wait waits for connections and processes, not for ${inspect(object, { depth: 0 })}`);
  }
  return all;
}
