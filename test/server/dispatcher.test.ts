// The dispatcher's rules, one by one, as short stories. dispatcher-model.test.ts tries them in every order.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Dispatcher } from '../../server/connections/dispatcher.ts';
import type { DispatcherOptions } from '../../server/connections/dispatcher.ts';
import type { Command } from '../../server/connections/dispatcher-states.ts';

/** A dispatcher with workers 1 to `workers` ready; `commands()` gives the commands since the last call, as words. */
function setUp(workers: number, options: Partial<DispatcherOptions> = {}) {
  const collected: Command[] = [];
  const dispatcher = new Dispatcher({ waitingLimit: 1024, ...options }, (command) => collected.push(command));
  dispatcher.setPoolSize(workers);
  for (let worker = 1; worker <= workers; worker++) dispatcher.workerReady(worker);
  const commands = (): string[] => collected.splice(0).map(wordsOf);
  /** Accepts them, and has the workers accept whatever is offered until nothing more is. */
  const serve = (...connections: number[]): void => {
    for (const connection of connections) dispatcher.accept(connection);
    acceptOffers(dispatcher);
    commands();
  };
  return { dispatcher, commands, serve };
}

function wordsOf(command: Command): string {
  switch (command.kind) {
    case 'offer':
      return `offer ${command.connection} to ${command.worker}${command.adopted ? ', adopted' : ''}`;
    case 'cutOff': return `cut off ${command.connection}, for ${command.worker} died`;
    case 'refuse': return `refuse ${command.connection}: ${command.reason}`;
  }
}

function acceptOffers(dispatcher: Dispatcher): void {
  for (;;) {
    const offers = dispatcher.snapshot().workers.flatMap(({ id, offered }) => offered.map((one) => [id, one] as const));
    if (offers.length === 0) return;
    for (const [worker, connection] of offers) dispatcher.accepted(worker, connection);
  }
}

function servedBy(dispatcher: Dispatcher): Record<number, readonly number[]> {
  return Object.fromEntries(dispatcher.snapshot().workers.map(({ id, served }) => [id, served]));
}

