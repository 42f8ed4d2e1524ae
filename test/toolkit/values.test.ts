// Values between processes: what arrives as what it is, what is refused at the call, and that nothing is in between.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encode, decode } from '../../shared/multiprocessing/values/codec.ts';
import { Manager, NotCloneable, Pipe, Pool, Process, Queue } from '../../shared/multiprocessing/index.ts';
import { pack, unpack } from '../../shared/multiprocessing/values/packed.ts';
import { WireReader, WireWriter } from '../../shared/multiprocessing/transport/wire.ts';
import * as work from '../fixtures/foreign-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';
import { randomFrom } from '../helpers/random.ts';
import { randomValue } from '../helpers/values.ts';

const module = moduleUrl('test/fixtures/foreign-work.ts');

/** As a channel does it, without the processes. */
function throughTheWire(value: unknown): unknown {
  const writer = new WireWriter();
  const reader = new WireReader();
  writer.add([pack(value)]);
  const [items] = writer.take().map((message) => reader.read(JSON.parse(JSON.stringify(message))));
  return unpack((items as unknown[][])[0]![0] as ReturnType<typeof pack>);
}

/** In words: the reporter of the tests cannot print every value. */
function assertSame(came: unknown, expected: unknown): void {
  try {
    assert.deepStrictEqual(came, expected);
  } catch (error) {
    assert.fail((error as Error).message);
  }
}

function refused(value: unknown, why: RegExp): void {
  for (const send of [() => encode(value, 'it'), () => pack(value)]) {
    assert.throws(send, (error: Error) => {
      assert.ok(error instanceof NotCloneable, error.stack);
      assert.match(error.message, why);
      return true;
    });
  }
}

describe('a value', () => {
  for (let seed = 1; seed <= 20; seed++) {
    test(`of any sort arrives as its structured clone (seed ${seed})`, () => {
      const random = randomFrom(seed);
      for (let i = 0; i < 100; i++) {
        const value = randomValue(random);
        const clone: unknown = deserialize(serialize(value));
        assertSame(throughTheWire(value), clone);
        assertSame(decode(structuredClone(encode(value, 'it'))), clone);
      }
    });
  }

  test('of any sort arrives in another process, and comes back', DEADLINE, async (t) => {
    const random = randomFrom(77);
    const { process: child, mail } = startProcess(t, { module, target: work.echoes, args: [] });
    const values = Array.from({ length: 300 }, () => randomValue(random));
    for (const value of values) child.channel.post([value]);
    for (const value of values) assertSame(await mail.next(), deserialize(serialize([value])));
    child.channel.post('end');
    assert.deepEqual(await mail.next(), { passedOver: 0 });
  });

  test('with holes by the billion is looked at in a moment', () => {
    const sparse: unknown[] = [1];
    sparse[4e9] = { last: true };
    assert.equal((throughTheWire({ sparse }) as { sparse: unknown[] }).sparse.length, 4e9 + 1);
    sparse[3e9] = () => {};
    refused(sparse, /\["?3000000000"?\] is a function/);
  });

  test('from another realm is what it is there', () => {
    const value: unknown = runInNewContext(
      '({ list: [1, { a: new Map([[1, new Date(5)]]) }], error: new RangeError("r"), bytes: new Uint8Array(2) })',
    );
    assert.deepEqual(structuredClone(throughTheWire(value)), structuredClone(value));
  });
});

