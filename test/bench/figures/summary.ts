// Medians and ratios of the figures. Pure. Called by ../compare.ts.
import { median } from '../median.ts';
import type { FigureRound, FigureRow } from './figure.ts';

/** @param rounds Of each round a figure for each row; the ratios are to the first row of the same kind. */
export function summarizeFigures(rounds: readonly ReadonlyMap<string, FigureRound>[]): FigureRow[] {
  const names = [...rounds[0]?.keys() ?? []];
  const roundsOf = (name: string): FigureRound[] => rounds.map((round) => round.get(name)!);
  const isSound = (own: readonly FigureRound[]): boolean => own.every(({ problems }) => problems.length === 0);
  return names.map((name) => {
    const own = roundsOf(name);
    const first = roundsOf(names.find((other) => kindOf(other) === kindOf(name))!);
    const ratios = own.map(({ value }, i) => first[i]!.value / value);
    return {
      name, rounds: own, median: isSound(own) ? median(own.map(({ value }) => value)) : null,
      ratio: isSound(own) && isSound(first) ? median(ratios) : null,
    };
  });
}

/** What is measured of a server: what follows its name. */
function kindOf(row: string): string {
  return row.split(' ').slice(1).join(' ');
}
