// What scheduler.ts says of a state, and of what came of a choice: sentences and a picture. Pure.
import { beginning, isOver, soldIn, stepsOf, TICKETS } from './model.ts';
import type { Outcome, Player, State, Step } from './model.ts';
import { ordersFrom } from './orders.ts';

/** What came of a choice, in one sentence. */
export function sentenceOf(outcome: Outcome): string {
  const name = `Process ${outcome.who + 1}`;
  switch (outcome.what) {
    case 'ended':
      return `${name} has come to its end, and does nothing more.`;
    case 'locked':
      return `${name} asks for the lock, and has it.`;
    case 'asked':
      return `${name} asks for the lock, and has to wait: process ${outcome.holder + 1} has it.`;
    case 'waits':
      return `${name} waits: it cannot go on before process ${outcome.holder + 1} releases the lock.`;
    case 'read':
      return `${name} reads the file: ${outcome.count} ${outcome.count === 1 ? 'is' : 'are'} left.`;
    case 'compared':
      return outcome.buys
        ? `${name} compares: ${outcome.count} is more than 0, so it will buy.`
        : `${name} compares: ${outcome.count} is not more than 0, so it does not buy.`;
    case 'wrote':
      return outcome.sold <= TICKETS
        ? `${name} writes ${outcome.count} into the file, and has the ticket.`
        : `${name} writes ${outcome.count} into the file as well, and has the ticket too: sold ${times(outcome.sold)}.`;
    case 'unlocked':
      return `${name} releases the lock`
        + (outcome.heir === undefined ? '.' : `, and process ${outcome.heir + 1}, which waits, gets it.`);
  }
}

/** The question before a round. */
export function firstQuestion(withLock: boolean): string {
  return withLock
    ? 'Now each takes a lock before it reads, and releases it at the end. Can the ticket still be sold twice?'
    : 'Can one ticket be sold twice?';
}

/** The question before a process writes what it made of a number that is out of date. */
export function secondQuestion({ players, left }: State, who: number): string {
  const { hasRead } = players[who]!;
  return `The file says ${left} by now, but process ${who + 1} has read ${hasRead}. Will it buy all the same?`;
}

/** How it was in the end, and how it would be with other choices. */
export function verdictOn(state: State): string {
  const { withLock, players } = state;
  const { all, oversold } = ordersFrom(beginning(players.length, withLock));
  const orders = `the ${all.toLocaleString('en')} orders in which these steps can come`;
  const sold = times(soldIn(state));
  if (withLock) return `Sold ${sold}, and so it is in each of ${orders}.`;
  const others = `in ${oversold.toLocaleString('en')} of ${orders} it is sold more than once`;
  return soldIn(state) > TICKETS
    ? `Sold ${sold}, and that is no rare bad luck: ${others}.`
    : `Sold ${sold}; but ${others}. Go back, and let all read before the first one writes.`;
}

/** `once`, `twice`, `3 times`. */
export function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}

/** What the keys do. */
export function keysIn(state: State): string {
  const { length } = state.players;
  const on = isOver(state) ? 'Enter goes on' : `1${length === 2 ? ' or ' : ' to '}${length}: who does its next step`;
  return `${on}   u: one step back   q leaves`;
}

/** The signs of the picture. */
export function legendOf(withLock: boolean): string {
  return `✓ done   ▸ next   · later   × left out${withLock ? '   … waits for the lock' : ''}`;
}

/** A line for each process, and one for what they share. @param paint Gives a line the colour of its process. */
export function pictureOf(state: State, paint: (who: number, line: string) => string): string {
  const { withLock, left, players, holder } = state;
  const rows = players.map((player, who) => {
    const steps = stepsOf(withLock).map((step) => `${signOf(player, step, withLock)}${step}`).join(' ');
    return paint(who, `  ${who + 1} ${steps}   ${memoryOf(player)}`.trimEnd());
  });
  const lock = holder === undefined ? 'nobody has the lock' : `process ${holder + 1} has the lock`;
  return [...rows, `  the file: ${left} left${withLock ? `; ${lock}` : ''}`].join('\n');
}

function signOf({ next, isWaiting, hasRead, hasTicket }: Player, step: Step, withLock: boolean): string {
  const steps = stepsOf(withLock);
  const at = next === undefined ? steps.length : steps.indexOf(next);
  if (steps.indexOf(step) > at) return '·';
  if (step === next) return isWaiting ? '…' : '▸';
  return step === 'write' && hasRead !== undefined && !hasTicket ? '×' : '✓';
}

function memoryOf({ next, hasRead, hasTicket }: Player): string {
  if (hasTicket) return 'has a ticket';
  if (next === undefined) return 'has none';
  return hasRead === undefined ? '' : `has read ${hasRead}`;
}
