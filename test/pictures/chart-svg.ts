// The chart of docs/speed.md: bars, made from the first table of that page, so that the two cannot differ. Pure.
import { escapeXml, svg } from './svg.ts';

const WIDTH = 760;
const MARGIN = 16;
const ROW = 22;
/** Where the bars begin, and how long the longest of each work is. */
const BARS = { x: 150, most: 460 };

/** One kind of work, and how much of it each server did in a second. */
export interface Work {
  readonly name: string;
  readonly unit: string;
  readonly servers: readonly { readonly name: string; readonly value: number }[];
}

/**
 * The works of the page's first table, whose columns are the work, its unit, and a server each.
 * @throws Error when a cell is no number: `1.5` and `213,000` are some.
 */
export function worksOf(page: string): Work[] {
  const [, table = ''] = /\n((?:\|.*\n)+)/.exec(page) ?? [];
  const [head = [], , ...rows] = table.trim().split('\n').map((row) => (
    row.split('|').slice(1, -1).map((cell) => cell.trim())));
  if (rows.length === 0) throw new Error('the page has no table');
  return rows.map(([name = '', unit = '', ...cells]) => ({
    name, unit,
    servers: cells.map((cell, i) => {
      const value = Number(cell.replaceAll(',', ''));
      if (cell === '' || !(value > 0)) throw new Error(`${name}: ${JSON.stringify(cell)} is no figure`);
      return { name: head[i + 2]!, value };
    }),
  }));
}

/** A group of bars for each work, as long as its figures: those of two works cannot be compared. */
export function chartSvg(works: readonly Work[]): string {
  const body: string[] = [];
  let y = MARGIN;
  for (const { name, unit, servers } of works) {
    const most = Math.max(...servers.map(({ value }) => value));
    body.push(`<text class="bold" x="${MARGIN}" y="${y + 14}">${escapeXml(`${name}: ${unit}`)}</text>`);
    y += ROW;
    for (const [i, server] of servers.entries()) {
      const length = (BARS.most * server.value / most).toFixed(1);
      body.push(
        `<text x="${BARS.x - 10}" y="${y + 14}" text-anchor="end">${escapeXml(server.name)}</text>`,
        `<rect class="${i === 0 ? 'ours' : 'bar'}" x="${BARS.x}" y="${y + 2}" width="${length}" height="16"/>`,
        `<text x="${(BARS.x + Number(length) + 8).toFixed(1)}" y="${y + 14}">${figureOf(server.value)}</text>`,
      );
      y += ROW;
    }
    y += ROW / 2;
  }
  return svg({
    label: works.map(sentence).join('; '),
    width: WIDTH, height: y - ROW / 2 + MARGIN,
    style: 'text { font: 14px system-ui, "DejaVu Sans", sans-serif }',
    light: '.bar { fill: #afb8c1 } .ours { fill: #0969da }', dark: '.bar { fill: #656c76 } .ours { fill: #58a6ff }',
    body,
  });
}

function sentence({ name, unit, servers }: Work): string {
  return `${name}, ${unit}: ${servers.map((server) => `${server.name} ${figureOf(server.value)}`).join(', ')}`;
}

function figureOf(value: number): string {
  return value.toLocaleString('en-US');
}
