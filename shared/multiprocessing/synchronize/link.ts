// Connects a client of an Event, a Semaphore or a Barrier with its owner, here or in another process, turns its waiting
// into promises, and lets go of what the program has forgotten.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { ownerOf, isWithin } from '../base/address.ts';
import { afterTurn, mayServeAtOnce, whenRead } from '../transport/turn.ts';
import { asksOnce, checkWait } from '../base/time-limit.ts';
import type { Wait } from '../base/time-limit.ts';
import { Client } from './client.ts';
import { currentProcess } from '../process/current.ts';
import { defineKind } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { lookAgain, whenForgotten } from '../base/forgotten.ts';
import type { ToOwner } from './messages.ts';
import { readFromOwner, readToOwner } from './messages.ts';
import type { Owner, OwnerHost } from './owner.ts';
import * as router from '../transport/router.ts';
import { waitInLine } from '../base/waiter.ts';

/** What makes one of the three what it is. */
export interface Kind {
  /** As its references have it. */
  readonly name: string;
  /** As errors and names in the tree have it. */
  readonly word: string;
  /** @param detail The numbers that it was made with. @param state Of one that was forgotten, if it is not as new. */
  owner(host: OwnerHost, detail: readonly number[], state: number | undefined): Owner;
  /** What the program has in its hands. */
  proxy(link: Link): Transferable;
}

export class Link {
  readonly detail: readonly number[];
  readonly client: Client;
  readonly #kind: Kind;
  /** undefined: it lives in another process. */
  readonly #owner: Owner | undefined;
  /** Its name in the tree; undefined: no other process has to do with it yet. */
  #ref: string | undefined;

