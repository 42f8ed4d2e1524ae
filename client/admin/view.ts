// The picture of `npm run top`: a server's status in so many columns and rows. Pure. Used by top.ts.
import type { Status } from '../../shared/status/status.ts';
import {
  headLines, noticeLines, placeLines, totalLines, workerLines, type Column, type Look,
} from '../../shared/status/table.ts';
import { sparkLine } from '../../shared/terminal/bars.ts';
import { paintWarning } from '../../shared/terminal/color.ts';
import { fitText } from '../../shared/terminal/preview.ts';
import { RATES_KEPT, type Rates } from './rates.ts';

/** How many of the last events are shown where there is room, and how many take room from the rest. */
const MOST_NOTICES = 10;
const FEWEST_NOTICES = 3;

export interface View extends Look {
  readonly rows: number;
  /** What went wrong with the server itself. */
  readonly trouble: string | undefined;
  /** What came of the last key. */
  readonly said: string;
}

/** @returns As many lines as there are rows. */
export function picture(status: Status, rates: Rates, view: View): string[] {
  const { columns, rows, color, trouble, said } = view;
  const isGone = trouble !== undefined;
  const last = fitText(trouble ?? said, columns);
  const foot = [color && isGone ? paintWarning(last) : last, fitText(keysLine(status, isGone), columns)];
  const body = bodyOf(status, rates, view, rows - foot.length);
  const blanks = Array.from({ length: Math.max(0, rows - foot.length - body.length) }, () => '');
  return [...body, ...blanks, ...foot].slice(-Math.max(1, rows));
}

function bodyOf(status: Status, rates: Rates, look: View, room: number): string[] {
  const { most } = rates;
  const drawn: Column = {
    title: `last ${RATES_KEPT} s`, columns: RATES_KEPT, isText: true,
    cell: ({ slot }) => sparkLine(rates.of(slot), most).padStart(RATES_KEPT),
  };
  const head = headLines(status, look);
  const places = placeLines(status, look);
  const totals = totalLines(status, look);
  const [titles = '', ...workers] = workerLines(status, look, drawn);
  const fewest = Math.min(FEWEST_NOTICES, status.notices.length);
  // A blank line stands before the workers, before the places and before the notices.
  const shown = fitted(workers, look.columns, room - head.length - 1 - places.length - fewest - 3);
  let lines = [...head, '', titles, ...shown, '', ...places];
  if (lines.length + totals.length + 1 + fewest <= room) lines = [...lines, ...totals];
  const left = Math.min(MOST_NOTICES, room - lines.length - 1);
  if (left > 0) lines = [...lines, '', ...noticeLines(status.notices.slice(-left), look)];
  return lines.slice(0, Math.max(0, room));
}

/** Those for which there is room, and a line for the others. One at least. */
function fitted(workers: readonly string[], columns: number, room: number): readonly string[] {
  if (workers.length <= Math.max(1, room)) return workers;
  const shown = Math.max(0, room - 1);
  const others = `   and ${workers.length - shown} workers more, for which there is no room`;
  return [...workers.slice(0, shown), fitText(others, columns)];
}

function keysLine({ actions }: Status, isGone: boolean): string {
  if (isGone) return 'q leave   (the server is looked for every second)';
  return actions ? 'r reload   + one worker more   - one less   q leave'
    : 'q leave   (r + - need the server\'s --admin-actions)';
}
