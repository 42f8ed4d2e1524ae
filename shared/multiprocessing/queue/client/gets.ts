// The getting half of a process's client of a Queue: who of this process waits, what came ahead of its asking and is
// not taken yet, and what the owner must learn of it. Pure: it is told what came and tells what to send. Used by
// client.ts.
//
// What came ahead is used in the burst of gets for which it came: when this process does anything else, its event loop
// turns or it tells others something, the rest goes back. So it holds items that others may need only while it computes
// in the very turn in which one get after the other was called; and when it then comes back late, the rest goes back as
// well.
import { Fifo } from '../../base/fifo.ts';
import type { ClientHost } from './host.ts';
import type { Packed } from '../../values/packed.ts';

/** The next get of a burst comes sooner than this, in milliseconds. */
const QUICK_MS = 1;
/** So many gets in a row must be quick until items come ahead. */
const QUICK_GETS = 4;
/** The most that are asked for ahead. */
const MOST_AHEAD = 512;

/** A get that waits. */
export interface Getter {
  /** It is refused as soon as it is clear that it cannot be served. */
  now: boolean;
  readonly settle: (item: Packed) => void;
  readonly fail: (error: Error) => void;
  /** The owner's name for it; undefined: it has not been asked yet. */
  id?: number;
  /** It has been settled, or called off. */
  isOver?: boolean;
}

export class Gets {
  readonly #host: ClientHost;
  readonly #joinable: boolean;
  #lastId = 0;
  /** Asked at the owner, in this order. */
  readonly #waiting = new Map<number, Getter>();
  /** Called off, and the owner has not answered yet: an item may be on its way. */
  readonly #calledOff = new Set<number>();
  /** They are served when the event loop has turned. */
  readonly #paused = new Fifo<Getter>();
  /** What came and is not taken, in the order in which it came. */
  readonly #stock = new Fifo<Packed>();
  /** The first so many of these came for gets that had been called off. */
  #crossed = 0;
  #inWork = 0;
  /** What the owner has not been told. */
  #taken = 0;
  #done = 0;
  #tellsSoon = false;
  /** Whether the last item was taken in what runs now, and when, and how many gets in a row were quick. */
  #isInBurst = false;
  #takenAt = -Infinity;
  #quickGets = 0;
  #ahead = 0;

  constructor(joinable: boolean, host: ClientHost) {
    this.#joinable = joinable;
    this.#host = host;
  }

  /** How many items the gets of this process have returned that are not done. */
  get inWork(): number {
    return this.#inWork;
  }

  /** Whether nobody waits, nothing is here or in work, and all is told. */
  get isIdle(): boolean {
    const nobodyWaits = this.#waiting.size === 0 && this.#paused.length === 0 && this.#calledOff.size === 0;
    return nobodyWaits && this.#stock.length === 0 && this.#inWork === 0 && !this.#tellsSoon;
  }

