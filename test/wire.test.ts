import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { fromWire, toWire } from '../shared/multiprocessing/wire.ts';

/** What the other end gets: the channel sends JSON. */
function send(item: unknown[]): unknown[] {
  return fromWire(JSON.parse(JSON.stringify(toWire(item))) as ReturnType<typeof toWire>);
}

const circle: unknown[] = [];
circle.push(circle);
let deep: unknown = 1;
for (let i = 0; i < 100; i++) deep = [deep];

describe('an item on the wire', () => {
  test('goes as JSON when JSON gives back the very same', () => {
    for (const item of [[], [1, -1.5, 'a', true, null], ['', '', '1#2', { type: 'ask', id: 7 }], [{ a: [{ b: '\ud800"\n' }] }]]) {
      assert.notEqual(typeof toWire(item), 'string');
      assert.deepEqual(send(item), item);
    }
  });

  const others: Record<string, unknown> = {
    'undefined in an array': undefined, 'an undefined property': { a: undefined }, NaN: Number.NaN, Infinity: -Infinity,
    'minus zero': -0, 'a bigint': 10n, bytes: new Uint8Array([1, 2]), 'a Map': new Map([[1, 2]]), 'a Date': new Date(0),
    'an object with toJSON data': { toJSON: 1 }, 'a hole': [1, , 3], 'a property __proto__': JSON.parse('{"__proto__":1}'),
    'an Error': new RangeError('no'), 'what holds itself': circle, 'very deep arrays': deep, 'a boxed number': Object(3),
  };
  for (const [name, value] of Object.entries(others)) {
    test(`arrives as its structured clone: ${name}`, () => {
      assert.deepEqual(send([value]), deserialize(serialize([value])));
    });
  }

  test('with a function is refused by the structured clone', () => {
    assert.throws(() => toWire([() => 1]), { name: /DataCloneError|Error/ });
  });
});
