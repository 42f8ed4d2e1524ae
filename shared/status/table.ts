// A server's status as a table for people: lines that fit the columns there are, and that nothing in it can shape.
// Pure. The log has it at SIGUSR2, `npm run status` prints it, and `npm run top` is made of its parts.
import { counted } from '../log/log-format.ts';
import { age, bar, compact, grouped } from '../terminal/bars.ts';
import { paintWarning, paintWho } from '../terminal/color.ts';
import { columnsOf, fitText } from '../terminal/preview.ts';
import type { Notice, Status, WorkerStatus } from './status.ts';

export interface Look {
  /** How many columns a line may take. It is made for 60 and more. */
  readonly columns: number;
  readonly color: boolean;
}

/** A column of the workers' table. */
export interface Column {
  readonly title: string;
  readonly columns: number;
  readonly cell: (worker: WorkerStatus) => string;
  /** Text begins at the left, a number ends at the right. */
  readonly isText?: boolean;
  readonly paint?: (worker: WorkerStatus, cell: string) => string;
}

/** Where a line's text begins, behind its label. */
const LABEL_COLUMNS = 10;
const FEWEST_BAR_COLUMNS = 8;
const MOST_BAR_COLUMNS = 40;
/** Left out where there is little room, the first one first. */
const LEAVE_OUT = ['out/s', 'in/s', 'pid', 'age'];
/** What an operator should look at. */
const UNEASY = new Set<string>(['stalled', 'full', 'leaving', 'stopping']);

/**
 * All of it.
 * @param options.columns How many columns a line may take. It is made for 60 and more.
 * @param options.notices How many of the last notices to show.
 * @param options.color Whether to colour.
 * @returns Lines without their newlines.
 */
export function statusTable(
  status: Status, { columns, notices, color }: { columns: number; notices: number; color: boolean },
): string[] {
  const look = { columns, color };
  const last = noticeLines(notices > 0 ? status.notices.slice(-notices) : [], look);
  return [
    ...headLines(status, look), '', ...workerLines(status, look), '',
    ...placeLines(status, look), ...totalLines(status, look), ...last.length > 0 ? ['', ...last] : [],
  ];
}

/** Which server it is, and since when. */
export function headLines({ version, phase, listening, uptimeMs, pid }: Status, { columns }: Look): string[] {
  const where = listening.length > 0 ? listening : ['not listening'];
  return flow([`echopool ${version}`, phase, ...where, `up ${age(uptimeMs)}`, `pid ${pid}`], '  ', columns);
}

/**
 * A line of titles, and one a worker. A bar is whole at the limit of clients a worker, or for the worker with most.
 * @param more One more column, at the right.
 */
export function workerLines(status: Status, { columns, color }: Look, more?: Column): string[] {
  const shown = columnsFor(status, columns, more);
  const titles = shown.map(({ title, columns: width, isText }) => fitCell(title, width, isText));
  const lines = status.workers.map((worker) => {
    const cells = shown.map(({ cell, columns: width, isText }) => fitCell(cell(worker), width, isText));
    const plain = cells.join(' ').trimEnd();
    if (!color || columnsOf(plain) > columns) return fitText(plain, columns);
    return shown.map(({ paint }, at) => paint?.(worker, cells[at]!) ?? cells[at]!).join(' ').trimEnd();
  });
  return [fitText(titles.join(' ').trimEnd(), columns), ...lines];
}

function columnsFor({ workers, config }: Status, room: number, more: Column | undefined): Column[] {
  const limit = config['--connections-per-worker'];
  const own = typeof limit === 'number' ? limit : Number(limit);
  const most = Math.max(own > 0 && own < Infinity ? own : 1, ...workers.map(({ connections }) => connections));
  const paint = ({ state }: WorkerStatus, cell: string): string => (UNEASY.has(state) ? paintWarning(cell) : cell);
  const ofWorker = ({ slot }: WorkerStatus, cell: string): string => paintWho(slot, cell);
  let columns: Column[] = [
    { title: 'worker', columns: 6, cell: ({ slot }) => String(slot), paint: ofWorker },
    { title: 'state', columns: 8, cell: ({ state }) => state, isText: true, paint },
    { title: 'pid', columns: 7, cell: ({ pid }) => String(pid) },
    { title: 'age', columns: 6, cell: ({ ageMs }) => age(ageMs) },
    { title: 'conns', columns: 5, cell: ({ connections }) => compact(connections) },
    { title: 'msg/s', columns: 5, cell: ({ messagesPerSecond }) => compact(messagesPerSecond) },
    { title: 'in/s', columns: 5, cell: ({ bytesInPerSecond }) => compact(bytesInPerSecond) },
    { title: 'out/s', columns: 5, cell: ({ bytesOutPerSecond }) => compact(bytesOutPerSecond) },
    ...more === undefined ? [] : [more],
  ];
  const rest = (): number => room - columns.reduce((sum, column) => sum + column.columns + 1, 0);
  for (const title of LEAVE_OUT) {
    if (rest() < FEWEST_BAR_COLUMNS) columns = columns.filter((column) => column.title !== title);
  }
  const width = Math.max(FEWEST_BAR_COLUMNS, Math.min(rest(), MOST_BAR_COLUMNS));
  const at = columns.findIndex(({ title }) => title === 'conns') + 1;
  const drawn = ({ connections }: WorkerStatus): string => bar(connections / most, width);
  columns.splice(at, 0, { title: '', columns: width, cell: drawn, isText: true, paint: ofWorker });
  return columns;
}

