// Connects a client of a Queue (client.ts) with the owner, here (owner.ts) or in another process, and turns
// its waiting into promises. Queue and JoinableQueue stand on it.
import { isWithin, ownerOf } from '../base/address.ts';
import type { Reference } from '../values/codec.ts';
import { QueueEmpty, QueueFull } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import { onLeave } from '../process/leaving.ts';
import { bringHome, Keeper, takeCustody } from '../transport/custody.ts';
import { QueueClient } from './client/client.ts';
import type { Getter } from './client/gets.ts';
import { pack, unpack } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import { readFromOwner, readToOwner } from './owner/messages.ts';
import type { ToOwner } from './owner/messages.ts';
import { QueueOwner } from './owner/owner.ts';
import type { Putter } from './client/puts.ts';
import { waitFor } from './wait.ts';
import * as router from '../transport/router.ts';
import { asksOnce, checkWait } from '../base/time-limit.ts';
import type { Wait, WaitOptions } from '../base/time-limit.ts';
import { afterThis, afterTurn, isAboutToEnd, mayServeAtOnce, nextTurn, tellNow, tellSoon } from '../transport/turn.ts';

export type QueueKind = 'Queue' | 'JoinableQueue';

const DONE = Promise.resolve();

/** The clients of queues that live elsewhere. */
const clients = new Set<QueueClient>();
onLeave(() => {
  const well = Number(process.exitCode ?? 0) === 0;
  for (const client of clients) client.leave(well);
});

/**
 * The last queues that were closed and forgotten here, by their numbers: should one come back, it is closed. It can
 * only be on its way still, so that these are more than enough.
 */
const closedAndGone = new Set<number>();
const MOST_CLOSED_AND_GONE = 10_000;

/** What tells a queue from others that were made here. */
function numberOf(ref: string): number {
  return Number(ref.slice(ref.lastIndexOf('-') + 1));
}

function rememberClosed(ref: string): void {
  closedAndGone.add(numberOf(ref));
  if (closedAndGone.size <= MOST_CLOSED_AND_GONE) return;
  for (const first of closedAndGone) return void closedAndGone.delete(first);
}

export class QueueLink {
  readonly kind: QueueKind;
  readonly maxsize: number;
  readonly #client: QueueClient;
  /** undefined: the queue lives in another process. */
  readonly #owner: QueueOwner | undefined;
  /** The name of the queue in the tree; undefined: no other process has to do with it yet. */
  #ref: string | undefined;

