// The kinds of primitives that may come in a value, and what each needs here. A forked process loads only what its
// target imports, as each file costs its start a millisecond; but a primitive may come to it as an argument, and must
// find its file.
import { kindsMissing } from './values/codec.ts';
import type { Encoded } from './values/codec.ts';

const loadLock = (): Promise<unknown> => import('./lock/lock.ts');
const loadEvent = (): Promise<unknown> => import('./synchronize/event.ts');
const loadSemaphore = (): Promise<unknown> => import('./synchronize/semaphore.ts');
const loadBarrier = (): Promise<unknown> => import('./synchronize/barrier.ts');
/** What values come out of: any kind may come with a later one, and then there is no time to load it. */
const loadAll = (): Promise<unknown> => Promise.all([
  loadLock(), import('./queue/joinable-queue.ts'), import('./pipe/pipe.ts'), import('./manager/manager.ts'),
  loadEvent(), loadSemaphore(), loadBarrier(),
]);

const KINDS: Readonly<Record<string, () => Promise<unknown>>> = {
  Lock: loadLock, Event: loadEvent, Semaphore: loadSemaphore, Barrier: loadBarrier,
  Queue: loadAll, JoinableQueue: loadAll, Connection: loadAll, DictProxy: loadAll, ListProxy: loadAll,
};

/** Loads what the primitives in these values need to come to life. A kind that is none of ours stays unknown. */
export async function loadKindsIn(values: readonly Encoded[]): Promise<void> {
  for (const kind of values.flatMap(kindsMissing)) if (Object.hasOwn(KINDS, kind)) await KINDS[kind]!();
}
