// The hub of one Pipe: where each of its two ends is, and what is on the way to it. Lives in the process that made the
// pipe, which hears when any of the others dies. Used by pipe.ts.
//
// An end is at home in one process at a time. The hub keeps every value until the end that it is for says that it was
// read: so an end can move at any time, from any process to any other, and the hub sends the new home what is unread.
// An end that was passed on is on its way until a process that has received it claims it; so long the process that
// passed it on, or the one that keeps the message with the end in it, answers for it: the end dies with that process.
import { isWithin } from '../base/address.ts';
import { Fifo } from '../base/fifo.ts';
import { Keeper, refuseCustody } from '../transport/custody.ts';
import { claimRef, pipeOf, readClaim, readToHub, refOf, sideOf } from './messages.ts';
import type { Ending, FromHub, Side, ToHub } from './messages.ts';
import { minus, NOTHING, plusOne } from './window.ts';
import type { Load } from './window.ts';
import { sizeOf } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import * as router from '../transport/router.ts';

interface End {
  /** The process that answers for the end; undefined while the end is on its way and its sender left in good order. */
  home: string | undefined;
  /** It is at home there, and not on its way. */
  here: boolean;
  trip: number;
  /** With its size as it was sent: a reader in this process may change what it has taken. */
  readonly unread: Fifo<{ readonly item: Packed; readonly bytes: number }>;
  /** All of that. */
  load: Load;
  readonly keeper: Keeper;
  ending: Ending | undefined;
}

/** The hubs that other processes may have to do with, by the names of their pipes. */
const hubs = new Map<string, PipeHub>();

/** The hub of a pipe that was made here; undefined when the pipe is over, or never left. */
export function findHub(pipe: string): PipeHub | undefined {
  return hubs.get(pipe);
}

export class PipeHub {
  readonly #tellLocal: (side: Side, message: FromHub) => void;
  readonly #ends: [End, End] = [newEnd(), newEnd()];
  #pipe: string | undefined;

  /** @param tellLocal Reaches the ends in this very process. */
  constructor(tellLocal: (side: Side, message: FromHub) => void) {
    this.#tellLocal = tellLocal;
  }