  /** @param ref The name of the queue when it lives in another process; else it is made here. */
  constructor(kind: QueueKind, maxsize: number, ref?: string) {
    this.kind = kind;
    this.maxsize = maxsize;
    this.#ref = ref;
    const joinable = kind === 'JoinableQueue';
    const atHome = ref === undefined;
    this.#client = new QueueClient(maxsize, joinable, {
      atHome,
      takeHere: () => this.#owner?.takeHere(),
      tell: atHome ? this.#tellOwnerHere : this.#tellOwnerElsewhere,
      flush: () => {
        tellNow();
        this.#owner?.settle();
        router.flush();
      },
      now: () => performance.now(),
      mayServeAtOnce, nextTurn, tellSoon, isAboutToEnd,
    });
    if (ref === undefined) this.#owner = this.#makeOwner(joinable);
    else this.#connect(ref);
  }

  put(item: unknown, wait: Wait): Promise<void> {
    try {
      const limits = checkWait(wait);
      this.#client.mustTakePuts();
      const packed = pack(item);
      if (!this.#client.puts.put(packed)) return this.#waitToPut(packed, limits);
      return mayServeAtOnce() ? DONE : afterTurn();
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  get(wait: Wait): Promise<unknown> {
    try {
      const limits = checkWait(wait);
      this.#client.mustLive();
      const here = this.#client.gets.begin();
      return here === undefined ? this.#waitToGet(limits) : Promise.resolve(unpack(here.item));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async size(): Promise<number> {
    this.#client.mustLive();
    return await waitFor<number>({}, (settle, fail) => {
      this.#client.ask('size', settle, fail);
      return { lapsed: nothing, aborted: nothing };
    });
  }

  /** @returns Whether all that was put is done. */
  async endOfWork(wait: Wait): Promise<boolean> {
    const limits = checkWait(wait);
    this.#client.mustLive();
    const unfinished = await waitFor<number>(limits, (settle, fail) => {
      const id = this.#client.ask('end of work', settle, fail);
      const lapsed = (): void => this.#client.withdrawJoin(id);
      if (asksOnce(limits.timeoutMs)) lapsed();
      return {
        lapsed,
        aborted: (reason) => {
          lapsed();
          fail(reason);
        },
      };
    });
    return unfinished === 0;
  }

  /** Says that one of the items that were taken here is done, the first. @returns Whether there was one. */
  finishOne(): boolean {
    return this.#client.finishOne();
  }

  async close(): Promise<void> {
    this.#client.mustLive();
    this.#client.close();
  }

  /**
   * The program has forgotten the queue. @returns Whether nothing of it is left here: if others have it still, or it is
   * on its way to them, a new owner takes the place of this one.
   */
  isGone(): boolean {
    const ref = this.#ref!;
    if (!this.#client.isIdle || this.#owner?.isUnused === false) return false;
    if (this.#owner === undefined) this.#tellOwnerElsewhere({ type: 'gone' });
    else if (this.#owner.isClosed) rememberClosed(ref);
    router.removeEndpoint(ref);
    clients.delete(this.#client);
    return true;
  }

  /** The owner again of a queue that was made here, and was forgotten. */
  static again(ref: string): QueueLink {
    const [, kind, maxsize] = /\.(.*)\.(.*)-/.exec(ref)!;
    const link = new QueueLink(kind as QueueKind, Number(maxsize));
    link.#open(ref);
    if (closedAndGone.delete(numberOf(ref))) link.#client.close();
    return link;
  }

  /** Gets what came for the queue when nobody had it. */
  receive(from: string, message: unknown): void {
    const known = readToOwner(message);
    if (known !== undefined) this.#owner?.receive(from, known);
  }

  /** How the queue travels: from now on others have to do with it. */
  travel(): Reference {
    if (this.#ref === undefined) this.#open(router.newRef(`queue.${this.kind}.${this.maxsize}`));
    return { kind: this.kind, ref: this.#ref!, detail: this.maxsize };
  }

  #open(ref: string): void {
    const owner = this.#owner!;
    this.#ref = ref;
    router.addEndpoint(ref, {
      receive: (from, message) => this.receive(from, message),
      attached: (from) => owner.attached(from),
      died: (death) => owner.died(death),
    });
  }

  #makeOwner(joinable: boolean): QueueOwner {
    const self = router.selfAddress();
    const keeper = new Keeper(false, () => this.#ref);
    return new QueueOwner(this.maxsize, joinable, {
      self,
      tell: (to, message) => {
        if (to === self) this.#client.hear(message);
        else router.post(to, this.#ref!, message);
      },
      arrives: (item) => keeper.keep(item),
      carries: takeCustody,
      leaves: (item) => keeper.letGo(item),
      isShared: (isShared, death) => keeper.offer(isShared, death),
      whenAllHeard: router.whenAllHeard,
      afterThis,
    });
  }

  #connect(ref: string): void {
    const owner = ownerOf(ref);
    router.addEndpoint(ref, {
      receive: (from, message) => {
        const known = from === owner ? readFromOwner(message) : undefined;
        if (known !== undefined) this.#client.hear(known);
      },
      died: (death: Death) => {
        if (isWithin(owner, death.address)) this.#client.orphan(death);
      },
    });
    clients.add(this.#client);
    this.#tellOwnerElsewhere({ type: 'here' });
  }

  readonly #tellOwnerHere = (message: ToOwner): void => this.#owner!.receive(router.selfAddress(), message);

  readonly #tellOwnerElsewhere = (message: ToOwner): void => {
    router.post(ownerOf(this.#ref!), this.#ref!, message);
  };

  async #waitToPut(item: Packed, limits: WaitOptions): Promise<void> {
    const { puts } = this.#client;
    await waitFor<void>(limits, (settle, fail, release) => {
      let refusal: (error: Error) => unknown = (error) => error;
      const putter: Putter = {
        item, now: asksOnce(limits.timeoutMs), settle, release,
        fail: (error) => {
          bringHome(item);
          fail(error instanceof QueueFull ? refusal(error) : error);
        },
      };
      puts.wait(putter);
      return {
        lapsed: () => {
          refusal = () => this.#client.full(limits.timeoutMs);
          puts.withdraw(putter);
        },
        aborted: (reason) => {
          refusal = () => reason;
          puts.withdraw(putter);
        },
      };
    });
    if (!mayServeAtOnce()) await afterTurn(); // Those who put into a queue in their own process.
  }

  async #waitToGet(limits: WaitOptions): Promise<unknown> {
    const { gets } = this.#client;
    return unpack(await waitFor<Packed>(limits, (settle, fail) => {
      let hasLapsed = false;
      const getter: Getter = {
        now: asksOnce(limits.timeoutMs), settle,
        fail: (error) => fail(hasLapsed && error instanceof QueueEmpty ? this.#client.empty(limits.timeoutMs) : error),
      };
      gets.wait(getter);
      return {
        lapsed: () => {
          hasLapsed = true;
          gets.withdraw(getter);
        },
        aborted: (reason) => {
          gets.callOff(getter);
          fail(reason);
        },
      };
    }));
  }
}

function nothing(): void {}
