// References of a primitive that travel in a model: processes keep values with it for others, who take them, seldom, or
// die. What is on its way between two processes the owner cannot know of. Used by synchronize-model.ts.
import { isWithin } from '../../shared/multiprocessing/base/address.ts';
import type { Death } from '../../shared/multiprocessing/index.ts';
import type { KeptMessage } from '../../shared/multiprocessing/base/kept.ts';

export interface Traveller {
  readonly address: string;
  alive: boolean;
  /** It has the primitive. */
  has: boolean;
}

/** One who keeps values, and who else can take them as far as it knows. */
interface Place<Member> {
  readonly keeper: Member;
  readonly takers: Member[];
  count: number;
}

export class TravellingModel<Member extends Traveller> {
  readonly #places: Place<Member>[];
  readonly #random: () => number;
  readonly #tell: (from: Member, message: KeptMessage) => void;
  readonly #arrives: (at: Member) => void;
  /** What is on its way, and what becomes of it. */
  readonly #flights: (() => void)[] = [];
  /** The deaths of which a keeper has not heard. */
  readonly #news: { readonly place: Place<Member>; readonly death: Death }[] = [];

  /** @param tell Brings a message to the owner. @param arrives The primitive has come to a process. */
  constructor(
    members: readonly Member[], random: () => number,
    tell: (from: Member, message: KeptMessage) => void, arrives: (at: Member) => void,
  ) {
    this.#random = random;
    this.#tell = tell;
    this.#arrives = arrives;
    this.#places = members.filter(() => random() < 0.5).map((keeper) => {
      const takers = members.filter((other) => other !== keeper && random() < 0.4);
      return { keeper, takers, count: 0 };
    });
  }

  get isQuiet(): boolean {
    return this.#flights.length + this.#news.length === 0;
  }

  /** What may happen next. @param mayAct Whether anybody sends or takes. */
  events(mayAct: boolean, members: readonly Member[]): (() => void)[] {
    const events = [...this.#flights, ...this.#news.map((news) => () => this.#hears(news))];
    if (!mayAct) return events;
    for (const place of this.#places) {
      const { keeper, takers, count } = place;
      if (!keeper.alive) continue;
      for (const member of members) if (member.alive && member.has && this.#random() < 0.05) {
        events.push(() => this.#fly(keeper, () => this.#keeps(place, 1)));
      }
      for (const taker of count > 0 ? [keeper, ...takers] : []) if (taker.alive && this.#random() < 0.02) {
        events.push(() => {
          if (taker !== keeper) this.#fly(taker, () => this.#arrives(taker));
          else this.#arrives(keeper);
          this.#keeps(place, -1);
        });
      }
    }
    return events;
  }

  died(death: Death): void {
    for (const place of this.#places) {
      if (place.keeper.alive) this.#news.push({ place, death });
      else place.count = 0;
    }
  }

  /** Whether a living process, other than these, can still get it. */
  canBeGot(besides: (member: Member) => boolean): boolean {
    return this.#places.some(({ keeper, takers, count }) =>
      count > 0 && keeper.alive && [keeper, ...takers].some((member) => member.alive && !besides(member)));
  }

  /** Whether one who is alive keeps some for others who are. */
  get isOffered(): boolean {
    return this.#places.some(({ keeper, takers, count }) =>
      count > 0 && keeper.alive && takers.some(({ alive }) => alive));
  }

  #fly(to: Member, land: () => void): void {
    const flight = (): void => {
      this.#flights.splice(this.#flights.indexOf(flight), 1);
      if (to.alive) land();
    };
    this.#flights.push(flight);
  }

  #keeps(place: Place<Member>, more: number): void {
    place.count += more;
    this.#tell(place.keeper, { type: 'kept', more, offered: place.takers.length > 0 ? more : 0, death: null });
  }

  #hears(news: { readonly place: Place<Member>; readonly death: Death }): void {
    this.#news.splice(this.#news.indexOf(news), 1);
    const { place: { keeper, takers, count }, death } = news;
    if (!keeper.alive || takers.length === 0) return;
    for (const taker of takers.filter(({ address }) => isWithin(address, death.address))) {
      takers.splice(takers.indexOf(taker), 1);
    }
    if (takers.length === 0 && count > 0) this.#tell(keeper, { type: 'kept', more: 0, offered: -count, death });
  }
}