  /** A get begins: what was taken before is used, unless it is to be done. @returns An item, if there is one for it. */
  begin(): { readonly item: Packed } | undefined {
    if (!this.#joinable) this.finish(this.#inWork);
    const isQuick = this.#isInBurst && this.#host.now() - this.#takenAt < QUICK_MS;
    this.#quickGets = isQuick ? this.#quickGets + 1 : 0;
    if (!isQuick) this.#ahead = 0;
    if (this.#paused.length > 0 || !this.#host.mayServeAtOnce()) return undefined;
    if (this.#stock.length === 0) return this.#host.atHome ? this.#takeHere() : undefined;
    const item = this.#take();
    if (isQuick || this.#stock.length === 0) this.#tellSoon();
    else this.#giveBackNow();
    return { item };
  }

  /** Waits for an item, after {@link begin} has found none; `settle` or `fail` is called once, possibly at once. */
  wait(getter: Getter): void {
    const mustPause = this.#stock.length > 0 || (this.#host.atHome && !this.#host.mayServeAtOnce());
    if (!mustPause && this.#paused.length === 0) {
      this.#ask(getter);
    } else {
      this.#paused.push(getter);
      if (this.#paused.length === 1) this.#host.nextTurn(() => this.#goOn());
    }
  }

  /** A get does not want to wait any longer. Unless an item comes for it all the same, `fail` is called. */
  withdraw(getter: Getter): void {
    getter.now = true;
    if (getter.id !== undefined && this.#waiting.has(getter.id)) {
      this.#host.tell({ type: 'withdraw get', id: getter.id, aborted: false });
    }
  }

  /** A get was aborted: nothing comes for it any more. */
  callOff(getter: Getter): void {
    getter.isOver = true;
    if (getter.id !== undefined && this.#waiting.delete(getter.id)) this.#callOff(getter.id);
  }

  /** So many more, the first that were taken of those that are not done, need never come back. */
  finish(count: number): void {
    if (count === 0) return;
    this.#inWork -= count;
    this.#done += count;
    this.#tellSoon();
  }

  /** An item came for that get, and perhaps more, ahead. */
  receive(id: number, items: readonly Packed[]): void {
    const getter = this.#waiting.get(id);
    if (getter !== undefined) {
      this.#waiting.delete(id);
      this.#settle(getter, items[0]);
    } else if (this.#calledOff.delete(id)) {
      this.#crossed++;
      this.#stock.push(items[0]);
    } else {
      return; // Nobody asked for it.
    }
    for (let i = 1; i < items.length; i++) this.#stock.push(items[i]);
    // Who still waits takes of these what is older than what would come for it.
    if (this.#stock.length > 0) for (const [otherId, other] of this.#waiting) {
      if (this.#stock.length === 0) break;
      this.#waiting.delete(otherId);
      this.#callOff(otherId);
      this.#settle(other, this.#takeOut());
    }
    this.#tellSoon();
  }

  /** Nothing comes for that get. */
  fail(id: number, error: Error): void {
    const getter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#calledOff.delete(id)) this.#tellSoon();
    getter?.fail(error);
  }

  /** Others need what came ahead. */
  recall(): void {
    this.#quickGets = 0;
    this.#ahead = 0;
    this.#servePaused();
    this.#giveBackWhatIsLeft();
  }

  /** Others need what came back from here: says so if nobody here wants it, once this process has had its turn. */
  probe(): void {
    this.#host.nextTurn(() => {
      if (this.#waiting.size === 0 && this.#paused.length === 0) this.#host.tell({ type: 'idle' });
    });
  }

  /** Nothing can be taken any more. */
  close(error: Error): void {
    this.#stock.takeAll();
    this.#calledOff.clear();
    this.#inWork = this.#taken = this.#done = 0;
    for (const id of [...this.#waiting.keys()]) this.fail(id, error);
    for (const getter of this.#paused.takeAll()) getter.fail(error);
  }

  /** Tells the owner what was taken and done, and gives back what no get here waits for. */
  send(): void {
    this.#tellsSoon = false;
    this.#isInBurst = false;
    this.#report();
    if (this.#paused.length === 0) this.#giveBackWhatIsLeft();
  }

  #ask(getter: Getter): void {
    if (getter.isOver === true) return;
    const id = ++this.#lastId;
    getter.id = id;
    this.#waiting.set(id, getter);
    if (this.#quickGets >= QUICK_GETS) this.#ahead = Math.min(MOST_AHEAD, Math.max(1, this.#ahead * 2));
    const ahead = this.#host.atHome || this.#quickGets < QUICK_GETS ? 0 : this.#ahead;
    const [taken, done] = [this.#taken, this.#done];
    this.#taken = 0;
    this.#done = 0;
    this.#host.tell({ type: 'get', id, now: getter.now, ahead, taken, done });
  }

  #callOff(id: number): void {
    this.#calledOff.add(id);
    this.#host.tell({ type: 'withdraw get', id, aborted: true });
    this.#host.flush(); // Who calls it off may compute then, and must not be sent an item meanwhile.
  }

  #goOn(): void {
    this.#servePaused();
    while (this.#paused.length > 0) {
      const getter = this.#paused.shift()!;
      const here = getter.isOver !== true && this.#host.atHome ? this.#takeHere() : undefined;
      if (here === undefined) this.#ask(getter);
      else getter.settle(here.item);
    }
  }

  #servePaused(): void {
    while (this.#stock.length > 0 && this.#paused.length > 0) {
      const getter = this.#paused.shift()!;
      if (getter.isOver !== true) this.#settle(getter, this.#takeOut());
    }
    this.#tellSoon();
  }

  #takeHere(): { readonly item: Packed } | undefined {
    const here = this.#host.takeHere();
    if (here !== undefined) this.#inWork++;
    return here;
  }

  #settle(getter: Getter, item: Packed): void {
    this.#tookOne();
    getter.settle(item);
  }

  #take(): Packed {
    this.#tookOne();
    return this.#takeOut();
  }

  #takeOut(): Packed {
    if (this.#crossed > 0) this.#crossed--;
    else this.#taken++;
    return this.#stock.shift();
  }

  #tookOne(): void {
    this.#inWork++;
    this.#isInBurst = true;
    this.#takenAt = this.#host.now();
  }

  #giveBackNow(): void {
    this.#report();
    this.#giveBackWhatIsLeft();
    this.#host.flush();
  }

  /** What comes behind the stock must have come, or the owner could not tell what of all that it sent comes back. */
  #giveBackWhatIsLeft(): void {
    if (this.#stock.length === 0 || this.#calledOff.size > 0) return;
    const count = this.#stock.takeAll().length;
    this.#crossed = 0;
    this.#report();
    this.#host.tell({ type: 'back', count });
  }

  #report(): void {
    if (this.#taken === 0 && this.#done === 0) return;
    const [taken, done] = [this.#taken, this.#done];
    this.#taken = 0;
    this.#done = 0;
    this.#host.tell({ type: 'used', taken, done });
  }

  #tellSoon(): void {
    if (this.#tellsSoon) return;
    this.#tellsSoon = true;
    this.#host.tellSoon(() => this.send());
  }
}
