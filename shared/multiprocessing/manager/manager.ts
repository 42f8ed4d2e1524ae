// Manager: dicts and lists that many processes use. Follows Python's multiprocessing.Manager.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { TRANSFER } from '../values/codec.ts';
import { ManagerClosed, WrongUse } from '../base/errors.ts';
import { whenForgotten } from '../base/forgotten.ts';
import { shareDict } from './dict-proxy.ts';
import type { DictProxy, DictSource } from './dict-proxy.ts';
import { shareList } from './list-proxy.ts';
import type { ListProxy } from './list-proxy.ts';
import { SharedDict } from './shared-dict.ts';
import { SharedList } from './shared-list.ts';

/**
 * Makes dicts and lists, which live in this process until the manager is shut down or the process ends; other processes
 * get them in arguments or messages. So shut down a manager that you need no longer; a dict or list that never left
 * this process goes as any other object does.
 *
 * Python starts a server process for this, because its processes do one thing at a time. A Node process answers for
 * what it keeps whenever its event loop turns: it is the server. So make the manager in a process that does not compute
 * for long; while it does, all who use its dicts and lists wait.
 *
 * Their methods take no time limit and no signal: a call that was sent cannot be called back, and who no longer waited
 * for a `set` or a `pop` would not know whether it was done. It settles, at the latest, when that process ends.
 */
export class Manager {
  /** Weak: one that never left this process, and that the program has forgotten, is garbage. */
  readonly #objects = new Set<WeakRef<SharedDict | SharedList>>();
  #isClosed = false;

  /**
   * Makes a dict. @param initial What is in it at first: an object's own properties, a Map, or other entries.
   * @throws {ManagerClosed} @throws {NotCloneable} A value cannot be sent. @throws {WrongUse} A key is not a string.
   */
  dict<V = unknown>(initial: DictSource<V> = {}): DictProxy<V> {
    this.#refuseIfClosed();
    const dict = new SharedDict();
    const proxy = shareDict(dict, initial);
    this.#keep(dict);
    return proxy;
  }

  /**
   * Makes a list. @param initial What is in it at first: an array, or another iterable.
   * @throws {ManagerClosed} @throws {NotCloneable} A value cannot be sent.
   */
  list<T = unknown>(initial: Iterable<T> = []): ListProxy<T> {
    this.#refuseIfClosed();
    const list = new SharedList();
    const proxy = shareList(list, initial);
    this.#keep(list);
    return proxy;
  }

  /** Drops all dicts and lists: whoever uses one, now or later, is rejected with `ManagerClosed`. Twice is harmless. */
  shutdown(): void {
    this.#isClosed = true;
    for (const object of this.#objects) object.deref()?.shutdown();
    this.#objects.clear();
  }

  /** Shuts it down with the block: `await using manager = new Manager()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.shutdown();
  }

  /** For codec.ts. */
  [TRANSFER](): never {
    throw new WrongUse('a Manager stays in the process that made it: pass its dicts and lists to the others');
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `Manager ${inspect({ isShutDown: this.#isClosed }, options)}`;
  }

  #keep(object: SharedDict | SharedList): void {
    const reference = new WeakRef(object);
    this.#objects.add(reference);
    const objects = this.#objects;
    whenForgotten(object, () => {
      objects.delete(reference);
      return true;
    });
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new ManagerClosed('this manager was shut down');
  }
}
