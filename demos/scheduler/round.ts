// One round of scheduler.ts: the reader chooses until all processes have come to their end, and goes on.
import type { Screen } from '../stage/screen.ts';
import { inTemporaryFolder } from '../stage/temporary-folder.ts';
import { Cast } from './cast.ts';
import { isOutdated, isOver, soldIn } from './model.ts';
import { ENTER } from './reader.ts';
import type { Reader } from './reader.ts';
import { firstQuestion, keysIn, legendOf, pictureOf, secondQuestion, sentenceOf, verdictOn } from './telling.ts';

export interface Stage {
  readonly screen: Screen;
  readonly reader: Reader;
  readonly players: number;
  /** Ends all that is waited for. */
  readonly over: AbortController;
}

/** @returns How many have a ticket in the end. @throws {ProcessDied} One of the processes was ended by others. */
export async function playRound(stage: Stage, withLock: boolean): Promise<number> {
  return await inTemporaryFolder(async (folder) => {
    const cast = new Cast(folder, stage.players, withLock, stage.over);
    try {
      return await new Round(stage, cast).play();
    } finally {
      await cast.close();
    }
  });
}

class Round {
  readonly #stage: Stage;
  readonly #cast: Cast;
  /** What was chosen so far, as far as anything came of it. */
  readonly #schedule: number[] = [];
  /** Whether it is possible, as the reader guesses. */
  #guess = false;
  #isAsked = false;

  constructor(stage: Stage, cast: Cast) {
    this.#stage = stage;
    this.#cast = cast;
  }

  async play(): Promise<number> {
    const { screen, reader } = this.#stage;
    const { withLock } = this.#cast.state;
    await screen.title(withLock ? 'with the lock' : 'without the lock');
    this.#guess = await this.#ask(firstQuestion(withLock));
    await this.#cast.start();
    await this.#say(`Aim: sell the one ticket twice.\n  ${legendOf(withLock)}`, this.#picture());
    await this.#sayKeys();
    for (;;) {
      const { state } = this.#cast;
      const key = await reader.key(state);
      const who = Number(key) - 1;
      if (key === ENTER && isOver(state)) return soldIn(state);
      if (key === 'u') await this.#undo();
      else if (state.players[who] === undefined) await this.#sayKeys();
      else await this.#go(who);
    }
  }

  async #go(who: number): Promise<void> {
    const before = this.#cast.state;
    const said: string[] = [];
    if (!this.#isAsked && isOutdated(before, who)) {
      this.#isAsked = true;
      const guess = await this.#ask(secondQuestion(before, who));
      said.push(judge(guess, true));
    }
    const outcome = await this.#cast.go(who);
    said.push(sentenceOf(outcome));
    if (this.#cast.state === before) return await this.#say(said.join(' '));
    this.#schedule.push(who);
    await this.#say(said.join(' '), this.#picture());
    if (!isOver(this.#cast.state)) return;
    await this.#say(`${judge(this.#guess, !before.withLock)} ${verdictOn(this.#cast.state)}`);
    await this.#sayKeys();
  }

  async #undo(): Promise<void> {
    if (this.#schedule.pop() === undefined) return await this.#say('There is nothing to undo.');
    await this.#cast.start(this.#schedule);
    const { length } = this.#schedule;
    const where = length === 0 ? 'are at the beginning' : `have done again what was chosen before (${length})`;
    await this.#say(`One step back: new processes ${where}.`, this.#picture());
  }

  #picture(): string {
    return pictureOf(this.#cast.state, (who, line) => this.#stage.screen.ofWorker(who + 1, line));
  }

  async #say(...parts: string[]): Promise<void> {
    await this.#stage.screen.say(`\n${parts.join('\n')}`);
  }

  async #sayKeys(): Promise<void> {
    if (this.#stage.reader.isThere) await this.#stage.screen.say(`  ${keysIn(this.#cast.state)}`);
  }

  /** @returns What the reader guesses. */
  async #ask(question: string): Promise<boolean> {
    const { reader } = this.#stage;
    await this.#say(`${question}\n  y for yes, n for no`);
    for (;;) {
      const key = await reader.answer();
      if (key === 'y' || key === 'n') {
        await this.#stage.screen.say(`  The guess: ${key === 'y' ? 'yes' : 'no'}.`);
        return key === 'y';
      }
      await this.#stage.screen.say('  y for yes, n for no; q leaves');
    }
  }
}

function judge(guess: boolean, isSo: boolean): string {
  return guess === isSo ? 'The guess was right.' : 'The guess was wrong.';
}
