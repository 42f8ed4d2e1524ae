// The wire: what a batch of items becomes on its way, what comes out of it, and what comes out of anything else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { NotCloneable } from '../../shared/multiprocessing/base/errors.ts';
import { WireReader, WireWriter } from '../../shared/multiprocessing/transport/wire.ts';
import type { Message } from '../../shared/multiprocessing/transport/wire.ts';

function write(items: unknown[][], writer = new WireWriter()): Message[] {
  for (const item of items) writer.add(item);
  return writer.take();
}

/** What the other end reads: the channel sends JSON. */
function read(messages: unknown[], reader = new WireReader()): (unknown[] | undefined)[] {
  return messages.flatMap((message) => reader.read(JSON.parse(JSON.stringify(message))));
}

function send(item: unknown[]): unknown {
  return read(write([item]))[0];
}

const circle: unknown[] = [];
circle.push(circle);
let deep: unknown = 1;
for (let i = 0; i < 100; i++) deep = [deep];

describe('an item on the wire', () => {
  test('goes as JSON when JSON gives back the very same', () => {
    for (const item of [
      [], [1, -1.5, 'a', true, null], ['', '', '1#2', { type: 'ask', id: 7 }], [{ a: [{ b: '\ud800"\n' }] }],
    ]) {
      assert.equal(write([item])[0]![1], item);
      assert.deepEqual(send(item), item);
    }
  });

  const others: Record<string, unknown> = {
    'undefined in an array': undefined, 'an undefined property': { a: undefined }, NaN: Number.NaN, Infinity: -Infinity,
    'minus zero': -0, 'a bigint': 10n, bytes: new Uint8Array([1, 2]), 'a Map': new Map([[1, 2]]), 'a Date': new Date(0),
    'an object with toJSON data': { toJSON: 1 }, 'a hole': [1, , 3],
    'a property __proto__': JSON.parse('{"__proto__":1}'), 'an Error': new RangeError('no'),
    'what holds itself': circle, 'very deep arrays': deep, 'a boxed number': Object(3),
  };
  for (const [name, value] of Object.entries(others)) {
    test(`arrives as its structured clone: ${name}`, () => {
      assert.deepEqual(send([value]), deserialize(serialize([value])));
    });
  }

  test('with a function is refused by the structured clone, and the others are not', () => {
    const writer = new WireWriter();
    writer.add([1]);
    assert.throws(() => writer.add([() => 1]), /could not be cloned/);
    writer.add([2]);
    assert.deepEqual(read(writer.take()), [[1], [2]]);
    assert.ok(writer.isEmpty);
  });
});

describe('items on the wire', () => {
  const LIMITS = { item: 4000, part: 300, batch: 1000 };
  const clone = (length: number): unknown[] => [new Uint8Array(length).fill(7)];

  test('share a message until it is full, by their number and by their size', () => {
    const writer = new WireWriter(LIMITS);
    assert.equal(writer.add(['a']), false);
    assert.equal(writer.add(['b'.repeat(200)]), false);
    assert.equal(write([], writer).length, 1);
    const items = Array.from({ length: 40 }, (_, i) => i % 2 === 0 ? ['x'.repeat(100 + i)] : clone(100 + i));
    const messages = write(items, writer);
    assert.ok(messages.length > 3 && messages.length < 20, `${messages.length} messages`);
    for (const message of messages) assert.ok(JSON.stringify(message).length < 1.2 * LIMITS.batch);
    assert.deepEqual(read(messages), items);
    const many = new WireWriter();
    let full = 0;
    for (let i = 0; i < 1024; i++) if (many.add([i])) full++, many.take();
    assert.equal(full, 2);
  });

  test('that are large travel in parts, between others, in order', () => {
    const writer = new WireWriter(LIMITS);
    const items = [['before'], clone(2000), ['between'], ['a text '.repeat(200)], clone(299), clone(3900), ['after']];
    const messages = write(items, writer);
    assert.ok(messages.length > 20, `${messages.length} messages`);
    for (const message of messages) assert.ok(JSON.stringify(message).length < 1.2 * LIMITS.batch);
    assert.deepEqual(read(messages), items);
  });

  test('that are too large are refused, and the others are not', () => {
    const writer = new WireWriter(LIMITS);
    writer.add(['before']);
    assert.throws(() => writer.add(clone(4000)), (error: Error) => {
      assert.ok(error instanceof NotCloneable);
      assert.match(error.message, /^a message of 3.9 KiB cannot be sent to another process: at most 3.9 KiB can$/);
      return true;
    });
    writer.add(['after']);
    assert.deepEqual(read(writer.take()), [['before'], ['after']]);
  });

  test('are not made of what somebody else sends', () => {
    const ours = { echopool: 1 };
    for (const message of [
      'ready', '', 0, null, true, {}, [], [1, 2], [[1, 2]], { 'watch:require': ['file'] }, [{}],
      [{ echopool: 2 }, [1]], [null],
      [{ ...ours, part: 1 }, 'AAAA'], [{ ...ours, part: [0] }, ''], [{ ...ours, part: ['0', 2] }, ''],
      [{ ...ours, part: [1, 2] }, 'AAAA'], [{ ...ours, part: [0, 2] }, [1]], [{ ...ours, part: [0, 1] }, 'no clone'],
      [ours, 5], [ours, null], [ours, {}], [ours, 'no clone'], [ours, '/wNvIgFhSQJ7AQ=='],
      [ours, Buffer.from(serialize(5)).toString('base64')],
    ]) {
      assert.deepEqual(read([message]), [undefined], JSON.stringify(message));
    }
  });

  test('are read beside some that cannot be', () => {
    const [message] = write([['one'], [new Map([[1, 2]])]]);
    assert.deepEqual(read([[...message!, 'no clone', 7]]), [['one'], [new Map([[1, 2]])], undefined, undefined]);
  });

  test('in parts come whole when a foreign part comes between', () => {
    const messages = write([clone(1000)], new WireWriter(LIMITS));
    const reader = new WireReader();
    const foreign = [{ echopool: 1, part: [7, 9] }, 'AAAA'];
    const items = read(messages.flatMap((message) => [message, foreign]), reader);
    assert.deepEqual(items.filter((item) => item !== undefined), [clone(1000)]);
    assert.deepEqual(read(write([['next']]), reader), [['next']]);
  });
});
