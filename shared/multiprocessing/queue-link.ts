// Connects a seat at a Queue (queue-seat.ts) with the owner, here (queue-owner.ts) or in another process, and turns its
// waiting into promises. Queue and JoinableQueue stand on it.
import { ticketsOf } from './codec.ts';
import type { Ticket } from './codec.ts';
import type { Death } from './errors.ts';
import { waitBegins, waitEnds } from './keep-alive.ts';
import { onLeave } from './leaving.ts';
import { carry } from './parcel.ts';
import { encodedPart, pack, packLater, unpack } from './queue-item.ts';
import type { Item } from './queue-item.ts';
import type { FromOwner, ToOwner } from './queue-messages.ts';
import { QueueOwner } from './queue-owner.ts';
import { QueueSeat } from './queue-seat.ts';
import * as router from './router.ts';
import { asksOnce, limitTime } from './time-limit.ts';
import { afterThis, mayServeAtOnce, nextTurn, tellNow, tellSoon } from './turn.ts';

export type QueueKind = 'Queue' | 'JoinableQueue';
const KINDS: readonly string[] = ['Queue', 'JoinableQueue'] satisfies QueueKind[];

const DONE = Promise.resolve();

/** The seats at queues that live elsewhere. */
const seats = new Set<QueueSeat>();
onLeave(() => {
  const well = Number(process.exitCode ?? 0) === 0;
  for (const seat of seats) seat.leave(well);
});

/** The queues that were closed and forgotten here. Should one come back, it is closed. */
const closedAndGone = new Set<number>();

/** What tells a queue from others that were made here. */
function numberOf(ref: string): number {
  return Number(ref.slice(ref.lastIndexOf('-') + 1));
}
const now = (): number => performance.now();

