// The pure part of the demo scheduler: every order in which its processes can be chosen, and what is said of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginning, choose, isOutdated, isOver, soldIn, stepsOf, TICKETS } from '../../demos/scheduler/model.ts';
import type { Outcome, State } from '../../demos/scheduler/model.ts';
import { ordersFrom } from '../../demos/scheduler/orders.ts';
import { keysIn, legendOf, pictureOf, secondQuestion, sentenceOf, verdictOn } from '../../demos/scheduler/telling.ts';
import { wrap } from '../../demos/stage/columns.ts';

const plain = (_: number, line: string): string => line;

/** Goes through all orders from a state on. @param see Is called with each choice of which something came. */
function explore(
  state: State, see: (before: State, after: State, outcome: Outcome) => void, path: readonly number[] = [],
): (readonly number[])[] {
  if (isOver(state)) return [path];
  const moves = state.players.map((_, who) => ({ who, ...choose(state, who) }))
    .filter((turn) => turn.state !== state);
  assert.ok(moves.length > 0, `nobody can go on after ${path.join(' ')}`);
  return moves.flatMap(({ who, state: after, outcome }) => {
    see(state, after, outcome);
    return explore(after, see, [...path, who]);
  });
}

/** The state after these choices. */
function after(withLock: boolean, ...path: number[]): State {
  return path.reduce((state, who) => choose(state, who).state, beginning(2, withLock));
}

for (const players of [2, 3]) {
  test(`with the lock, no order of ${players} processes sells too much, and all come to their ends`, () => {
    const ends: State[] = [];
    const paths = explore(beginning(players, true), (before, state, outcome) => {
      const inside = state.players.filter(({ next }) => next !== 'lock' && next !== undefined);
      assert.ok(inside.length <= 1, 'one at a time is between reading and writing');
      assert.equal(inside[0], state.holder === undefined ? undefined : state.players[state.holder]);
      assert.equal(outcome.what === 'unlocked' ? outcome.heir : undefined,
        outcome.what === 'unlocked' ? before.waiting[0] : undefined, 'who has asked first gets the lock first');
      assert.ok(before.players.every((_, who) => !isOutdated(before, who)));
      if (isOver(state)) ends.push(state);
    });
    assert.equal(paths.length, players === 2 ? 10 : 180);
    assert.equal(ends.length, paths.length);
    assert.ok(ends.every((end) => soldIn(end) === TICKETS && end.left === 0 && end.holder === undefined));
  });

  test(`without it, ${players} processes sell too much unless the first has written before another reads`, () => {
    const sold = new Map<string, number>();
    explore(beginning(players, false), () => {}).forEach((path) => {
      sold.set(path.join(''), soldIn(path.reduce((state, who) => choose(state, who).state, beginning(players, false))));
    });
    assert.equal(sold.size, players === 2 ? 20 : 1530);
    assert.equal(Math.max(...sold.values()), players);
    const exact = [...sold].filter(([, count]) => count === TICKETS);
    assert.equal(exact.length, players === 2 ? 2 : 18);
    // The first has written before any other reads.
    for (const [path] of exact) assert.match(path, /^(\d)\1\1/);
  });

  test(`the orders of ${players} processes are counted as if each was gone through`, () => {
    for (const withLock of [false, true]) {
      let oversold = 0;
      const first = beginning(players, withLock);
      const paths = explore(first, (_, state) => { if (isOver(state) && soldIn(state) > TICKETS) oversold += 1; });
      assert.deepEqual(ordersFrom(first), { all: paths.length, oversold });
    }
  });
}

test('whoever cannot go on is told why, and nothing changes', () => {
  const waiting = after(true, 0, 1);
  assert.deepEqual(choose(waiting, 1), { state: waiting, outcome: { what: 'waits', who: 1, holder: 0 } });
  assert.equal(choose(waiting, 1).state, waiting);
  const ended = after(false, 0, 0, 0);
  assert.equal(choose(ended, 0).state, ended);
  assert.match(sentenceOf(choose(ended, 0).outcome), /^Process 1 has come to its end/);
});

test('each choice is told in one sentence, and the picture fits and has no sign that the legend leaves out', () => {
  const kinds = new Set<string>();
  for (const withLock of [false, true]) {
    const legend = legendOf(withLock);
    explore(beginning(2, withLock), (before, state, outcome) => {
      for (const told of [outcome, ...before.players.map((_, who) => choose(before, who).outcome)]) {
        kinds.add(told.what);
        assert.match(sentenceOf(told), /^Process \d [^.]+\.$/);
      }
      const picture = pictureOf(state, plain);
      for (const sign of picture.match(/[^\x00-\x7f]/g)!) assert.ok(legend.includes(`${sign} `), sign);
      for (const line of picture.split('\n')) assert.ok(line.length <= 80, line);
    });
  }
  assert.deepEqual([...kinds].sort(),
    ['asked', 'compared', 'ended', 'locked', 'read', 'unlocked', 'waits', 'wrote']);
});

test('on 40 columns the steps of a process stay on one line, with the lock too', () => {
  for (const withLock of [false, true]) {
    const row = pictureOf(after(withLock, 0, 0), plain).split('\n')[0]!;
    const first = wrap(row, 40).split('\n')[0]!;
    for (const step of stepsOf(withLock)) assert.ok(first.includes(step), first);
  }
});

test('the question before a write that is out of date names both numbers', () => {
  const outdated = after(false, 0, 1, 0, 1, 0);
  assert.ok(isOutdated(outdated, 1));
  assert.match(secondQuestion(outdated, 1), /says 0 by now, but process 2 has read 1\./);
});

test('the end says how often it was sold, and in how many orders it is more than once', () => {
  assert.match(verdictOn(after(false, 0, 1, 0, 1, 0, 1)), /^Sold twice, .*: in 18 of the 20 orders/);
  assert.match(verdictOn(after(false, 0, 0, 0, 1, 1)), /^Sold once; but in 18 of the 20 orders .*\. Go back/);
  assert.match(verdictOn(after(true, 0, 0, 0, 0, 0, 1, 1, 1, 1)), /^Sold once, and so it is in each of the 10 orders/);
  assert.match(keysIn(after(false, 0, 0, 0, 1, 1)), /^Enter goes on/);
  assert.match(keysIn(beginning(4, false)), /^1 to 4: /);
});
