// The forked side of Pool: calls functions for others until it is told to end. Started by pool.ts only.
import { currentProcess } from '../process/current.ts';
import { Fifo } from '../base/fifo.ts';
import { isObject } from '../base/shape.ts';
import { loadKindsIn } from '../kinds.ts';
import { exportOf, importModule } from '../process/modules.ts';
import type { Callee, Located } from '../process/modules.ts';
import { encodedPart, packOwn, unpack } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import { takeApart } from '../values/remote-error.ts';
import type { RemoteError } from '../values/remote-error.ts';

/**
 * To a pool's worker. `inputs` is an array. The function is called once with each of its elements; or, if `spread`,
 * with all of them as its arguments.
 */
export type ToPoolWorker =
  | {
    readonly type: 'task'; readonly id: number; readonly inputs: Packed; readonly spread: boolean;
  } & Located
  | { readonly type: 'end' };

/**
 * From it, with the task's id: the array of what the calls returned, in order, or what the first call that failed
 * threw.
 */
export type FromPoolWorker =
  | { readonly type: 'done'; readonly id: number; readonly results: Packed }
  | { readonly type: 'failed'; readonly id: number; readonly error: RemoteError };

/** What came from a worker; undefined when it is none of ours: a task may post messages of its own. */
export function readAnswer(message: unknown): FromPoolWorker | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { type, id, error } = message as Record<string, unknown>;
  const isAnswer = type === 'done' ? 'results' in message : type === 'failed' && isObject(error);
  return isAnswer && typeof id === 'number' ? message as FromPoolWorker : undefined;
}

/** What was imported: to import it again would take longer than many a task. */
const modules = new Map<string, Record<string, unknown>>();

/** Does one task after the other, until `end`. */
export async function serveTasks(): Promise<void> {
  const parent = currentProcess().parent!;
  const tasks = new Fifo<ToPoolWorker>();
  let came = (): void => {};
  parent.listen((message) => {
    tasks.push(message as ToPoolWorker);
    came();
  });
  for (;;) {
    const task = tasks.shift();
    if (task === undefined) {
      await new Promise<void>((resolve) => { came = resolve; });
    } else if (task.type === 'end') {
      return;
    } else {
      parent.postOwn(await answer(task));
      // Before the next is begun: should that one kill this process, this one is done.
      await parent.flushed();
    }
  }
}

async function answer(task: ToPoolWorker & { type: 'task' }): Promise<FromPoolWorker> {
  try {
    const callee = await find(task);
    await loadKindsIn([encodedPart(task.inputs)]);
    const inputs = unpack(task.inputs) as unknown[];
    const results: unknown[] = [];
    if (task.spread) results.push(await callee(...inputs));
    else await callEach(callee, inputs, results);
    return { type: 'done', id: task.id, results: packOwn(results, `what ${task.target} returned`) };
  } catch (error) {
    return { type: 'failed', id: task.id, error: takeApart(error) };
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
