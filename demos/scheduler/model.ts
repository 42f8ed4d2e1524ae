// What the processes of scheduler.ts do at each step, as a function of who is chosen. Pure: what happens in the real
// ones is compared with it, and all orders can be gone through (orders.ts).
import type { Step as BuyingStep } from '../stage/buy-ticket.ts';

export type Step = 'lock' | BuyingStep | 'unlock';

export const TICKETS = 1;

/** Where a process is: what it says of itself before each step, and what the model says that it should. */
export interface Player {
  /** undefined: it has come to its end. */
  readonly next: Step | undefined;
  /** It has asked for the lock, and another has it. */
  readonly isWaiting: boolean;
  readonly hasRead: number | undefined;
  readonly hasTicket: boolean;
}

export interface State {
  readonly withLock: boolean;
  /** What the file says. */
  readonly left: number;
  readonly players: readonly Player[];
  /** Who has the lock: the index of a player, as everywhere here. */
  readonly holder: number | undefined;
  /** Who waits for it, in the order of asking. */
  readonly waiting: readonly number[];
}

/** What came of a choice. `waits` and `ended`: nothing. */
export type Outcome =
  | { readonly what: 'locked' | 'ended'; readonly who: number }
  /** `holder` has the lock. `asked`: it has asked just now. */
  | { readonly what: 'asked' | 'waits'; readonly who: number; readonly holder: number }
  | { readonly what: 'read'; readonly who: number; readonly count: number }
  | { readonly what: 'compared'; readonly who: number; readonly count: number; readonly buys: boolean }
  | { readonly what: 'wrote'; readonly who: number; readonly count: number; readonly sold: number }
  /** `heir` has waited, and has the lock now. */
  | { readonly what: 'unlocked'; readonly who: number; readonly heir: number | undefined };

export interface Turn {
  readonly state: State;
  readonly outcome: Outcome;
}

/** The steps of a process, in their order. */
export function stepsOf(withLock: boolean): readonly Step[] {
  return withLock ? ['lock', 'read', 'compare', 'write', 'unlock'] : ['read', 'compare', 'write'];
}

/** All are before their first step. */
export function beginning(players: number, withLock: boolean): State {
  const player: Player = { next: stepsOf(withLock)[0], isWaiting: false, hasRead: undefined, hasTicket: false };
  return {
    withLock, left: TICKETS, players: Array.from({ length: players }, () => player), holder: undefined, waiting: [],
  };
}

/** One goes on by a step, if it can. If it cannot, the state is the same object. */
export function choose(state: State, who: number): Turn {
  const player = state.players[who]!;
  const { next, isWaiting, hasRead = 0 } = player;
  const to = (changes: Partial<Player>, others: Partial<State> = {}): State => change(state, who, changes, others);
  if (isWaiting) return { state, outcome: { what: 'waits', who, holder: state.holder! } };
  switch (next) {
    case undefined:
      return { state, outcome: { what: 'ended', who } };
    case 'lock': {
      const { holder } = state;
      if (holder === undefined) {
        return { state: to({ next: 'read' }, { holder: who }), outcome: { what: 'locked', who } };
      }
      const waiting = [...state.waiting, who];
      return { state: to({ isWaiting: true }, { waiting }), outcome: { what: 'asked', who, holder } };
    }
    case 'read':
      return {
        state: to({ next: 'compare', hasRead: state.left }), outcome: { what: 'read', who, count: state.left },
      };
    case 'compare': {
      const buys = hasRead > 0;
      return {
        state: to({ next: buys ? 'write' : afterBuying(state) }),
        outcome: { what: 'compared', who, count: hasRead, buys },
      };
    }
    case 'write': {
      const left = hasRead - 1;
      const after = to({ next: afterBuying(state), hasTicket: true }, { left });
      return { state: after, outcome: { what: 'wrote', who, count: left, sold: soldIn(after) } };
    }
    case 'unlock': {
      const [heir, ...waiting] = state.waiting;
      const free = to({ next: undefined }, { holder: heir, waiting });
      return {
        state: heir === undefined ? free : change(free, heir, { next: 'read', isWaiting: false }),
        outcome: { what: 'unlocked', who, heir },
      };
    }
  }
}

/** How many have a ticket. */
export function soldIn({ players }: State): number {
  return players.filter(({ hasTicket }) => hasTicket).length;
}

export function isOver({ players }: State): boolean {
  return players.every(({ next }) => next === undefined);
}

/** Whether it is about to write what it made of a number that the file no longer says. */
export function isOutdated({ players, left }: State, who: number): boolean {
  const { next, hasRead } = players[who]!;
  return next === 'write' && hasRead !== left;
}

function afterBuying({ withLock }: State): Step | undefined {
  return withLock ? 'unlock' : undefined;
}

function change(state: State, who: number, changes: Partial<Player>, others: Partial<State> = {}): State {
  return {
    ...state, ...others,
    players: state.players.map((player, i) => (i === who ? { ...player, ...changes } : player)),
  };
}
