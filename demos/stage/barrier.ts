// A barrier: nobody goes on before all are there. Follows Python's multiprocessing.Barrier. Built on a Manager's dict.
//
// A race that shows by luck teaches nothing on the day it does not show. So where a program reads, and later writes
// what it made of that, the demos let all processes read before the first one writes.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DictProxy, Manager } from '../../shared/multiprocessing/index.ts';

/** Plain data with a proxy in it, so that it can be an argument of a Process. */
export interface Barrier {
  /** How many there must be. With 1 nobody waits. */
  readonly parties: number;
  readonly counts: DictProxy<number>;
}

/** After this long somebody must have died, in milliseconds. */
const DEADLINE_MS = 60_000;

export function newBarrier(manager: Manager, parties: number): Barrier {
  return { parties, counts: manager.dict<number>() };
}

/** Waits until `parties` have called this; then the next round begins. @throws After a minute. */
export async function meet({ parties, counts }: Barrier): Promise<void> {
  const place = await counts.increment('arrived');
  const wanted = Math.ceil(place / parties) * parties;
  const deadline = Date.now() + DEADLINE_MS;
  for (let arrived = place; arrived < wanted; arrived = await counts.get('arrived') ?? 0) {
    if (Date.now() > deadline) throw new Error(`only ${arrived} of ${wanted} came to the barrier`);
    await sleep(1);
  }
}
