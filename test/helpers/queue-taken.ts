// What several getters took of what several putters put. Used by the tests of Queue.
import assert from 'node:assert/strict';

/** Each getter saw `[name, i]` of each putter in order, and all of them together each once. */
export function checkTaken(
  taken: readonly (readonly [string, number][])[], putters: readonly string[], count: number,
): void {
  for (const items of taken) {
    const last = new Map<string, number>();
    for (const [name, i] of items) {
      assert.ok(i > (last.get(name) ?? -1), `${name} ${i} after ${last.get(name)}`);
      last.set(name, i);
    }
  }
  const all = taken.flat().map(([name, i]) => `${name} ${i}`).sort();
  const put = putters.flatMap((name) => Array.from({ length: count }, (_, i) => `${name} ${i}`)).sort();
  assert.deepEqual(all, put, 'each item once');
}