/** Who waits: clients for a worker, and processes for the terminal. */
export function placeLines({ now, line, terminal, pool, workers, current }: Status, { columns }: Look): string[] {
  const { holder, since, waiting } = terminal;
  const lasts = since === null ? '' : ` for ${compact(Math.max(0, now - since))} ms`;
  return [
    ...labelled('now', [
      counted(current, 'connection'), `${workers.length} of ${counted(pool.size, 'worker')}, ${pool.most} at most`,
    ], columns),
    ...labelled('line', [`${grouped(line.waiting)} wait, room for ${grouped(line.limit)}`], columns),
    ...labelled('terminal', [
      holder === null ? 'free' : `${holder} has it${lasts}`, `${grouped(waiting)} wait`,
    ], columns),
  ];
}

/** What has happened since the start. */
export function totalLines({ totals }: Status, { columns }: Look): string[] {
  const { connections, served, gone, messages, bytesIn, bytesOut, adopted, cutOff, reloads, linesDropped } = totals;
  const [refused, refusals] = summed(totals.refused);
  const [moved, reasons] = summed(totals.moved);
  const [died, deaths] = summed(totals.deaths);
  return [
    ...labelled('clients', [
      `${grouped(connections)} in all`, `${grouped(served)} served`, `${grouped(gone)} left unserved`,
      `${grouped(refused)} refused${refusals}`,
    ], columns),
    ...labelled('moved', [
      `${grouped(moved)} given back${reasons}`, `${grouped(adopted)} adopted`, `${grouped(cutOff)} cut off`,
    ], columns),
    ...labelled('echoed', [
      `${grouped(messages)} ${messages === 1 ? 'message' : 'messages'}`,
      `${compact(bytesIn)}B in`, `${compact(bytesOut)}B out`,
      `${grouped(linesDropped)} log ${linesDropped === 1 ? 'line' : 'lines'} dropped`,
    ], columns),
    ...labelled('workers', [`${grouped(died)} died${deaths}`, counted(reloads, 'reload')], columns),
  ];
}

/** One line each: when, and what. */
export function noticeLines(notices: readonly Notice[], { columns, color }: Look): string[] {
  return notices.map(({ time, level, text }) => {
    const line = fitText(`${clock(time)} ${text}`, columns);
    return color && level === 'warn' ? paintWarning(line) : line;
  });
}

/** `12:34:56` where this process runs. */
function clock(time: number): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** The sum, and in brackets what it is made of. */
function summed(counts: Readonly<Record<string, number>>): [sum: number, parts: string] {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  const parts = some.map(([name, count]) => `${grouped(count)} ${name}`).join(', ');
  return [some.reduce((sum, [, count]) => sum + count, 0), some.length > 0 ? ` (${parts})` : ''];
}

function labelled(label: string, parts: readonly string[], columns: number): string[] {
  const lines = flow(parts, ', ', columns - LABEL_COLUMNS);
  return lines.map((line, at) => fitText(`${(at === 0 ? label : '').padEnd(LABEL_COLUMNS)}${line}`, columns));
}

/** The parts in as few lines as they fit into. */
function flow(parts: readonly string[], between: string, columns: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const longer = last === undefined ? part : `${last}${between}${part}`;
    if (last === undefined) lines.push(part);
    else if (columnsOf(longer) + between.trimEnd().length <= columns) lines[lines.length - 1] = longer;
    else lines.splice(-1, 1, `${last}${between.trimEnd()}`, part);
  }
  return lines.map((line) => fitText(line, columns));
}

/** `text` in so many columns, all of them filled. */
function fitCell(text: string, columns: number, isText = false): string {
  const fits = fitText(text, columns);
  const blanks = ' '.repeat(Math.max(0, columns - columnsOf(fits)));
  return isText ? `${fits}${blanks}` : `${blanks}${fits}`;
}
