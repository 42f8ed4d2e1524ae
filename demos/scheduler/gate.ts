// Where a process is held before a step, until it is let through once. Used by cast.ts and player.ts.
import { Pipe } from '../../shared/multiprocessing/index.ts';
import type { Connection } from '../../shared/multiprocessing/index.ts';

export type Gate = Connection<null>;

export function newGate(): [Gate, Gate] {
  return Pipe<null>();
}

export async function open(gate: Gate): Promise<void> {
  await gate.send(null);
}

export async function pass(gate: Gate): Promise<void> {
  await gate.recv();
}
