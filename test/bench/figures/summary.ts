// Medians and ratios of the figures. Pure. Called by ../compare.ts.
import { median } from '../median.ts';
import type { FigureRound, FigureRow } from './figure.ts';

/** @param rounds Of each round a figure for each row; the ratios are to the first row. */
export function summarizeFigures(rounds: readonly ReadonlyMap<string, FigureRound>[]): FigureRow[] {
  const names = [...rounds[0]?.keys() ?? []];
  const roundsOf = (name: string): FigureRound[] => rounds.map((round) => round.get(name)!);
  const first = names.length > 0 ? roundsOf(names[0]!) : [];
  const isSound = (own: readonly FigureRound[]): boolean => own.every(({ problems }) => problems.length === 0);
  return names.map((name) => {
    const own = roundsOf(name);
    const ratios = own.map(({ value }, i) => first[i]!.value / value);
    return {
      name, rounds: own, median: isSound(own) ? median(own.map(({ value }) => value)) : null,
      ratio: isSound(own) && isSound(first) ? median(ratios) : null,
    };
  });
}
