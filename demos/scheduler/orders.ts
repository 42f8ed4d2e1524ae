// All orders in which the processes can be chosen: how many there are, and how many of them sell too much. Pure.
// Used by telling.ts.
import { choose, isOver, soldIn, TICKETS } from './model.ts';
import type { State } from './model.ts';

export interface Orders {
  readonly all: number;
  /** In so many of them more tickets are sold than there were. */
  readonly oversold: number;
}

/** Counts them from that state on. A choice of which nothing comes does not make another order. */
export function ordersFrom(state: State, known = new Map<string, Orders>()): Orders {
  if (isOver(state)) return { all: 1, oversold: soldIn(state) > TICKETS ? 1 : 0 };
  const key = JSON.stringify(state);
  const found = known.get(key);
  if (found !== undefined) return found;
  const orders = { all: 0, oversold: 0 };
  for (const who of state.players.keys()) {
    const next = choose(state, who).state;
    if (next === state) continue;
    const { all, oversold } = ordersFrom(next, known);
    orders.all += all;
    orders.oversold += oversold;
  }
  known.set(key, orders);
  return orders;
}
