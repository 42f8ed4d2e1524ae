// What a process of scheduler.ts runs: the tickets program, held before each of its steps. Started by cast.ts.
import { Process } from '../../shared/multiprocessing/index.ts';
import type { Connection, Event, Lock } from '../../shared/multiprocessing/index.ts';
import { buy } from '../stage/buy-ticket.ts';
import type { Player, Step } from './model.ts';

export type PlayerProcess = Process<Parameters<typeof play>>;

/** A process for it, to be started. */
export function newPlayer(name: string, ...args: Parameters<typeof play>): PlayerProcess {
  return new Process({ module: import.meta.url, target: play, args, name });
}

/**
 * Buys a ticket, with the lock around it if there is one.
 * @param gate Holds it before each step. It is set to let it do one, and only when it has said that it is there.
 * @param line By this it says where it is, whenever it comes to a gate, waits for the lock, or has come to its end.
 */
export async function play(file: string, gate: Event, line: Connection<Player>, lock: Lock | undefined): Promise<void> {
  let player: Player = { next: undefined, isWaiting: false, hasRead: undefined, hasTicket: false };
  const tell = async (changes: Partial<Player>): Promise<void> => {
    player = { ...player, ...changes };
    await line.send(player);
  };
  const before = async (next: Step, hasRead = player.hasRead): Promise<void> => {
    await tell({ next, hasRead });
    await gate.wait();
    await gate.clear();
  };

  if (lock !== undefined) {
    await before('lock');
    if (!await lock.acquire(0)) {
      await tell({ isWaiting: true });
      await lock.acquire();
      player = { ...player, isWaiting: false };
    }
  }
  const hasTicket = await buy(file, before);
  player = { ...player, hasTicket };
  if (lock !== undefined) {
    await before('unlock');
    await lock.release();
  }
  await tell({ next: undefined });
}
