// Errors between processes: each comes back as what it was, and nothing that is thrown or comes can make that fail.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import * as errors from '../../shared/multiprocessing/base/errors.ts';
import { NotCloneable, Pool, ProcessDied, Queue, QueueClosed, WrongUse } from '../../shared/multiprocessing/index.ts';
import { rebuildError, takeApart } from '../../shared/multiprocessing/values/remote-error.ts';
import type { RemoteError } from '../../shared/multiprocessing/values/remote-error.ts';
import * as work from '../fixtures/error-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/error-work.ts');

function back(thrown: unknown): Error {
  return rebuildError(structuredClone(takeApart(thrown)), 'Ada (pid 1)');
}

/** Whatever is thrown: it arrives as an Error, and takes little. */
function survives(thrown: unknown): Error {
  const remote = takeApart(thrown);
  assert.ok(JSON.stringify(remote).length < 10_000_000);
  const error = rebuildError(structuredClone(remote));
  assert.ok(error instanceof Error);
  inspect(error);
  return error;
}

class OddError extends RangeError {
  override name = 'OddError';
  readonly odd = { is: new Map([[1, new Date(0)]]) };
  readonly callback = (): void => {};
}

describe('an error comes back', () => {
  const builtIn = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError] as const;
  for (const Class of builtIn) {
    test(`as a ${Class.name}`, () => {
      const error = back(new Class('no', { cause: new Class('deeper') }));
      assert.equal(Object.getPrototypeOf(error), Class.prototype);
      assert.ok((error.cause as Error) instanceof Class);
      assert.deepEqual([error.name, error.message, Object.keys(error)], [Class.name, 'no', []]);
      assert.match(error.stack!, /^\w+: no\n[^]*remote-error\.test[^]*\n {4}in Ada \(pid 1\)$/);
    });
  }

  test('as the toolkit\'s own, with what it says', () => {
    const death = { address: '1', name: 'Process-1', pid: 77, exitCode: -9 };
    const died = back(new ProcessDied(death, 'nobody is left'));
    assert.ok(died instanceof ProcessDied);
    assert.deepEqual([died.death, died.code, died.name], [death, 'ERR_PROCESS_DIED', 'ProcessDied']);
    for (const Class of [WrongUse, NotCloneable, QueueClosed]) {
      const error = back(new Class('so'));
      assert.ok(error instanceof Class);
      assert.deepEqual({ ...error }, { ...new Class('so') });
    }
    const named = Object.values(errors).filter((one) => typeof one === 'function' && one.prototype instanceof Error);
    assert.deepEqual(named.map(({ name }) => name).sort(), Object.keys(errors.OWN_ERRORS).sort());
  });

  test('as the system\'s, with errno, code, syscall and path', () => {
    const thrown = work.systemError();
    const error = back(thrown);
    assert.deepEqual({ ...error }, { ...thrown });
    assert.ok('errno' in error && 'path' in error);
  });

  test('as an AggregateError with its errors, and as a DOMException', () => {
    const error = back(new AggregateError([new TypeError('one'), 'two', { three: [3] }], 'all'));
    assert.ok(error instanceof AggregateError);
    assert.ok(error.errors[0] instanceof TypeError);
    assert.deepEqual(error.errors.slice(1), ['two', { three: [3] }]);
    assert.deepEqual(Object.keys(error), []);
    const abort = back(AbortSignal.abort().reason);
    assert.ok(abort instanceof DOMException);
    assert.deepEqual([abort.name, abort.code], ['AbortError', 20]);
  });

  test('of an unknown class as the nearest known one with its name, and with those fields that can be sent', () => {
    const error = back(new OddError('odd'));
    assert.equal(Object.getPrototypeOf(error), RangeError.prototype);
    assert.deepEqual({ ...error }, { name: 'OddError', odd: { is: new Map([[1, new Date(0)]]) } });
    class Coded extends Error {
      get code(): string {
        return 'ERR_GETTER';
      }
    }
    assert.equal((back(new Coded('c')) as Coded).code, 'ERR_GETTER');
    assert.ok(back(runInNewContext('new TypeError("other realm")')) instanceof TypeError);
    class WrongUse extends Error {} // Not ours.
    assert.equal(Object.getPrototypeOf(back(new WrongUse('w'))), Error.prototype);
  });

  test('from another process, thrown and as a value', DEADLINE, async (t) => {
    const pool = new Pool(1);
    t.after(async () => {
      pool.terminate();
      await pool.join();
    });
    const failed = async (which: string): Promise<Error> => {
      const error: unknown = await pool.apply({ module, target: work.fails }, [which])
        .catch((reason: unknown) => reason);
      assert.ok(error instanceof Error);
      return error;
    };
    assert.ok(await failed('closed') instanceof QueueClosed);
    assert.ok(await failed('function') instanceof NotCloneable);
    assert.equal((await failed('system') as NodeJS.ErrnoException).syscall, 'open');
    assert.ok((await failed('any') as AggregateError).errors[0] instanceof SyntaxError);
    assert.ok((await failed('huge')).message.length < 200_000);
    const settled = await pool.apply({ module, target: work.settles }, []);
    const [first, second] = settled as [PromiseRejectedResult, PromiseRejectedResult];
    assert.equal((first.reason as NodeJS.ErrnoException).code, 'ENOENT');
    assert.ok(second.reason instanceof QueueClosed && (second.reason.cause as Error) instanceof RangeError);
    const queue = new Queue<unknown>();
    const put = Object.assign(new RangeError('r', { cause: new WrongUse('w') }), { code: 5 });
    await queue.put({ deep: [put, put] });
    const { deep: [got] } = await queue.get() as { deep: (Error & { code: number })[] };
    assert.ok(got instanceof RangeError && got !== put && got.cause instanceof WrongUse);
    assert.deepEqual([got.code, got.stack], [5, put.stack]);
  });
});

