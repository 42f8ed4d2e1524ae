// What the soak has measured: a row for each kind of fault. Filled and printed by main.ts.

/** One figure of one injected fault. */
export interface Figure {
  readonly label: string;
  readonly value: number;
  readonly unit: 'ms' | 'MiB' | '';
}

export function ms(label: string, value: number): Figure {
  return { label, value: Math.round(value), unit: 'ms' };
}

export function mebibytes(label: string, bytes: number): Figure {
  return { label, value: Math.round(bytes / 2 ** 20 * 10) / 10, unit: 'MiB' };
}

export function number(label: string, value: number): Figure {
  return { label, value, unit: '' };
}

interface Row {
  readonly mustHold: string;
  times: number;
  readonly figures: Map<string, { unit: string; values: number[] }>;
}

export class Table {
  readonly #rows = new Map<string, Row>();

  add(fault: string, mustHold: string, figures: readonly Figure[]): void {
    const row: Row = this.#rows.get(fault) ?? { mustHold, times: 0, figures: new Map() };
    this.#rows.set(fault, row);
    row.times++;
    for (const { label, unit, value } of figures) {
      const known = row.figures.get(label) ?? { unit, values: [] };
      row.figures.set(label, known);
      known.values.push(value);
    }
  }

  /** How many faults there are in it. */
  get times(): number {
    return [...this.#rows.values()].reduce((sum, { times }) => sum + times, 0);
  }

  /** As Markdown. Where a fault was injected several times: the median, and the most. */
  toString(): string {
    const rows = [...this.#rows].map(([fault, { times, mustHold, figures }]) => {
      const measured = [...figures].map(([label, { unit, values }]) => `${label} ${inShort(values, unit)}`);
      return `| ${fault} | ${times} | ${mustHold} | ${measured.join('; ')} |`;
    });
    return ['| fault | times | what must hold | measured |', '| --- | --- | --- | --- |', ...rows].join('\n');
  }
}

function inShort(values: readonly number[], unit: string): string {
  const sorted = [...values].sort((a, b) => a - b);
  const [median, most] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted.at(-1)];
  const suffix = unit === '' ? '' : ` ${unit}`;
  return median === most ? `${median}${suffix}` : `${median}${suffix} (most ${most})`;
}