export class QueueLink {
  readonly kind: QueueKind;
  readonly maxsize: number;
  readonly #seat: QueueSeat;
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
    const tell = atHome ? this.#tellOwnerHere : this.#tellOwnerElsewhere;
    const hurry = (): void => {
      tellNow();
      this.#owner?.settle();
      router.flush();
    };
    this.#seat = new QueueSeat(maxsize, joinable, { atHome, tell, hurry, now, mayServeAtOnce, nextTurn, tellSoon });
    if (ref === undefined) this.#owner = this.#makeOwner(joinable);
    else this.#sitDown(ref);
  }

  put(item: unknown, timeoutMs: number | undefined): Promise<void> {
    const { putters } = this.#seat;
    try {
      this.#seat.aboutToPut();
      if (!putters.isReady()) return this.#waitToPut(packLater(item), timeoutMs);
      putters.put(pack(item));
      return DONE;
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  get(timeoutMs: number | undefined): Promise<unknown> {
    const { getters } = this.#seat;
    try {
      this.#seat.aboutToGet();
      if (!getters.isReady()) return this.#waitToGet(timeoutMs);
      return Promise.resolve(unpack(getters.take()));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  size(): Promise<number> {
    return this.#ask('size');
  }

  async endOfWork(): Promise<void> {
    await this.#ask('end of work');
  }

  /** Says that one of the items that were taken here is done, the first. @returns Whether there was one. */
  finishOne(): boolean {
    return this.#seat.finishOne();
  }

  async close(): Promise<void> {
    this.#seat.mustLive();
    this.#seat.close();
  }

  /**
   * The program has forgotten the queue. @returns Whether nothing of it is left here: if others have it still, or it is
   * on its way to them, a new owner takes the place of this one.
   */
  isGone(): boolean {
    const ref = this.#ref!;
    if (!this.#seat.isIdle || this.#owner?.isUnused === false) return false;
    if (this.#owner === undefined) this.#tellOwnerElsewhere({ type: 'gone' });
    else if (this.#owner.isClosed) closedAndGone.add(numberOf(ref));
    router.removeEndpoint(ref);
    seats.delete(this.#seat);
    return true;
  }

  /** The owner again of a queue that was made here, and was forgotten. */
  static again(ref: string): QueueLink {
    const [, kind, maxsize] = /\.(.*)\.(.*)-/.exec(ref)!;
    const link = new QueueLink(kind as QueueKind, Number(maxsize));
    link.#open(ref);
    if (closedAndGone.delete(numberOf(ref))) link.#seat.close();
    return link;
  }

  /** Gets what came for the queue when nobody had it. */
  receive(from: string, message: unknown): void {
    this.#owner?.receive(from, message as ToOwner);
  }

  /** How the queue travels: from now on others have to do with it. */
  travel(): Ticket {
    if (this.#ref === undefined) this.#open(router.newRef(`queue.${this.kind}.${this.maxsize}`));
    this.#owner?.travels();
    return { kind: this.kind, ref: this.#ref!, detail: this.maxsize };
  }

  #open(ref: string): void {
    const owner = this.#owner!;
    this.#ref = ref;
    router.addEndpoint(ref, {
      receive: (from, message) => owner.receive(from, message as ToOwner),
      attached: (from) => owner.attached(from),
      died: (death) => owner.died(death),
    });
  }

  #makeOwner(joinable: boolean): QueueOwner {
    const self = router.selfAddress();
    return new QueueOwner(this.maxsize, joinable, {
      self,
      tell: (to, message) => {
        if (to === self) this.#seat.hear(message);
        else router.post(to, this.#ref!, message);
      },
      arrives: (item) => {
        carry(item);
        tellKept(item, 1);
      },
      returns: carry,
      leaves: (item) => tellKept(item, -1),
      now,
      afterThis,
      after: (ms, work) => setTimeout(work, ms).unref(),
    });
  }

  #sitDown(ref: string): void {
    const owner = router.ownerOf(ref);
    router.addEndpoint(ref, {
      receive: (_from, message) => this.#seat.hear(message as FromOwner),
      died: (death: Death) => {
        if (router.isWithin(owner, death.address)) this.#seat.orphan(death);
      },
    });
    seats.add(this.#seat);
    this.#tellOwnerElsewhere({ type: 'here' });
  }

  readonly #tellOwnerHere = (message: ToOwner): void => this.#owner!.receive(router.selfAddress(), message);

  readonly #tellOwnerElsewhere = (message: ToOwner): void => {
    router.post(router.ownerOf(this.#ref!), this.#ref!, message);
  };

  #waitToPut(item: () => Item, timeoutMs: number | undefined): Promise<void> {
    const { putters } = this.#seat;
    return waitFor<void>(timeoutMs, (now, settle, fail) => {
      const putter = { now, item, settle, fail };
      putters.wait(putter);
      return () => {
        putters.withdraw(putter);
        fail(this.#seat.full(timeoutMs));
      };
    });
  }

  async #waitToGet(timeoutMs: number | undefined): Promise<unknown> {
    const { getters } = this.#seat;
    return unpack(await waitFor<Item>(timeoutMs, (now, settle, fail) => {
      const getter = { now, settle, fail };
      getters.wait(getter);
      return () => {
        getters.withdraw(getter);
        fail(this.#seat.empty(timeoutMs));
      };
    }));
  }

  async #ask(about: 'size' | 'end of work'): Promise<number> {
    this.#seat.mustLive();
    return await waitFor<number>(undefined, (_now, settle, fail) => {
      this.#seat.ask(about, settle, fail);
      return () => {};
    });
  }
}

/** The owners of the queues in an item learn that it is kept here, or no longer. */
function tellKept(item: Item, more: 1 | -1): void {
  for (const { kind, ref } of ticketsOf(encodedPart(item))) {
    if (!KINDS.includes(kind)) continue;
    router.post(router.ownerOf(ref), ref, { type: 'kept', more } satisfies ToOwner);
  }
}

/**
 * A promise of what `begin` waits for. It calls `settle` or `fail`, possibly at once, and returns what is to be done
 * when the time has run out. `now`: it must not wait at all.
 */
async function waitFor<T>(
  timeoutMs: number | undefined,
  begin: (now: boolean, settle: (value: T) => void, fail: (error: Error) => void) => () => void,
): Promise<T> {
  const now = asksOnce(timeoutMs);
  let timer: NodeJS.Timeout | undefined;
  waitBegins();
  try {
    return await new Promise<T>((settle, fail) => {
      let tooLate = (): void => {};
      if (!now) timer = limitTime(timeoutMs, () => tooLate());
      tooLate = begin(now, settle, fail);
    });
  } finally {
    clearTimeout(timer);
    waitEnds();
  }
}