  /** Makes the hub known to other processes. @returns The name of that end. */
  open(side: Side): string {
    this.#pipe ??= router.newRef('pipe');
    if (!hubs.has(this.#pipe)) {
      hubs.set(this.#pipe, this);
      router.addEndpoint(refOf(this.#pipe, 0), this.#endpoint(0));
      router.addEndpoint(refOf(this.#pipe, 1), this.#endpoint(1));
      router.addEndpoint(claimRef(router.selfAddress()), { receive: receiveClaim, died: () => {} });
    }
    return refOf(this.#pipe, side);
  }

  /** An end has arrived in the process at `from`. */
  claim(side: Side, from: string, trip: number): void {
    const end = this.#ends[side];
    const mate = this.#mate(side);
    if (end.ending !== undefined || end.here || end.trip !== trip) {
      this.#tell(side, from, { type: 'refused', trip, ending: end.ending ?? { type: 'elsewhere' } });
      return;
    }
    this.#answersNow(side, from);
    this.#isHere(end, true);
    this.#tell(side, from, { type: 'welcome', trip, load: mate.load });
    for (const { item } of end.unread) this.#tell(side, from, { type: 'value', item });
    if (mate.ending !== undefined) this.#tell(side, from, { type: 'ended', ending: mate.ending });
    this.#closeIfOver();
  }

  receive(side: Side, from: string, message: ToHub): void {
    const end = this.#ends[side];
    if (end.home !== from || end.ending !== undefined) return; // It came from where the end is no longer.
    switch (message.type) {
      case 'value':
        this.#bring(this.#mate(side), message.item, side);
        break;
      case 'read':
        this.#wasRead(side, message.count);
        break;
      case 'ask':
        this.#answer(side, from, message.id);
        break;
      case 'pass':
        this.#wasRead(side, message.read);
        this.#isHere(end, false);
        end.trip = message.trip;
        break;
      case 'left':
        if (!end.here) end.home = undefined;
        break;
      case 'given':
        if (!end.here) this.#given(side, message.to);
        break;
      case 'lost':
        if (!end.here && end.trip === message.trip) this.#finish(side, { type: 'closed' });
        break;
      case 'close':
        this.#finish(side, { type: 'closed' });
        break;
    }
  }

  #endpoint(side: Side): router.Endpoint {
    return {
      receive: (from, body) => {
        const message = readToHub(body);
        if (message !== undefined) this.receive(side, from, message);
      },
      attached: (from) => {
        const end = this.#ends[side];
        if (!end.here && end.ending === undefined) this.#answersNow(side, from);
      },
      died: (death) => {
        const { home, ending } = this.#ends[side];
        if (home !== undefined && ending === undefined && isWithin(home, death.address)) {
          this.#finish(side, { type: 'died', death });
        }
      },
    };
  }

  #mate(side: Side): End {
    return this.#ends[other(side)];
  }

  #answersNow(side: Side, home: string): void {
    const end = this.#ends[side];
    if (end.home !== undefined && end.home !== home) this.#tell(side, end.home, { type: 'gone', trip: end.trip });
    end.home = home;
  }

  /** What is unread can be taken elsewhere unless the end is at home in this very process. */
  #isHere(end: End, isHere: boolean): void {
    end.here = isHere;
    end.keeper.offer(!isHere || end.home !== router.selfAddress());
  }

  /** Who never had to do with this process would not be heard to die; and who is dead is told of by what comes back. */
  #given(side: Side, to: string): void {
    this.#answersNow(side, to);
    if (to !== router.selfAddress()) router.post(to, refOf(this.#pipe!, side), router.ATTACH);
  }

  #bring(end: End, item: Packed, from: Side): void {
    if (end.ending !== undefined) {
      refuseCustody(item); // The sender has been told already, or is being told.
      return;
    }
    end.keeper.take(item);
    const bytes = sizeOf(item);
    end.unread.push({ item, bytes });
    end.load = plusOne(end.load, bytes);
    if (end.here) this.#tell(other(from), end.home!, { type: 'value', item });
  }

  #wasRead(side: Side, count: number): void {
    if (count === 0) return;
    const end = this.#ends[side];
    let load = NOTHING;
    for (let i = 0; i < count && end.unread.length > 0; i++) {
      const { item, bytes } = end.unread.shift()!;
      load = plusOne(load, bytes);
      end.keeper.letGo(item);
    }
    end.load = minus(end.load, load);
    this.#tellIfHere(other(side), { type: 'credit', load });
  }

  #answer(side: Side, from: string, id: number): void {
    const answer = (): void => this.#tell(side, from, { type: 'answer', id });
    // What other processes sent must have its chance to come in: after two 'check' phases there was a 'poll' phase.
    if (from === router.selfAddress()) setImmediate(() => setImmediate(answer));
    else answer();
  }

  #finish(side: Side, ending: Ending): void {
    const end = this.#ends[side];
    end.ending = ending;
    const death = ending.type === 'died' ? ending.death : null;
    for (const { item } of end.unread.takeAll()) end.keeper.drop(item, death);
    this.#tellIfHere(other(side), { type: 'ended', ending });
    this.#closeIfOver();
  }

  /** With one end over and the other one not elsewhere, nobody else is left to hear from: an unused pipe is garbage. */
  #closeIfOver(): void {
    const self = router.selfAddress();
    const isNowhereElse = this.#ends.every((end) => end.ending !== undefined || (end.here && end.home === self));
    if (this.#pipe === undefined || !isNowhereElse || this.#ends.every((end) => end.ending === undefined)) return;
    hubs.delete(this.#pipe);
    router.removeEndpoint(refOf(this.#pipe, 0));
    router.removeEndpoint(refOf(this.#pipe, 1));
  }

  #tellIfHere(side: Side, message: FromHub): void {
    const { home, here, ending } = this.#ends[side];
    if (here && ending === undefined) this.#tell(side, home!, message);
  }

  #tell(side: Side, to: string, message: FromHub): void {
    if (to === router.selfAddress()) this.#tellLocal(side, message);
    else router.post(to, refOf(this.#pipe!, side), message);
  }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}

function newEnd(): End {
  return {
    home: router.selfAddress(), here: true, trip: 0, unread: new Fifo(), load: NOTHING, keeper: new Keeper(false),
    ending: undefined,
  };
}

function receiveClaim(from: string, body: unknown): void {
  const claim = readClaim(body);
  if (claim === undefined) return;
  const { ref, trip } = claim;
  const hub = hubs.get(pipeOf(ref));
  if (hub !== undefined) hub.claim(sideOf(ref), from, trip);
  else router.post(from, ref, { type: 'refused', trip, ending: { type: 'closed' } } satisfies FromHub);
}