describe('choosing a worker', () => {
  test('equally loaded workers take turns', () => {
    const { dispatcher, serve, commands } = setUp(3);
    serve(1, 2, 3, 4, 5, 6);
    assert.deepEqual(servedBy(dispatcher), { 1: [1, 4], 2: [2, 5], 3: [3, 6] });
    dispatcher.closed(1, 1);
    dispatcher.closed(3, 3);
    dispatcher.closed(2, 2);
    for (const connection of [7, 8, 9]) dispatcher.accept(connection);
    assert.deepEqual(commands(), ['offer 7 to 1', 'offer 8 to 2', 'offer 9 to 3']);
  });

  test('a worker that serves one short connection after the other is not the only one chosen', () => {
    const { dispatcher, commands } = setUp(2);
    for (const connection of [1, 2, 3, 4]) {
      const worker = connection % 2 === 1 ? 1 : 2;
      dispatcher.accept(connection);
      assert.deepEqual(commands(), [`offer ${connection} to ${worker}`]);
      dispatcher.accepted(worker, connection);
      dispatcher.closed(worker, connection);
    }
  });

  test('the least loaded worker is first, and offers count as load', () => {
    const { dispatcher, serve, commands } = setUp(2, { offersInFlight: 2 });
    serve(1, 2, 3, 4);
    dispatcher.closed(2, 2);
    dispatcher.closed(2, 4);
    for (const connection of [5, 6, 7]) dispatcher.accept(connection);
    assert.deepEqual(commands(), ['offer 5 to 2', 'offer 6 to 2', 'offer 7 to 1']);
  });

  test('a worker has one offer at a time, unless told otherwise', () => {
    const { dispatcher, commands } = setUp(1);
    for (const connection of [1, 2, 3]) dispatcher.accept(connection);
    assert.deepEqual(commands(), ['offer 1 to 1']);
    dispatcher.accepted(1, 1);
    assert.deepEqual(commands(), ['offer 2 to 1']);
    assert.equal(dispatcher.waiting, 1);

    const two = setUp(1, { offersInFlight: 2 });
    for (const connection of [1, 2, 3]) two.dispatcher.accept(connection);
    assert.deepEqual(two.commands(), ['offer 1 to 1', 'offer 2 to 1']);
  });

  test('a full worker is offered nothing until it has room', () => {
    const { dispatcher, serve, commands } = setUp(1, { connectionsPerWorker: 2 });
    serve(1, 2, 3, 4);
    assert.deepEqual(servedBy(dispatcher), { 1: [1, 2] });
    dispatcher.closed(1, 2);
    assert.deepEqual(commands(), ['offer 3 to 1']);
  });

  test('a stalled worker is offered nothing, keeps what it has, and is back when it resumes', () => {
    const { dispatcher, serve, commands } = setUp(2);
    serve(1, 2);
    dispatcher.accept(3);
    dispatcher.workerStalled(1);
    dispatcher.accepted(1, 3);
    dispatcher.accept(4);
    dispatcher.accept(5);
    assert.deepEqual(commands(), ['offer 3 to 1', 'offer 4 to 2']);
    dispatcher.workerResumed(1);
    assert.deepEqual(commands(), ['offer 5 to 1']);
    assert.equal(dispatcher.counters.cutOff, 0);
  });

  test('a retiring worker is offered nothing more, also not after it stalled and resumed', () => {
    const { dispatcher, serve, commands } = setUp(1);
    serve(1);
    dispatcher.workerStalled(1);
    dispatcher.workerRetiring(1);
    dispatcher.workerResumed(1);
    dispatcher.accept(2);
    assert.deepEqual(commands(), []);
    dispatcher.workerReady(2);
    assert.deepEqual(commands(), ['offer 2 to 2']);
    assert.equal(dispatcher.counters.strays, 0);
  });
});

describe('the line', () => {
  test('is served in the order of arrival', () => {
    const { dispatcher, commands } = setUp(0);
    for (const connection of [3, 1, 2]) dispatcher.accept(connection);
    assert.deepEqual(commands(), []);
    assert.deepEqual(dispatcher.snapshot().waiting, [3, 1, 2]);
    dispatcher.workerReady(1);
    dispatcher.workerReady(2);
    assert.deepEqual(commands(), ['offer 3 to 1', 'offer 1 to 2']);
  });

  test('can be left from anywhere', () => {
    const { dispatcher } = setUp(0);
    for (const connection of [1, 2, 3, 4, 5]) dispatcher.accept(connection);
    for (const connection of [3, 1, 5]) dispatcher.gone(connection);
    assert.deepEqual(dispatcher.snapshot().waiting, [2, 4]);
    assert.equal(dispatcher.counters.gone, 3);
    assert.equal(dispatcher.size, 2);
  });

  test('refuses who comes when all workers and the line are full', () => {
    const { dispatcher, commands } = setUp(2, { connectionsPerWorker: 1, waitingLimit: 2 });
    for (const connection of [1, 2, 3, 4, 5]) dispatcher.accept(connection);
    assert.deepEqual(commands(), ['offer 1 to 1', 'offer 2 to 2', 'refuse 5: line full']);
    dispatcher.gone(3);
    dispatcher.accept(6);
    assert.deepEqual(commands(), []);
    assert.deepEqual(dispatcher.snapshot().waiting, [4, 6]);
    assert.equal(dispatcher.counters.refused, 1);
  });

  test('holds what the workers will hold while these are starting or being replaced', () => {
    const { dispatcher, commands } = setUp(0, { connectionsPerWorker: 2, waitingLimit: 0 });
    dispatcher.setPoolSize(2);
    for (const connection of [1, 2, 3, 4, 5]) dispatcher.accept(connection);
    assert.deepEqual(commands(), ['refuse 5: line full']);
    dispatcher.workerReady(1);
    dispatcher.workerReady(2);
    acceptOffers(dispatcher);
    assert.deepEqual(servedBy(dispatcher), { 1: [1, 3], 2: [2, 4] });
  });

  test('refuses nobody when a worker may have any number of connections', () => {
    const { dispatcher, commands } = setUp(0, { waitingLimit: 0 });
    for (let connection = 0; connection < 5000; connection++) dispatcher.accept(connection);
    assert.deepEqual(commands(), []);
    assert.equal(dispatcher.waiting, 5000);
  });

  test('does not lose its order when a hundred thousand come, half of them go, and the rest are served', () => {
    const { dispatcher } = setUp(0);
    const count = 100_000;
    for (let connection = 0; connection < count; connection++) dispatcher.accept(connection);
    for (let connection = 0; connection < count; connection += 2) dispatcher.gone(connection);
    dispatcher.workerReady(1);
    for (let connection = 1; connection < count; connection += 2) dispatcher.accepted(1, connection);
    assert.equal(dispatcher.counters.strays, 0);
    assert.equal(servedBy(dispatcher)[1]!.length, count / 2);
  });
});

