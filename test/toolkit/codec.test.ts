// Values on their way to another process: what comes out of the codec is what a structured clone gives, and primitives
// come out as what stands for them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotCloneable } from '../../shared/multiprocessing/index.ts';
import {
  decode, defineKind, encode, prepare, referencesIn, TRANSFER,
} from '../../shared/multiprocessing/values/codec.ts';
import type { Reference, Transferable } from '../../shared/multiprocessing/values/codec.ts';
import { copyPlain, NOT_PLAIN } from '../../shared/multiprocessing/values/plain.ts';

let journeys = 0;

class Thing implements Transferable {
  readonly ref: string;

  constructor(ref: string) {
    this.ref = ref;
  }

  [TRANSFER](): Reference {
    journeys++;
    return { kind: 'TestThing', ref: this.ref, detail: journeys };
  }
}

defineKind('TestThing', ({ ref }) => new Thing(ref));

function throughTheWire(value: unknown): unknown {
  return decode(structuredClone(encode(value, 'the value')));
}

describe('the codec', () => {
  test('gives what a structured clone gives', () => {
    const shared = { shared: true };
    const cycle: Record<string, unknown> = { first: shared, second: shared };
    cycle['itself'] = cycle;
    const sparse = Object.assign([1], { 2: 3 });
    for (const value of [
      7, -0, NaN, 10n ** 30n, 'ß\u{1F600}', true, null, undefined, new Date(0), /x/gi,
      new Map([[{ a: 1 }, new Set([1])]]),
      new Float64Array([1, 2]), Buffer.from('bytes'), new ArrayBuffer(3), [undefined, null], sparse, cycle, {}, [],
      JSON.parse('{"__proto__": {"polluted": true}}'), new RangeError('an error'),
    ]) {
      assert.deepEqual(throughTheWire(value), value);
    }
    const back = throughTheWire(cycle) as typeof cycle;
    assert.equal(back['itself'], back);
    assert.equal(back['first'], back['second']);
    assert.equal(1 in (throughTheWire(sparse) as unknown[]), false);
    assert.ok(Buffer.isBuffer(throughTheWire(Buffer.from('bytes'))));
  });

  test('clones at once, and afresh each time', () => {
    const value = { list: [1] };
    const encoded = encode(value, 'the value');
    value.list.push(2);
    const first = decode(encoded) as typeof value;
    assert.deepEqual(first, { list: [1] });
    first.list.push(3);
    assert.deepEqual(decode(encoded), { list: [1] });
  });

  test('lets primitives travel wherever they stand in arrays and objects', () => {
    const [one, two] = [new Thing('one'), new Thing('two')];
    const around = { one };
    const value = JSON.parse('{"__proto__": {"a": 1}, "list": [0, 1, 2]}') as Record<string, unknown>;
    Object.assign(value, {
      around, again: around, deep: [[{ two }]], box: Object.assign(Object.create(null), { two }),
      map: new Map([[1, 2]]),
    });
    value['itself'] = value;
    (value['list'] as unknown[])[5] = one;
    const encoded = encode(value, 'the value');
    assert.deepEqual(referencesIn(encoded).map(({ ref }) => ref).sort(), ['one', 'one', 'two', 'two']);
    const back = decode(structuredClone(encoded)) as typeof value;
    assert.ok((back['around'] as typeof around).one instanceof Thing);
    assert.equal((back['around'] as typeof around).one.ref, 'one');
    assert.equal(back['again'], back['around']);
    assert.equal((back['deep'] as { two: Thing }[][])[0]![0]!.two.ref, 'two');
    assert.equal((back['box'] as { two: Thing }).two.ref, 'two');
    assert.equal((back['list'] as Thing[])[5]!.ref, 'one');
    assert.equal(4 in (back['list'] as unknown[]), false);
    assert.equal(back['itself'], back);
    assert.deepEqual(back['map'], new Map([[1, 2]]));
    assert.deepEqual(Object.getOwnPropertyDescriptor(back, '__proto__')!.value, { a: 1 });
    assert.equal(around.one, one, 'what was sent is as it was');
    assert.ok(throughTheWire(one) instanceof Thing);
    assert.deepEqual(referencesIn(encode('text', 'it')), []);
  });

  test('says which value cannot be sent, and why', () => {
    const refused = (value: unknown, why: RegExp): void => {
      assert.throws(() => encode(value, 'argument 2 of Ada'), (error: Error) => {
        assert.ok(error instanceof NotCloneable);
        assert.match(error.message, /^argument 2 of Ada cannot be sent to another process: /);
        assert.match(error.message, why);
        return true;
      });
    };
    refused(() => {}, /it is a function/);
    refused(Symbol('s'), /it is a symbol/);
    refused([{ work: () => {} }], /could not be cloned/);
    refused(new WeakMap(), /could not be cloned/);
    refused(Promise.resolve(), /could not be cloned/);
    refused({ get value() { throw new Error('a getter throws'); } }, /a getter throws/);
    refused(new Map([['thing', new Thing('one')]]), /in arrays and plain objects, and in nothing else/);
    refused([new Set([{ deep: new Thing('one') }])], /in arrays and plain objects/);
    refused(Object.assign(new Error('e'), { thing: new Thing('one') }), /in arrays and plain objects/);
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    refused(deep, /nested more than 1000 levels deep/);
    assert.throws(() => decode({ bytes: (encode([null], 'it') as { bytes: Uint8Array }).bytes, references: [
      [['0'], { kind: 'Unheard', ref: '#1' }],
    ] }), /a Unheard came from another process, which is not known here/);
  });

  test('lets nothing travel that is not sent after all', () => {
    journeys = 0;
    assert.throws(() => encode([new Thing('one'), () => {}], 'it'), NotCloneable);
    const send = prepare([new Thing('one')], 'it');
    assert.equal(journeys, 0);
    send();
    assert.equal(journeys, 1);
  });
});

describe('small plain data', () => {
  test('is copied as a structured clone would', () => {
    for (const value of [1, 'text', null, undefined, 3n, [], {}, { a: [1, { b: undefined }], c: 'd' }, [[null]]]) {
      const copied = copyPlain(value);
      assert.deepEqual(copied, structuredClone(value));
      if (typeof value === 'object' && value !== null) assert.notEqual(copied, value);
    }
    const bytes = Buffer.from('abc');
    const { inner } = copyPlain({ inner: bytes }) as { inner: Buffer };
    bytes[0] = 0;
    assert.equal(inner.toString(), 'abc');
  });

  test('is nothing that a plain copy would change', () => {
    const shared = {};
    const cycle: unknown[] = [];
    cycle.push(cycle);
    class Point {
      readonly x = 1;
    }
    for (const value of [
      () => {}, Symbol('s'), [() => {}], new Date(), new Map(), new Point(), new Error('e'), Object.create(null), cycle,
      [shared, shared], Object.assign([1], { 2: 3 }), Object.assign([1], { extra: 1 }), 'a b'.match(/a/),
      new Uint8Array(1), JSON.parse('{"__proto__": 1}'), new Thing('one'), { thing: new Thing('one') },
      new Array(20).fill(0).map(() => []),
      Object.assign({}, { [TRANSFER]: () => ({ kind: 'k', ref: 'r' }) }),
    ]) {
      assert.equal(copyPlain(value), NOT_PLAIN);
    }
  });
});
