// A file as the database of a ticket office, and how a ticket is bought: the program of tickets.ts and scheduler.ts.
import { readFile } from 'node:fs/promises';
import { replaceFile } from './replace-file.ts';

/** What is in the file. */
interface Database {
  readonly count: number;
}

/** The three steps of buying, in their order. */
export type Step = 'read' | 'compare' | 'write';

/** Buys a ticket, if one is left. */
export async function buy(
  file: string,
  /** Is awaited before each step, with what was read, if that is behind. */
  before: (step: Step, hasRead?: number) => Promise<void>,
): Promise<boolean> {
  await before('read');
  const count = await search(file);
  await before('compare', count);
  if (count === 0) return false;
  await before('write', count);
  await putTickets(file, count - 1);
  return true;
}

/** How many tickets are left. */
export async function search(file: string): Promise<number> {
  return (JSON.parse(await readFile(file, 'utf8')) as Database).count;
}

export async function putTickets(file: string, count: number): Promise<void> {
  await replaceFile(file, JSON.stringify({ count } satisfies Database));
}
