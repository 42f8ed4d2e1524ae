// Calls to an object that lives in one process and is used by many: a message to its owner, and an answer. Used by the
// dicts and lists of a Manager.
import { ManagerClosed, ProcessDied, WrongUse } from './errors.ts';
import type { Death } from './errors.ts';
import { waitBegins, waitEnds } from './keep-alive.ts';
import { copyOf } from './parcel.ts';
import type { Item } from './queue-item.ts';
import * as router from './router.ts';
import { mayServeAtOnce, nextTurn } from './turn.ts';

/** The object itself, in its owner. It handles one call after the other, each at once. */
export interface Callable<Call> {
  /** @returns The answer, whose type follows from the call. Throws what the caller is to be rejected with. */
  handle(call: Call): unknown;
}

interface Request<Call> {
  readonly id: number;
  readonly call: Call;
}

type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly type: keyof typeof ERRORS; readonly message: string } };

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** What an object may throw for its callers to catch. */
const ERRORS = { ManagerClosed, RangeError, WrongUse };

/** One process's way to an object. */
export interface Caller<Call> {
  /** The name of the object, by which other processes know it from now on. */
  ref(): string;
  /**
   * Calls the object. Calls of one process are handled in their order.
   * @throws {ProcessDied} The process in which the object lives is dead, or dies before it has answered.
   */
  call(call: Call): Promise<unknown>;
  /** A packed value from an answer, as this process may unpack it. */
  own(item: Item): Item;
}

/** The way to an object in this very process. `opened` hears the object's name when it gets one. */
export function callHere<Call>(object: Callable<Call>, opened: (ref: string) => void): Caller<Call> {
  let name: string | undefined;
  return {
    ref: () => {
      if (name === undefined) {
        name = router.newRef();
        router.addEndpoint(name, answering(name, object));
        opened(name);
      }
      return name;
    },
    call: async (call) => {
      const result = object.handle(call);
      if (!mayServeAtOnce()) await new Promise<void>(nextTurn);
      return result;
    },
    own: copyOf,
  };
}

/** The way to an object in another process. */
export function callThere<Call>(ref: string): Caller<Call> {
  const owner = router.ownerOf(ref);
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let ownerDied: ProcessDied | undefined;
  router.addEndpoint(ref, {
    receive: (_from, body) => {
      const answer = body as Answer;
      const caller = pending.get(answer.id)!;
      pending.delete(answer.id);
      if (pending.size === 0) waitEnds();
      if ('error' in answer) caller.reject(new ERRORS[answer.error.type](answer.error.message));
      else caller.resolve(answer.result);
    },
    died: (death) => {
      if (!router.isWithin(owner, death.address)) return;
      ownerDied = lost(death);
      if (pending.size > 0) waitEnds();
      for (const { reject } of pending.values()) reject(ownerDied);
      pending.clear();
    },
  });
  return {
    ref: () => ref,
    call: (call) => {
      if (ownerDied !== undefined) return Promise.reject(ownerDied);
      return new Promise((resolve, reject) => {
        if (pending.size === 0) waitBegins();
        pending.set(++lastId, { resolve, reject });
        router.post(owner, ref, { id: lastId, call } satisfies Request<Call>);
      });
    },
    own: (item) => item,
  };
}

function lost(death: Death): ProcessDied {
  return new ProcessDied(death, 'what its manager kept is gone');
}

function answering<Call>(ref: string, object: Callable<Call>): router.Endpoint {
  return {
    receive: (from, body) => {
      const { id, call } = body as Request<Call>;
      router.post(from, ref, answerTo(id, () => object.handle(call)));
    },
    died: () => {}, // A caller that is dead needs no answer, and nothing is kept for it.
  };
}

function answerTo(id: number, handle: () => unknown): Answer {
  try {
    return { id, result: handle() };
  } catch (error) {
    const type = (Object.keys(ERRORS) as (keyof typeof ERRORS)[]).find((name) => error instanceof ERRORS[name]);
    if (type === undefined) throw error;
    return { id, error: { type, message: (error as Error).message } };
  }
}
