// What is wanted of the toolkit's speed, and whether it is so: pure. Used by toolkit.ts and main.ts.
import { digits } from '../../shared/terminal/bars.ts';
import type { ToolkitResult } from './toolkit.ts';

/** At least so many times another's rate in the same run; or at most so much, of whatever the figures are. */
export type Goal = { readonly to: string; readonly least: number } | { readonly most: number };

export interface Verdict {
  readonly goal: string;
  readonly figure: string;
  /** null: the other one was not measured. */
  readonly met: boolean | null;
}

/** Whether a result reaches its goal; undefined when it has none. */
export function verdictOf({ goal, unit, servers }: ToolkitResult): Verdict | undefined {
  if (goal === undefined) return undefined;
  if ('most' in goal) {
    const figure = servers[0]!.rate;
    return { goal: `at most ${goal.most} ${unit}`, figure: `${digits(figure)} ${unit}`, met: figure <= goal.most };
  }
  const ratio = servers.find(({ name }) => name === goal.to)?.ratio;
  return {
    goal: `at least ${goal.least} times ${goal.to}`,
    figure: ratio === undefined ? '-' : ratio.toFixed(2),
    met: ratio === undefined ? null : Number(ratio.toFixed(2)) >= goal.least,
  };
}

/** One line for people, below the bars. */
export function verdictLine(result: ToolkitResult): string {
  const verdict = verdictOf(result);
  if (verdict === undefined) return '';
  const { goal, figure, met } = verdict;
  return `  goal: ${goal}; it is ${figure}: ${metText(met)}`;
}

/** All goals as a Markdown table, ready for docs/speed.md. */
export function goalTable(results: readonly ToolkitResult[]): string {
  const rows = results.map((result) => {
    const verdict = verdictOf(result);
    const [ours, ...others] = result.servers;
    const cells = [
      `\`${result.name}\``, result.title, verdict?.goal ?? 'none',
      verdict?.figure ?? others[0]?.ratio.toFixed(2) ?? '-',
      verdict === undefined ? '' : metText(verdict.met), `${digits(ours!.rate)} ${result.unit}`,
      others.map(({ name, rate }) => `${name}: ${digits(rate)}`).join('; '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head = ['| case | work | goal | figure | | ours | others |', '| --- | --- | --- | --- | --- | --- | --- |'];
  return [...head, ...rows].join('\n');
}

function metText(met: boolean | null): string {
  return met === null ? 'not known' : met ? 'met' : 'NOT met';
}