describe('coming back', () => {
  test('what was offered to a worker that died is offered again, before all younger ones and in the old order', () => {
    const { dispatcher, commands } = setUp(1, { offersInFlight: 3 });
    for (const connection of [1, 2, 3, 4, 5]) dispatcher.accept(connection);
    commands();
    dispatcher.workerDied(1);
    assert.deepEqual(dispatcher.snapshot().waiting, [1, 2, 3, 4, 5]);
    dispatcher.workerReady(2);
    assert.deepEqual(commands(), ['offer 1 to 2', 'offer 2 to 2', 'offer 3 to 2']);
    assert.equal(dispatcher.counters.reoffered, 3);
  });

  test('what a worker gives back is before all younger ones, in whatever order it comes', () => {
    const { dispatcher, serve, commands } = setUp(1);
    serve(1, 2, 3);
    dispatcher.accept(4);
    dispatcher.workerRetiring(1);
    dispatcher.accept(5);
    for (const connection of [2, 3, 4, 1]) dispatcher.givenBack(1, connection);
    assert.deepEqual(dispatcher.snapshot().waiting, [1, 2, 3, 4, 5]);
    commands();
    dispatcher.workerReady(2);
    assert.deepEqual(commands(), ['offer 1 to 2']);
    assert.equal(dispatcher.counters.givenBack, 4);
    assert.deepEqual(servedBy(dispatcher)[1], []);
  });

  test('who has been with a worker is never refused because the line is full', () => {
    const { dispatcher, serve, commands } = setUp(1, { connectionsPerWorker: 2, waitingLimit: 0 });
    serve(1);
    dispatcher.accept(2);
    commands();
    dispatcher.workerRetiring(1);
    dispatcher.accept(3);
    dispatcher.givenBack(1, 1);
    dispatcher.workerDied(1);
    assert.deepEqual(commands(), ['refuse 3: line full']);
    assert.deepEqual(dispatcher.snapshot().waiting, [1, 2]);
  });

  test('a connection that moves from worker to worker is served once in the counts', () => {
    const { dispatcher, serve } = setUp(2);
    serve(1);
    dispatcher.workerRetiring(1);
    dispatcher.givenBack(1, 1);
    acceptOffers(dispatcher);
    dispatcher.closed(2, 1);
    const { accepted, served, closed, givenBack } = dispatcher.counters;
    assert.deepEqual({ accepted, served, closed, givenBack }, { accepted: 1, served: 1, closed: 1, givenBack: 1 });
    assert.equal(dispatcher.size, 0);
  });
});