describe('refused at the call, with its place, is', () => {
  class Point {
    readonly x = 1;
  }
  class Points extends Map {}
  class List extends Array {}
  class Bytes extends Uint8Array {}
  const pool = Object.create(Pool.prototype) as Pool;

  const instances: Record<string, unknown> = {
    'a Pool': pool, 'a Process': new Process({ module, target: work.echoes, args: [] }), 'a Point': new Point(),
    'a Points': new Points(), 'a List': List.from([1]), 'a Bytes': new Bytes(2), 'a URL': new URL('http://x'),
    'a Headers': new Headers(), 'an AbortSignal': AbortSignal.abort(), 'a Blob': new Blob([]),
    'a Readable': Readable.from([]), 'a Server': createServer(), 'a Promise': Promise.resolve(1),
    'a WeakMap': new WeakMap(), 'a WeakRef': new WeakRef({}), 'a Proxy': new Proxy({}, {}),
    'an object with a prototype of its own': Object.create({ inherited: 1 }), 'a Symbol': Object(Symbol('s')),
    'a SharedArrayBuffer': new SharedArrayBuffer(1),
    'a Uint8Array in shared memory': new Uint8Array(new SharedArrayBuffer(4)),
  };
  for (const [what, value] of Object.entries(instances)) {
    test(what, () => {
      refused(value, new RegExp(`: it is ${what}, which could not be cloned as what it is$`));
      refused([{ at: value }], new RegExp(`: \\[0\\]\\.at is ${what}, which could not be cloned as what it is$`));
      refused({ map: new Map([['k', [value]]]) }, new RegExp(`: map<value>\\[0\\] is ${what}, which`));
    });
  }

  test('a function or a symbol, wherever it is', () => {
    refused(() => {}, /: it is a function$/);
    refused({ a: { 'b c': [1, () => {}] } }, /: a\["b c"\]\[1\] is a function, which could not be cloned$/);
    refused(new Set([Symbol('s')]), /: <element> is a symbol, which could not be cloned$/);
    refused({ [Symbol('s')]: 1 }, /: it has a property with the key Symbol\(s\), which could not be cloned$/);
    refused(new Map([[() => {}, 1]]), /: <key> is a function/);
    refused(Object.assign(new RangeError('e'), { work: () => {} }), /: work is a function/);
    const cause = Object.assign(new Error('inner'), { on: [new Point()] });
    refused(new Error('outer', { cause }), /: cause\.on\[0\] is a Point/);
  });

  test('what a clone would drop', () => {
    for (const length of [0, 3, 1000]) {
      const named = Object.assign(new Array(length).fill(1), { at: new (class Place {})() });
      refused(named, /: at is a Place, which could not be cloned as what it is/);
      refused({ list: named }, /: list\.at is a Place/);
      refused(Object.assign(new Array(length).fill(1), { run: () => 1 }), /: run is a function/);
    }
    refused(Object.assign(new Map(), { extra: 1 }), /: it is a Map with a property 'extra' besides/);
    refused([Object.assign(new Date(0), { zone: 'UTC' })], /: \[0\] is a Date with a property 'zone' besides/);
  });

  test('a getter that throws, and a Proxy that does', () => {
    refused({ get a() { throw new RangeError('not now'); } }, /: not now$/);
    refused([[{ get a() { throw 'text'; } }]], /: text$/);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    refused(proxy, /: it is a Proxy/);
    refused({ proxy }, /: proxy is a Proxy/);
    refused(new Proxy([], { get: () => 1e9, has: () => true }), /: it is a Proxy/);
  });

  test('a value that is nested too deeply; one that is less so arrives', () => {
    const nests: ((value: unknown) => unknown)[] = [
      (value) => [value], (value) => ({ a: value }), (value) => new Map([[1, value]]), (value) => new Map([[value, 1]]),
      (value) => new Set([value]), (value) => [0, { a: value }],
    ];
    for (const nest of nests) {
      const nested = (levels: number): unknown => {
        let value: unknown = 'core';
        for (let i = 0; i < levels; i++) value = nest(value);
        return value;
      };
      for (const levels of [1001, 3000, 100_000]) refused(nested(levels), /nested more than 1000 levels deep$/);
      throughTheWire(nested(500));
      // One that a shorter way leads to is as deep as on the way on which the clone meets it.
      const shared = nested(400);
      throughTheWire([shared, nest(shared)]);
    }
    let list: object | null = null;
    for (let i = 0; i < 1000; i++) list = { next: list };
    throughTheWire(list);
  });
});

describe('refused by the call itself, which takes nothing:', () => {
  class Secret {
    readonly x = 1;
  }

  test('a put, a send, a set, a push, a post, an argument', DEADLINE, async (t) => {
    const [queue, [one, two], manager] = [new Queue<unknown>(), Pipe<unknown>(), new Manager()];
    const [dict, list] = [manager.dict(), manager.list()];
    t.after(() => manager.shutdown());
    const value = { deep: [new Secret()] };
    for (const sent of [queue.put(value), one.send(value), dict.set('k', value), list.push(1, value)]) {
      await assert.rejects(sent, /deep\[0\] is a Secret, which could not be cloned as what it is/);
    }
    assert.deepEqual([await queue.qsize(), await two.poll(), await dict.size(), await list.length()], [0, false, 0, 0]);
    const child = new Process({ module, target: work.sendsRaw, args: [[value]] });
    assert.throws(
      () => child.start(), /^NotCloneable: argument 1 of .* cannot be sent .*: \[0\]\.deep\[0\] is a Secret/,
    );
  });

  test('a value that is too large', () => {
    const sparse = new Uint8Array(300 * 1024 * 1024); // Its pages are never touched.
    refused(
      { sparse, again: new Uint8Array(sparse.buffer, 1) },
      new RegExp(
        '^the item|^it cannot be sent to another process: '
        + 'it takes 600 MiB or more, and at most 512 MiB can be sent at once$',
      ),
    );
  });
});

test('an item that cannot be decoded rejects its own get, and the next ones come', DEADLINE, async () => {
  const bytes = (encode([null], 'it') as { bytes: Uint8Array }).bytes;
  for (const broken of [
    { bytes: Buffer.from('no clone') }, { bytes: 5 }, { bytes, references: [[['0'], { kind: 'Unheard', ref: '#1' }]] },
    { bytes, references: [[['0', 'no', 'way'], {}]] }, { bytes, references: 7 }, { bytes, errors: [[['x'], null]] },
    { bytes, errors: [[5, 5]] },
    { bytes, references: [[['__proto__', 'polluted'], { kind: 'Unheard' }]] }, {},
  ]) {
    assert.throws(() => unpack(broken as never), NotCloneable);
  }
  assert.equal('polluted' in {}, false);
  const [one, two] = Pipe<unknown>();
  await one.send('next');
  assert.equal(await two.recv(), 'next');
});
