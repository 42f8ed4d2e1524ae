// The dispatcher under a server that reports the next event from within a command, as sockets that fail at once do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dispatcher } from '../../server/connections/dispatcher.ts';
import type { Command } from '../../server/connections/dispatcher-states.ts';
import type { Setup } from '../helpers/dispatcher-model.ts';
import { oneOf, randomSetup } from '../helpers/dispatcher-random.ts';
import { randomFrom } from '../helpers/random.ts';

/** A server in small: it keeps its own account, and reports the next event from within the delivery of a command. */
class HastyServer {
  readonly dispatcher: Dispatcher;
  readonly trace: string[] = [];
  readonly #random: () => number;
  readonly #adopts: boolean;
  readonly #connections = new Map<number, { at: 'waiting' | 'offered' | 'served' | 'lost'; worker: number }>();
  /** Those whose socket failed after an offer was decided, and before it was delivered. */
  readonly #broken = new Set<number>();
  readonly #workers = new Set<number>();
  #nextConnection = 0;
  #nextWorker = 0;
  #nested = 0;
  #stopping = false;

  constructor(setup: Setup, random: () => number) {
    this.#random = random;
    this.#adopts = setup.onCrash === 'adopt';
    this.dispatcher = new Dispatcher(setup, (command) => this.#obey(command));
    this.dispatcher.setPoolSize(setup.poolSize);
  }

  get nested(): number {
    return this.#nested;
  }

  #obey(command: Command): void {
    this.trace.push(`> ${Object.values(command).join(' ')}`);
    const connection = this.#connections.get(command.connection);
    assert.ok(connection, 'a connection that has ended gets no commands');
    if (command.kind === 'offer') {
      assert.equal(connection.at, 'waiting');
      assert.ok(this.#workers.has(command.worker), 'nothing is offered to the dead');
      Object.assign(connection, { at: 'offered', worker: command.worker });
      if (this.#broken.delete(command.connection)) this.#report('closed', command.worker, command.connection);
    } else {
      assert.equal(connection.at, command.kind === 'cutOff' ? 'lost' : 'waiting');
      this.#connections.delete(command.connection);
    }
    while (this.#random() < 0.4) {
      this.#nested++;
      this.event();
    }
  }

  event(): void {
    const random = this.#random;
    const dice = random();
    const [id, connection] = this.#connections.size > 0 ? oneOf(random, [...this.#connections]) : [];
    if (this.#workers.size < 2) {
      this.trace.push(`ready ${this.#nextWorker}`);
      this.#workers.add(this.#nextWorker);
      this.dispatcher.workerReady(this.#nextWorker++);
    } else if (dice < 0.4 || id === undefined || connection === undefined || connection.at === 'lost') {
      this.trace.push(`accept ${this.#nextConnection}`);
      this.#connections.set(this.#nextConnection, { at: 'waiting', worker: -1 });
      this.dispatcher.accept(this.#nextConnection++);
    } else if (dice < 0.45) {
      const worker = oneOf(random, [...this.#workers]);
      this.trace.push(`relieved ${worker}`);
      this.dispatcher.workerRelieved(worker);
    } else if (dice < 0.53) {
      this.#die(oneOf(random, [...this.#workers]));
    } else if (connection.at === 'waiting') {
      if (this.#broken.has(id)) return;
      this.trace.push(`gone ${id}`);
      // Believed only if no offer has been decided yet: else that offer finds the socket broken.
      const believed = this.dispatcher.counters.gone + 1;
      this.#broken.add(id);
      this.dispatcher.gone(id);
      if (this.dispatcher.counters.gone < believed) return;
      this.#broken.delete(id);
      this.#connections.delete(id);
    } else if (connection.at === 'offered' && dice < 0.85) {
      connection.at = 'served';
      this.trace.push(`accepted ${connection.worker} ${id}`);
      this.dispatcher.accepted(connection.worker, id);
    } else {
      const ways = ['givenBack', 'closed', ...(connection.at === 'offered' ? ['unusable'] as const : [])] as const;
      this.#report(oneOf(random, ways), connection.worker, id);
    }
  }

  stop(): void {
    this.#stopping = true;
    this.dispatcher.stop();
  }

  /** The server's account and the dispatcher's are the same whenever no command is on its way. */
  check(): void {
    const { waiting, workers, counters } = this.dispatcher.snapshot();
    const ids = (at: string, worker: number): string =>
      sorted([...this.#connections].filter(([, c]) => c.at === at && c.worker === worker).map(([id]) => id));
    assert.equal(sorted(waiting), ids('waiting', -1));
    for (const { id, offered, served } of workers) {
      assert.deepEqual([sorted(offered), sorted(served)], [ids('offered', id), ids('served', id)]);
    }
    const { accepted, closed, gone, refused, cutOff } = counters;
    assert.equal(accepted, closed + gone + refused + cutOff + this.#connections.size);
    assert.equal(this.dispatcher.size, this.#connections.size);
  }

  #report(event: 'givenBack' | 'closed' | 'unusable', worker: number, id: number): void {
    this.trace.push(`${event} ${worker} ${id}`);
    if (event === 'closed') this.#connections.delete(id);
    else Object.assign(this.#connections.get(id)!, { at: 'waiting', worker: -1 });
    this.dispatcher[event](worker, id);
  }

  #die(worker: number): void {
    this.trace.push(`died ${worker}`);
    this.#workers.delete(worker);
    for (const connection of this.#connections.values()) {
      if (connection.worker !== worker) continue;
      const back = connection.at === 'offered' || (this.#adopts && !this.#stopping);
      Object.assign(connection, { at: back ? 'waiting' : 'lost', worker: -1 });
    }
    this.dispatcher.workerDied(worker);
  }
}

test('events reported while commands are carried out leave the server and the dispatcher of one mind', (t) => {
  let nested = 0;
  const seeds = 120;
  for (let seed = 1; seed <= seeds; seed++) {
    const random = randomFrom(seed);
    const setup = randomSetup(random);
    const server = new HastyServer(setup, random);
    try {
      for (let i = 0; i < 200; i++) {
        server.event();
        server.check();
      }
      server.stop();
      server.check();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const lines = [reason, JSON.stringify(setup), `seed ${seed}, the last steps:`, ...server.trace.slice(-100)];
      throw new Error(lines.join('\n  '), { cause: error });
    }
    nested += server.nested;
  }
  t.diagnostic(`${seeds} walks, ${nested} events reported while a command was carried out`);
  assert.ok(nested > seeds);
});

function sorted(ids: readonly number[]): string {
  return [...ids].sort((a, b) => a - b).join();
}
