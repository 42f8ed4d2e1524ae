// The forked side of Pool: calls functions for others until it is told to end. Started by pool.ts only.
import { currentProcess } from '../process/current.ts';
import { Fifo } from '../base/fifo.ts';
import { messageOf } from '../base/errors.ts';
import { isObject } from '../base/shape.ts';
import { loadKindsIn } from '../kinds.ts';
import { exportOf, importModule } from '../process/modules.ts';
import type { Callee, Located } from '../process/modules.ts';
import { refuseCustody } from '../transport/custody.ts';
import { encodedPart, holdsPrimitives, packLater, packOwn, unpack } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import { takeApart } from '../values/remote-error.ts';
import type { RemoteError } from '../values/remote-error.ts';

/**
 * To a pool's worker. `inputs` is an array. The function is called once with all of them as its arguments; or once with
 * each, until `all` are done or one fails, or so that `each` has an outcome of its own. It ends when it is told to, and
 * with `leave` at once, whatever the tasks have left running.
 */
export type ToPoolWorker =
  | {
    readonly type: 'task'; readonly id: number; readonly inputs: Packed; readonly how: 'once' | 'all' | 'each';
  } & Located
  | { readonly type: 'end'; readonly leave: boolean };

/**
 * From it: it is ready, so that it could be started; or with a task's id: the array of what the calls returned, in
 * order, with what was thrown by those of `each` that failed; or what ended the task.
 */
export type FromPoolWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'taken'; readonly id: number } // It has the primitives that are in the task.
  | {
    readonly type: 'done'; readonly id: number; readonly results: Packed;
    readonly failures?: readonly (readonly [place: number, RemoteError])[];
  }
  | { readonly type: 'failed'; readonly id: number; readonly error: RemoteError };

/** What came from a worker; undefined when it is none of ours: a task may post messages of its own. */
export function readAnswer(message: unknown): FromPoolWorker | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { type, id, error, failures = [] } = message as Record<string, unknown>;
  if (type === 'ready') return { type };
  if (type === 'taken' && typeof id === 'number') return { type, id };
  const isAnswer = type === 'done' ? 'results' in message && Array.isArray(failures)
    : type === 'failed' && isObject(error);
  return isAnswer && typeof id === 'number' ? message as FromPoolWorker : undefined;
}

/** What was imported: to import it again would take longer than many a task. */
const modules = new Map<string, Record<string, unknown>>();

/**
 * Does one task after the other, until `end`.
 * @param initializer Called before the first, with `args`. What it throws ends this process.
 */
export async function serveTasks(initializer: Located | null, ...args: readonly unknown[]): Promise<void> {
  const parent = currentProcess().parent!;
  const tasks = new Fifo<ToPoolWorker>();
  let came = (): void => {};
  parent.listen((message) => {
    tasks.push(message as ToPoolWorker);
    came();
  }, true);
  if (initializer !== null) await initialize(initializer, args);
  parent.postOwn({ type: 'ready' } satisfies FromPoolWorker);
  // Before a task is begun: should that one kill this process, the pool knows that it was the task.
  await parent.flushed();
  for (;;) {
    const task = tasks.shift();
    if (task === undefined) {
      await new Promise<void>((resolve) => { came = resolve; });
    } else if (task.type === 'end') {
      if (task.leave) process.exit();
      return;
    } else {
      parent.postOwn(await answer(task));
      // Before the next is begun: should that one kill this process, this one is done.
      await parent.flushed();
    }
  }
}

async function initialize(initializer: Located, args: readonly unknown[]): Promise<void> {
  try {
    await (await find(initializer))(...args);
  } catch (error) {
    throw new Error(`the initializer ${initializer.target} failed: ${messageOf(error)}`, { cause: error });
  }
}

async function answer(task: ToPoolWorker & { type: 'task' }): Promise<FromPoolWorker> {
  let isTaken = false;
  try {
    const callee = await find(task);
    await loadKindsIn([encodedPart(task.inputs)]);
    isTaken = true;
    const inputs = unpack(task.inputs) as unknown[];
    if (holdsPrimitives(task.inputs)) {
      currentProcess().parent!.postOwn({ type: 'taken', id: task.id } satisfies FromPoolWorker);
    }
    const what = `what ${task.target} returned`;
    if (task.how === 'each') return { type: 'done', id: task.id, ...await outcomesOf(callee, inputs, what) };
    const results: unknown[] = [];
    if (task.how === 'once') results.push(await callee(...inputs));
    else await callEach(callee, inputs, results);
    return { type: 'done', id: task.id, results: packOwn(results, what) };
  } catch (error) {
    if (!isTaken) refuseCustody(task.inputs);
    return { type: 'failed', id: task.id, error: takeApart(error) };
  }
}

/** Whatever comes of one call, and even if its result cannot be sent, it is nothing to the others. */
async function outcomesOf(
  callee: Callee, inputs: readonly unknown[], what: string,
): Promise<{ results: Packed; failures: [number, RemoteError][] }> {
  const results: unknown[] = [];
  const failures: [number, RemoteError][] = [];
  const fail = (place: number, error: unknown): void => {
    results[place] = undefined;
    failures.push([place, takeApart(error)]);
  };
  for (const [place, input] of inputs.entries()) {
    try {
      const result = callee(input);
      results[place] = isThenable(result) ? await result : result;
    } catch (error) {
      fail(place, error);
    }
  }
  try {
    return { results: packOwn(results, what), failures };
  } catch {
    for (const [place, result] of results.entries()) {
      try {
        packLater(result, what);
      } catch (error) {
        fail(place, error);
      }
    }
    return { results: packOwn(results, what), failures };
  }
}

async function callEach(callee: Callee, inputs: readonly unknown[], results: unknown[]): Promise<void> {
  for (const input of inputs) {
    const result = callee(input);
    // To await what is there already would take longer than many a call.
    results.push(isThenable(result) ? await result : result);
  }
}

function isThenable(value: unknown): boolean {
  const isObject = typeof value === 'object' || typeof value === 'function';
  return isObject && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

async function find(task: Located): Promise<Callee> {
  let exports = modules.get(task.module);
  if (exports === undefined) {
    exports = await importModule(task.module);
    modules.set(task.module, exports);
  }
  return exportOf(exports, task);
}
