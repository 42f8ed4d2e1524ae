// The real processes of scheduler.ts, and the file that they share. Each choice goes to the model too; what the
// processes say and what the file says must be the same.
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Event, Lock, Pipe, ProcessDied } from '../../shared/multiprocessing/index.ts';
import type { Connection, Death } from '../../shared/multiprocessing/index.ts';
import { putTickets, search } from '../stage/buy-ticket.ts';
import { beginning, choose, TICKETS } from './model.ts';
import type { Outcome, Player, State } from './model.ts';
import { newPlayer } from './player.ts';
import type { PlayerProcess } from './player.ts';

interface Actor {
  readonly process: PlayerProcess;
  /** Holds it before each step. */
  readonly gate: Event;
  /** By this it says where it is. */
  readonly line: Connection<Player>;
}

export class Cast {
  readonly #file: string;
  readonly #over: AbortController;
  readonly #first: State;
  #state: State;
  #actors: Actor[] = [];

  /**
   * @param folder For the file.
   * @param over Ends all waits. It is aborted here when a process dies, with a ProcessDied.
   */
  constructor(folder: string, players: number, withLock: boolean, over: AbortController) {
    this.#file = join(folder, 'tickets.json');
    this.#over = over;
    this.#state = this.#first = beginning(players, withLock);
  }

  get state(): State {
    return this.#state;
  }

  /**
   * Starts the processes, which come to their first steps, and makes them do these choices. What a process has done
   * cannot be undone: so those of before are ended, and new ones do again what is to stay.
   */
  async start(schedule: readonly number[] = []): Promise<void> {
    await this.close();
    await putTickets(this.#file, TICKETS);
    const lock = this.#first.withLock ? new Lock() : undefined;
    this.#actors = this.#first.players.map((_, i) => this.#startOne(`process ${i + 1}`, lock));
    await this.#check({ ...this.#first, players: [] }, this.#first);
    for (const who of schedule) await this.go(who);
  }

  /** Lets one go on, until it is held again, waits, or has come to its end. @throws {ProcessDied} */
  async go(who: number): Promise<Outcome> {
    const { state, outcome } = choose(this.#state, who);
    if (state === this.#state) return outcome;
    await this.#actors[who]!.gate.set();
    await this.#check(this.#state, state);
    return outcome;
  }

  /** Ends the processes. */
  async close(): Promise<void> {
    const actors = this.#actors;
    this.#actors = [];
    for (const { process } of actors) process.kill();
    for (const { process } of actors) await process.join();
  }

  #startOne(name: string, lock: Lock | undefined): Actor {
    const gate = new Event();
    const [line, itsLine] = Pipe<Player>();
    const process = newPlayer(name, this.#file, gate, itsLine, lock);
    process.start();
    const actor = { process, gate, line };
    void process.ended.then((death) => {
      if (death.exitCode === 0 || !this.#actors.includes(actor)) return;
      this.#over.abort(process.error ?? gone(death));
    });
    return actor;
  }

  /** Waits until all are where they should be. @throws {Error} One of them, or the file, says something else. */
  async #check(before: State, after: State): Promise<void> {
    for (const [i, { process, line }] of this.#actors.entries()) {
      if (after.players[i] === before.players[i]) continue;
      const told = await this.#hear(line);
      if (!isDeepStrictEqual(told, after.players[i])) throw new Unlike(process.name, told, after.players[i]);
    }
    const left = await search(this.#file);
    if (left !== after.left) throw new Unlike('the file', left, after.left);
    this.#state = after;
  }

  async #hear(line: Connection<Player>): Promise<Player> {
    try {
      return await line.recv({ signal: this.#over.signal });
    } catch (error) {
      throw error instanceof ProcessDied ? gone(error.death) : error;
    }
  }
}

function gone(death: Death): ProcessDied {
  return new ProcessDied(death, 'it cannot go on, and so the demo ends');
}

/** The real processes have not done what the model says. */
class Unlike extends Error {
  override name = 'Unlike';
  readonly code = 'ERR_UNLIKE_MODEL';

  constructor(who: string, says: unknown, expected: unknown) {
    super(`${who} says ${JSON.stringify(says)} and should say ${JSON.stringify(expected)}`);
  }
}
