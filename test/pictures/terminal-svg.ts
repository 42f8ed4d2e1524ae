// What a program printed on a terminal, as a picture: SVG, in light and in dark. Pure. Used by demo.ts.
import { escapeXml, svg } from './svg.ts';

const CELL = { width: 8.4, height: 18 };
const MARGIN = 16;
/** Foreground colours of ECMA-48 that the project's programs use, each for light and for dark. */
const COLORS: Readonly<Record<number, readonly [light: string, dark: string]>> = {
  32: ['#1a7f37', '#3fb950'], 33: ['#9a6700', '#d29922'], 34: ['#0969da', '#58a6ff'], 35: ['#8250df', '#bc8cff'],
  36: ['#1b7c83', '#39c5cf'], 92: ['#2da44e', '#56d364'], 94: ['#218bff', '#79c0ff'], 95: ['#a475f9', '#d2a8ff'],
  96: ['#3192aa', '#56d4dd'],
};
/** Drawn as rectangles, as fonts leave gaps between them. The value is how opaque they are. */
const BLOCKS: Readonly<Record<string, number>> = { '█': 1, '░': 0.35 };
const PIECE = /█+|░+|[^█░]+/g;

/** Text of one look. */
interface Run {
  readonly text: string;
  readonly color: number | undefined;
  readonly isBold: boolean;
}

/**
 * @param output As the terminal was sent it: lines, colours and bold; every character is one column wide.
 * @param label What is to be seen, for who does not see it.
 * @throws Error for an escape sequence that it cannot draw: a picture without it would be wrong.
 */
export function terminalSvg(output: string, label: string): string {
  const lines = linesOf(output);
  const columns = Math.max(...lines.map((runs) => runs.reduce((sum, { text }) => sum + [...text].length, 0)));
  const rules = Object.entries(COLORS);
  return svg({
    label,
    width: Math.ceil(columns * CELL.width) + 2 * MARGIN,
    height: lines.length * CELL.height + 2 * MARGIN,
    style: 'text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre }',
    light: rules.map(([color, [light]]) => `.c${color} { fill: ${light} }`).join(' '),
    dark: rules.map(([color, [, dark]]) => `.c${color} { fill: ${dark} }`).join(' '),
    body: lines.flatMap((runs, row) => [...drawLine(runs, MARGIN + row * CELL.height)]),
  });
}

function linesOf(output: string): Run[][] {
  let color: number | undefined;
  let isBold = false;
  return output.replaceAll('\r\n', '\n').trim().split('\n').map((line) => line.split(/(\x1b\[\d*m)/).flatMap((part) => {
    const code = /^\x1b\[(\d*)m$/.exec(part)?.[1];
    if (code === undefined) {
      if (/[\x00-\x1f\x7f]/.test(part)) throw new Error(`cannot draw ${JSON.stringify(part)}`);
      return part === '' ? [] : [{ text: part, color, isBold }];
    }
    const number = Number(code);
    if (number === 1 || number === 22) isBold = number === 1;
    else if (number === 39 || number in COLORS) color = number === 39 ? undefined : number;
    else throw new Error(`cannot draw ${JSON.stringify(part)}`);
    return [];
  }));
}

function* drawLine(runs: readonly Run[], y: number): Generator<string> {
  let column = 0;
  for (const { text, color, isBold } of runs) {
    const look = [...color === undefined ? [] : [`c${color}`], ...isBold ? ['bold'] : []].join(' ');
    const attributes = look === '' ? '' : ` class="${look}"`;
    for (const [piece] of text.matchAll(PIECE)) {
      const opacity = BLOCKS[piece[0]!];
      const length = [...piece].length;
      const [x, width] = [MARGIN + column * CELL.width, length * CELL.width].map((value) => value.toFixed(1));
      column += length;
      if (piece.trim() === '') continue;
      if (opacity === undefined) {
        // With its length said, each column is where it should be in whatever font there is.
        yield `<text x="${x}" y="${y + 14}" textLength="${width}"${attributes}>${escapeXml(piece)}</text>`;
      } else {
        const place = `x="${x}" y="${y + 2}" width="${width}" height="${CELL.height - 4}"`;
        yield `<rect ${place} opacity="${opacity}"${attributes}/>`;
      }
    }
  }
}
