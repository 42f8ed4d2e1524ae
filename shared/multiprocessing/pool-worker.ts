// The forked side of Pool: calls functions for others until it is told to end. Started by pool.ts only.
import { decode, encode } from './codec.ts';
import type { Encoded } from './codec.ts';
import { currentProcess } from './current.ts';
import { takeApart } from './remote-error.ts';
import type { RemoteError } from './remote-error.ts';

/** To a pool's worker. `argLists`: the function is called once with each of these lists. */
export type ToPoolWorker =
  | { readonly type: 'task'; readonly module: string; readonly target: string; readonly argLists: Encoded }
  | { readonly type: 'end' };

/** From it: what the calls returned, in order, or what the first call that failed threw. */
export type FromPoolWorker =
  | { readonly type: 'done'; readonly results: Encoded }
  | { readonly type: 'failed'; readonly error: RemoteError };

/** Does one task after the other, until `end`. */
export function serveTasks(): Promise<void> {
  const parent = currentProcess().parent!;
  return new Promise((resolve) => parent.listen((message) => {
    const task = message as ToPoolWorker;
    if (task.type === 'end') resolve();
    else void answer(task).then((answer) => parent.post(answer));
  }));
}

async function answer(task: ToPoolWorker & { type: 'task' }): Promise<FromPoolWorker> {
  try {
    const exports = await import(task.module) as Record<string, unknown>;
    const target = exports[task.target];
    if (typeof target !== 'function') throw new TypeError(`${task.module} does not export a function '${task.target}'`);
    const results: unknown[] = [];
    for (const args of decode(task.argLists) as unknown[][]) {
      results.push(await (target as (...args: unknown[]) => unknown)(...args));
    }
    return { type: 'done', results: encode(results, `what ${task.target} returned`) };
  } catch (error) {
    return { type: 'failed', error: takeApart(error) };
  }
}