  /** @param ref The name of one that was made before; its detail is in there. */
  constructor(kind: Kind, detail: readonly number[], ref?: string) {
    const self = router.selfAddress();
    const before = ref === undefined ? undefined : takeLeft(ref);
    this.#kind = before?.kind ?? kind;
    this.detail = detail;
    this.client = new Client(kind.word, (message) => this.#tell(message));
    this.#ref = ref;
    if (ref === undefined || ownerOf(ref) === self) {
      this.#owner = this.#kind.owner(this.#host(self), detail, before?.state);
    }
    if (ref !== undefined) this.#open(ref);
    this.#tell({ type: 'here', who: `${currentProcess().name} (pid ${process.pid})` });
  }

  /**
   * Asks the owner, in the order of asking, and keeps the process running meanwhile.
   * @param wait Only for what may wait. @throws {ProcessDied} The process in which it lives is dead.
   */
  async ask(what: string, wait?: Wait): Promise<number | boolean> {
    const limits = checkWait(wait);
    const once = asksOnce(limits.timeoutMs);
    let id = 0;
    const value = await waitInLine<number | boolean>(once ? { signal: limits.signal } : limits, {
      enter: (waiter) => {
        id = this.client.ask(what, waiter);
        if (once) this.client.expire(id, 0);
      },
      leave: () => this.client.withdraw(id),
      lapsed: () => this.client.expire(id, limits.timeoutMs!),
    });
    // A loop that is served here, at once, would never let the event loop turn, and then no other process is heard.
    if (this.#owner !== undefined && !mayServeAtOnce()) await afterTurn();
    return value;
  }

  /** How it travels: from now on others have to do with it. */
  travel(proxy: Transferable): Reference {
    const { name, word } = this.#kind;
    if (this.#ref === undefined) {
      this.#ref = router.newRef([word, ...this.detail.length > 0 ? [this.detail.join('_')] : []].join('.'));
      this.#open(this.#ref);
      keepWhileInUse(this.#ref, know(this.#ref, this), proxy);
    }
    return { kind: name, ref: this.#ref };
  }

  /** For inspect(): what it was made with, and in the process that made it what it is like. */
  describe(made: Readonly<Record<string, unknown>>, options: InspectOptions): string {
    return `${this.#kind.name} ${inspect({ ...made, ...this.#owner?.describe() }, options)}`;
  }

  /** The program has forgotten it. @returns Whether nothing of it is left here. */
  isGone(): boolean {
    const ref = this.#ref!;
    if (!this.client.isIdle || this.#owner?.mayGo === false) return false;
    if (this.#owner === undefined) this.#tell({ type: 'gone' });
    else if (this.#owner.state !== undefined) leave(ref, { kind: this.#kind, state: this.#owner.state });
    router.removeEndpoint(ref);
    return true;
  }

  /** Gets what came for it from another process. */
  receive(from: string, body: unknown): void {
    if (this.#owner !== undefined) {
      const message = readToOwner(body);
      if (message !== undefined) this.#owner.receive(from, message);
    } else if (from === ownerOf(this.#ref!)) {
      const message = readFromOwner(body);
      if (message !== undefined) this.client.hear(message);
    }
  }

  #open(ref: string): void {
    router.addEndpoint(ref, {
      receive: (from, body) => this.receive(from, body),
      attached: (from) => this.#owner?.attached(from),
      died: (death) => {
        if (this.#owner !== undefined) this.#owner.died(death);
        else if (isWithin(ownerOf(ref), death.address)) this.client.orphan(death);
      },
    });
  }

  /** It goes to the system at once, with what came of it: what this process does next may take long. */
  #tell(message: ToOwner): void {
    if (this.#owner !== undefined) this.#owner.receive(router.selfAddress(), message);
    else router.post(ownerOf(this.#ref!), this.#ref!, message);
    if (this.#ref !== undefined) router.flush();
  }

  #host(self: string): OwnerHost {
    return {
      self, whenRead, whenAllHeard: router.whenAllHeard,
      tell: (to, message) => {
        if (to === self) this.client.hear(message);
        else router.post(to, this.#ref!, message);
      },
    };
  }
}

interface Known {
  readonly link: Link;
  /** What the program has in its hands. */
  proxy: WeakRef<Transferable> | undefined;
}

/** Those that others have to do with, by their names in the tree: one that comes back is the one that left. */
const known = new Map<string, Known>();

interface Left {
  readonly kind: Kind;
  readonly state: number;
}

/** The last that were forgotten here and that are not as any other of their kind: should one come back, it is so. */
const left = new Map<string, Left>();
const MOST_LEFT = 10_000;

function leave(ref: string, what: Left): void {
  left.set(ref, what);
  if (left.size > MOST_LEFT) left.delete(left.keys().next().value!);
}

function takeLeft(ref: string): Left | undefined {
  const what = left.get(ref);
  left.delete(ref);
  return what;
}

function know(ref: string, link: Link): Known {
  const entry: Known = { link, proxy: undefined };
  known.set(ref, entry);
  return entry;
}

function keepWhileInUse(ref: string, entry: Known, proxy: Transferable): void {
  entry.proxy = new WeakRef(proxy);
  whenForgotten(proxy, () => isGone(ref, entry));
}

/** @returns Whether nothing is left to be done: the program has it again, or nothing is left of it here. */
function isGone(ref: string, entry: Known): boolean {
  if (entry.proxy?.deref() !== undefined || known.get(ref) !== entry) return true;
  if (!entry.link.isGone()) return false;
  known.delete(ref);
  return true;
}

function linkOf(kind: Kind, ref: string): Known {
  const detail = /#\w+\.(.+)-\d+$/.exec(ref)?.[1]?.split('_').map(Number) ?? [];
  return known.get(ref) ?? know(ref, new Link(kind, detail, ref));
}

/** Says how those of a kind come to life in the process that receives their references. */
export function defineShared(kind: Kind): void {
  defineKind(kind.name, ({ ref }) => {
    const entry = linkOf(kind, ref);
    let proxy = entry.proxy?.deref();
    if (proxy === undefined) {
      proxy = kind.proxy(entry.link);
      keepWhileInUse(ref, entry, proxy);
    }
    return proxy;
  });
  router.hearForForgotten(kind.word, (ref) => {
    // Only what lived here can have been forgotten so that others count on it.
    if (ownerOf(ref) !== router.selfAddress()) return { receive: () => {} };
    const entry = linkOf(kind, ref);
    lookAgain(() => isGone(ref, entry), 1);
    return entry.link;
  });
}