describe('ending', () => {
  test('what a worker served when it died is cut off, and clients of others notice nothing', () => {
    const { dispatcher, serve, commands } = setUp(2);
    serve(1, 2, 3, 4);
    dispatcher.workerDied(1);
    assert.deepEqual(commands(), ['cut off 1, for 1 died', 'cut off 3, for 1 died']);
    assert.deepEqual(servedBy(dispatcher), { 2: [2, 4] });
    assert.equal(dispatcher.counters.cutOff, 2);
  });

  test('adopting, what a worker served when it died is offered to others, marked until one has it', () => {
    const { dispatcher, serve, commands } = setUp(1, { onCrash: 'adopt' });
    serve(1, 2);
    dispatcher.accept(3);
    dispatcher.accept(4);
    commands();
    dispatcher.workerDied(1);
    assert.deepEqual(dispatcher.snapshot().waiting, [1, 2, 3, 4]);
    dispatcher.workerReady(2);
    dispatcher.workerDied(2);
    dispatcher.workerReady(3);
    for (const connection of [1, 2, 3]) dispatcher.accepted(3, connection);
    dispatcher.givenBack(3, 1);
    dispatcher.accepted(3, 4);
    assert.deepEqual(commands(), [
      'offer 1 to 2, adopted', 'offer 1 to 3, adopted', 'offer 2 to 3, adopted', 'offer 3 to 3', 'offer 4 to 3',
      'offer 1 to 3',
    ]);
    assert.equal(dispatcher.counters.adopted, 2);
    assert.equal(dispatcher.counters.cutOff, 0);
  });

  test('a socket that did not arrive is offered to another worker, and the full one gets no more', () => {
    const { dispatcher, commands } = setUp(2);
    dispatcher.accept(1);
    dispatcher.unusable(1, 1);
    assert.deepEqual(commands(), ['offer 1 to 1', 'offer 1 to 2']);
    dispatcher.accepted(2, 1);
    dispatcher.accept(2);
    assert.deepEqual(commands(), ['offer 2 to 2']);
    assert.equal(dispatcher.counters.unusable, 1);
    assert.equal(dispatcher.size, 2);
  });

  test('what all workers are too full for waits, until one has ended a connection or may be tried again', () => {
    const { dispatcher, serve, commands } = setUp(1);
    serve(1);
    commands();
    for (const connection of [2, 3, 4]) dispatcher.accept(connection);
    dispatcher.unusable(1, 2);
    assert.deepEqual(commands(), ['offer 2 to 1']);
    assert.deepEqual(dispatcher.snapshot().waiting, [2, 3, 4]);
    dispatcher.closed(1, 1);
    assert.deepEqual(commands(), ['offer 2 to 1'], 'a place is free');
    dispatcher.unusable(1, 2);
    assert.deepEqual(commands(), []);
    dispatcher.workerRelieved(1);
    assert.deepEqual(commands(), ['offer 2 to 1'], 'it is tried again');
    dispatcher.workerStalled(1);
    dispatcher.unusable(1, 2);
    dispatcher.workerResumed(1);
    assert.deepEqual(commands(), ['offer 2 to 1'], 'having stood still, it is tried again');
  });

  test('stopping refuses all that wait, and all that come or come back later', () => {
    const { dispatcher, serve, commands } = setUp(2, { onCrash: 'adopt' });
    serve(1, 2, 3);
    for (const connection of [4, 5, 6]) dispatcher.accept(connection);
    commands();
    dispatcher.stop();
    assert.deepEqual(commands(), ['refuse 6: stopping']);
    dispatcher.accept(7);
    dispatcher.givenBack(2, 2);
    assert.deepEqual(commands(), ['refuse 7: stopping', 'refuse 2: stopping']);
    dispatcher.workerDied(1);
    assert.deepEqual(commands(), ['cut off 1, for 1 died', 'cut off 3, for 1 died', 'refuse 5: stopping']);
    dispatcher.accepted(2, 4);
    dispatcher.closed(2, 4);
    dispatcher.stop();
    assert.deepEqual(commands(), []);
    assert.equal(dispatcher.size, 0);
    assert.equal(dispatcher.snapshot().stopping, true);
  });
});

