// What is chosen at random for a dispatcher. Used by dispatcher-model.test.ts and dispatcher-hasty.test.ts.
import assert from 'node:assert/strict';
import type { Setup } from './dispatcher-model.ts';

export function oneOf<T>(random: () => number, choices: readonly T[]): T {
  assert.ok(choices.length > 0);
  return choices[Math.floor(random() * choices.length)] as T;
}

export function randomSetup(random: () => number): Setup {
  const limit = oneOf(random, [undefined, 1, 2, 5]);
  return {
    poolSize: oneOf(random, [1, 2, 3]),
    waitingLimit: oneOf(random, [0, 1, 4, 20]),
    ...(limit === undefined ? {} : { connectionsPerWorker: limit }),
    offersInFlight: oneOf(random, [1, 1, 2, 3]),
    onCrash: oneOf(random, ['reset', 'adopt']),
    workers: Infinity,
    connections: Infinity,
  };
}
