// Calls to an object that lives in one process and is used by many: a message to its owner, and an answer. Used by the
// dicts and lists of a Manager.
import { isWithin, ownerOf } from '../base/address.ts';
import { ManagerClosed, NotCloneable, ProcessDied, WrongUse } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import { Holders } from './holders.ts';
import type { Gone } from './holders.ts';
import type { Keeper } from '../transport/custody.ts';
import { copyOf } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import * as router from '../transport/router.ts';
import { isCount, isObject, isString } from '../base/shape.ts';
import { mayServeAtOnce, nextTurn } from '../transport/turn.ts';

/** The object itself, in its owner. It handles one call after the other, each at once. */
export interface Callable<Call> {
  /**
   * @param from The address of the caller.
   * @returns The answer, whose type follows from the call. Throws what the caller is to be rejected with.
   */
  handle(call: Call, from: string): unknown;
  /** Whether that, which came from another process, is a call. */
  understands(call: unknown): call is Call;
  /** It keeps its values with that. */
  readonly keeper: Keeper;
  /** Its name in the tree, once it has one. */
  ref: string | undefined;
  readonly isShutDown: boolean;
  /** From then on it refuses every call with `ManagerClosed`. */
  shutdown(): void;
  /** Called once by {@link shutdown}, if it is set. */
  onShutdown: (() => void) | undefined;
}

interface Request<Call> {
  readonly id: number;
  readonly call: Call;
}

type Answer =
  | { readonly id: number; readonly result?: unknown }
  | { readonly id: number; readonly error: { readonly type: keyof typeof ERRORS; readonly message: string } };

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** What an object may throw for its callers to catch. */
const ERRORS = { ManagerClosed, NotCloneable, RangeError, WrongUse };

/** One process's way to an object. */
export interface Caller<Call> {
  /** Whether the object lives in this process. */
  readonly isHere: boolean;
  /** The name of the object, by which other processes know it from now on. */
  ref(): string;
  /**
   * Calls the object. Calls of one process are handled in their order.
   * @throws {ProcessDied} The process in which the object lives is dead, or dies before it has answered.
   */
  call(call: Call): Promise<unknown>;
  /** A packed value from an answer, as this process may unpack it. */
  own(item: Packed): Packed;
}

/** The way to an object in this very process. `opened` hears the object's name when it gets one. */
function callHere<Call>(object: Callable<Call>, kind: string, opened: (ref: string) => void): Caller<Call> {
  return {
    isHere: true,
    ref: () => {
      if (object.ref === undefined) {
        object.ref = router.newRef(kind);
        router.addEndpoint(object.ref, answering(object.ref, object));
        opened(object.ref);
      }
      return object.ref;
    },
    call: async (call) => {
      const result = object.handle(call, router.selfAddress());
      if (!mayServeAtOnce()) await new Promise<void>(nextTurn);
      return result;
    },
    own: copyOf,
  };
}

/** The way to an object in another process, for all its proxies here. It goes with the last of them. */
class DistantCaller<Call> implements Caller<Call> {
  readonly isHere = false;
  readonly #ref: string;
  readonly #owner: string;
  readonly #pending = new Map<number, Pending>();
  readonly #gone: () => void;
  #lastId = 0;
  #proxies = 0;
  #ownerDied: ProcessDied | undefined;

  /** @param gone Called when nobody here needs it any more. */
  constructor(ref: string, gone: () => void) {
    this.#ref = ref;
    this.#owner = ownerOf(ref);
    this.#gone = gone;
    router.addEndpoint(ref, { receive: (from, body) => this.#heard(from, body), died: (death) => this.#died(death) });
    router.post(this.#owner, ref, router.ATTACH);
  }

  proxyMade(): void {
    this.#proxies++;
  }

  proxyGone(): void {
    this.#proxies--;
    this.#goIfUnused();
  }

  ref(): string {
    return this.#ref;
  }

  call(call: Call): Promise<unknown> {
    if (this.#ownerDied !== undefined) return Promise.reject(this.#ownerDied);
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) waitBegins();
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      try {
        router.post(this.#owner, this.#ref, { id, call } satisfies Request<Call>);
      } catch (error) {
        this.#settled(id);
        throw error; // It was too large.
      }
    });
  }

  own(item: Packed): Packed {
    return item;
  }

  #heard(from: string, body: unknown): void {
    const answer = from === this.#owner ? readAnswer(body) : undefined;
    const caller = answer && this.#pending.get(answer.id);
    if (caller !== undefined) this.#answered(answer!, caller);
  }

  #answered(answer: Answer, caller: Pending): void {
    this.#settled(answer.id);
    if ('error' in answer) caller.reject(new ERRORS[answer.error.type](answer.error.message));
    else caller.resolve(answer.result);
    this.#goIfUnused();
  }