describe('nothing fails because of', () => {
  test('errors that are hostile', () => {
    const throwing = (key: string): Error => Object.defineProperty(new Error('x'), key, {
      enumerable: true, get: () => { throw new Error('no'); },
    });
    for (const key of ['name', 'message', 'stack', 'cause', 'errors', 'code', 'constructor', 'extra']) {
      survives(throwing(key));
    }
    for (const key of ['name', 'message', 'stack', 'errors', 'code']) {
      const trap = new Proxy([], { get: () => { throw new Error('no'); } });
      for (const value of [Symbol('s'), () => {}, null, 5n, {}, trap]) {
        survives(Object.defineProperty(new Error('x'), key, { value }));
      }
    }
    const hostile = new Proxy({}, { get() { throw new Error('no'); }, getPrototypeOf() { throw new Error('no'); } });
    const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
    revoke();
    const custom = { [inspect.custom]() { throw new Error('no'); } };
    for (const value of [
      hostile, proxy, custom, new Error('x', { cause: hostile }), new Error('x', { cause: proxy }),
      Object.assign(new Error('x'), { hostile, proxy, custom }), new AggregateError([hostile, proxy, custom]),
      Object.create(Error.prototype), new Proxy(new Error('inside'), {}), undefined, null, Symbol('s'), () => {}, -0,
    ]) {
      survives(value);
    }
  });

  test('errors that are large, many, or within themselves', () => {
    const circular = new Error('circular');
    circular.cause = circular;
    Object.assign(circular, { self: circular, list: [circular] });
    survives(circular);
    const tree = (depth: number): Error => (depth === 0 ? new Error('leaf')
      : new AggregateError(Array.from({ length: 10 }, () => tree(depth - 1)), 'x'.repeat(1000)));
    survives(tree(4));
    survives(new AggregateError(Array.from({ length: 50_000 }, (_, i) => i)));
    const huge = survives(Object.assign(new Error('m'.repeat(4_000_000)), {
      data: 'd'.repeat(4_000_000), code: 'ERR_HUGE',
    }));
    assert.match(huge.message, /^m+ … \d+ characters are left out here … m+$/);
    assert.deepEqual({ ...huge }, { code: 'ERR_HUGE' });
    assert.match(huge.stack!, /remote-error\.test/);
  });

  test('what comes from another process and is no error', () => {
    const good = takeApart(Object.assign(new Error('x', { cause: 1 }), { code: 1 }));
    const junk: unknown[] = [
      null, undefined, 5, 'x', [], {}, { ...good, name: 5 }, { ...good, stack: {} }, { ...good, fields: 'x' },
      { ...good, fields: Buffer.from('x') }, { ...good, cause: 5 }, { ...good, cause: { value: 5 } },
      { ...good, errors: 5 }, { ...good, errors: [null] }, { ...good, type: 'DOMException', message: null },
      { ...good, type: {} }, { ...good, type: '__proto__' },
    ];
    for (const remote of junk) assert.ok(rebuildError(remote as RemoteError, 'there') instanceof Error);
  });
});