describe('reports that cannot be true', () => {
  test('late, repeated and mistaken reports change nothing and are counted', () => {
    const { dispatcher, serve, commands } = setUp(2);
    serve(1, 2);
    dispatcher.accept(3);
    dispatcher.workerDied(1);
    commands();
    const before = dispatcher.snapshot();
    const strays: (() => void)[] = [
      () => dispatcher.accepted(1, 3),
      () => dispatcher.closed(1, 1),
      () => dispatcher.givenBack(1, 2),
      () => dispatcher.closed(2, 77),
      () => dispatcher.accepted(2, 2),
      () => dispatcher.unusable(2, 2),
      () => dispatcher.gone(2),
      () => dispatcher.gone(77),
      () => dispatcher.workerDied(1),
      () => dispatcher.workerReady(2),
      () => dispatcher.workerResumed(2),
      () => dispatcher.workerStalled(1),
      () => dispatcher.workerRelieved(2),
      () => dispatcher.workerRetiring(77),
    ];
    for (const stray of strays) stray();
    assert.deepEqual(commands(), []);
    assert.deepEqual(dispatcher.snapshot(), { ...before, counters: { ...before.counters, strays: strays.length } });
  });

  test('the id of a connection that is still here cannot be used again', () => {
    const { dispatcher } = setUp(1);
    dispatcher.accept(7);
    assert.throws(() => dispatcher.accept(7), /^Error: connection 7 is already here$/);
    assert.equal(dispatcher.counters.accepted, 1);
    assert.equal(dispatcher.size, 1);
  });
});

describe('carrying out', () => {
  /** Two offers are decided at once: 1 to worker 1 and 2 to worker 1. */
  function twoOffers(carryOut: (dispatcher: Dispatcher, words: string) => void): Dispatcher {
    const dispatcher: Dispatcher = new Dispatcher({ waitingLimit: 9, offersInFlight: 2 }, (command) => {
      carryOut(dispatcher, wordsOf(command));
    });
    dispatcher.accept(1);
    dispatcher.accept(2);
    return dispatcher;
  }

  test('an event reported while a command is carried out is taken at once, its commands come in order', () => {
    const done: string[] = [];
    const dispatcher = twoOffers((self, words) => {
      done.push(words);
      if (words === 'offer 1 to 1') {
        self.closed(1, 1);
        self.accept(3);
        done.push(`${self.size} here`);
      }
    });
    dispatcher.workerReady(1);
    assert.deepEqual(done, ['offer 1 to 1', '2 here', 'offer 2 to 1', 'offer 3 to 1']);
  });

  test('an offer is not delivered when its worker died while the command before was carried out', () => {
    const done: string[] = [];
    const dispatcher = twoOffers((self, words) => {
      done.push(words);
      if (words === 'offer 1 to 1') {
        self.workerDied(1);
        self.workerReady(2);
      }
    });
    dispatcher.workerReady(1);
    assert.deepEqual(done, ['offer 1 to 1', 'offer 1 to 2', 'offer 2 to 2']);
    assert.equal(dispatcher.counters.reoffered, 2);
  });

  test('an error thrown by the one command does not lose the others', () => {
    const done: string[] = [];
    const dispatcher = twoOffers((_self, words) => {
      done.push(words);
      if (words === 'offer 1 to 1') throw new Error('the channel is closed');
    });
    assert.throws(() => dispatcher.workerReady(1), /the channel is closed/);
    dispatcher.workerDied(1);
    dispatcher.workerReady(2);
    assert.deepEqual(done, ['offer 1 to 1', 'offer 1 to 2', 'offer 2 to 2']);

    const refused: string[] = [];
    const stopped = twoOffers((_self, words) => {
      refused.push(words);
      if (refused.length === 1) throw new Error('closed already');
    });
    assert.throws(() => stopped.stop(), /closed already/);
    stopped.stop();
    assert.deepEqual(refused, ['refuse 1: stopping', 'refuse 2: stopping']);
  });
});