  #settled(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) waitEnds();
  }

  #died(death: Death): void {
    if (!isWithin(this.#owner, death.address)) return;
    this.#ownerDied = lost(death);
    if (this.#pending.size > 0) waitEnds();
    for (const { reject } of this.#pending.values()) reject(this.#ownerDied);
    this.#pending.clear();
    this.#goIfUnused();
  }

  #goIfUnused(): void {
    if (this.#proxies > 0 || this.#pending.size > 0) return;
    router.removeEndpoint(this.#ref);
    if (this.#ownerDied === undefined) router.post(this.#owner, this.#ref, { type: 'gone' } satisfies Gone);
    this.#gone();
  }
}

/**
 * All proxies of one kind of object in this process: one that comes back is the one that left. Those of objects that
 * live here stay until the object is shut down, the others until the program has forgotten them.
 */
export class Proxies<Call, Proxy extends object> {
  readonly #kind: string;
  readonly #make: (connect: (self: Proxy) => Caller<Call>) => Proxy;
  /** An object that was shut down: it answers for all of them. */
  readonly #over: Callable<Call>;
  readonly #here = new Map<string, Proxy>();
  readonly #elsewhere = new Map<string, { readonly caller: DistantCaller<Call>; proxy: WeakRef<Proxy> | undefined }>();
  readonly #forgotten = new FinalizationRegistry<DistantCaller<Call>>((caller) => caller.proxyGone());

  /** @param kind Of the objects, for their names. @param make Makes a proxy. @param makeObject Makes an object. */
  constructor(
    kind: string, make: (connect: (self: Proxy) => Caller<Call>) => Proxy, makeObject: () => Callable<Call>,
  ) {
    this.#kind = kind;
    this.#make = make;
    this.#over = makeObject();
    this.#over.shutdown();
    // Only those are forgotten here that lived here, and were shut down: whoever calls one learns of that.
    router.hearForForgotten(kind, (ref) => answering(ref, this.#over));
  }

  /** A proxy in the process in which the object lives. */
  of(object: Callable<Call>): Proxy {
    return this.#make((self) => callHere(object, this.#kind, (ref) => {
      this.#here.set(ref, self);
      const forget = (): void => {
        this.#here.delete(ref);
        router.removeEndpoint(ref);
      };
      if (object.isShutDown) forget();
      else object.onShutdown = forget;
    }));
  }

  /** The proxy of that name, which has come from another process. */
  arrived(ref: string): Proxy {
    if (ownerOf(ref) === router.selfAddress()) return this.#here.get(ref) ?? this.of(this.#over);
    let known = this.#elsewhere.get(ref);
    if (known === undefined) {
      known = { caller: new DistantCaller<Call>(ref, () => this.#elsewhere.delete(ref)), proxy: undefined };
      this.#elsewhere.set(ref, known);
    }
    const { caller } = known;
    let proxy = known.proxy?.deref();
    if (proxy === undefined) {
      proxy = this.#make(() => caller);
      caller.proxyMade();
      known.proxy = new WeakRef(proxy);
      this.#forgotten.register(proxy, caller);
    }
    return proxy;
  }
}

function lost(death: Death): ProcessDied {
  return new ProcessDied(death, 'what its manager kept is gone');
}

function answering<Call>(ref: string, object: Callable<Call>): router.Endpoint {
  const holders = new Holders(object.keeper);
  return {
    attached: (from) => holders.attached(from),
    receive: (from, body) => {
      if (holders.hear(from, body) || !isObject(body) || !isCount(body.id)) return;
      const { id, call } = body;
      const answer = answerTo(id, () => {
        if (!object.understands(call)) throw new WrongUse('that is no call which a shared dict or list understands');
        return object.handle(call, from);
      });
      try {
        router.post(from, ref, answer);
      } catch (error) {
        router.post(from, ref, failed(id, error)); // The answer was too large.
      }
    },
    died: (death) => holders.died(death), // A caller that is dead needs no answer.
  };
}

function readAnswer(body: unknown): Answer | undefined {
  if (!isObject(body) || !isCount(body.id)) return undefined;
  if (!('error' in body)) return { id: body.id, result: body.result };
  const { error } = body;
  if (!isObject(error) || !isString(error.message)) return undefined;
  if (!isString(error.type) || !Object.hasOwn(ERRORS, error.type)) return undefined;
  return { id: body.id, error: { type: error.type as keyof typeof ERRORS, message: error.message } };
}

function answerTo(id: number, handle: () => unknown): Answer {
  try {
    const result = handle();
    // JSON knows no undefined; with one in it the answer would travel as a structured clone, which takes longer.
    return result === undefined ? { id } : { id, result };
  } catch (error) {
    return failed(id, error);
  }
}

function failed(id: number, error: unknown): Answer {
  const type = (Object.keys(ERRORS) as (keyof typeof ERRORS)[]).find((name) => error instanceof ERRORS[name]);
  if (type === undefined) throw error;
  return { id, error: { type, message: (error as Error).message } };
}
