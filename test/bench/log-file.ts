// What a log file says about messages. Pure. Used by figures/log-delay.ts.

/** The beginning of a message that is looked for; its number follows. */
export const MARK = 'mark-';
const MARKS = new RegExp(`${MARK}(\\d+)`, 'g');

const MESSAGE_LINE = /^\d\d:\d\d:\d\d\.\d{3} worker \d+ +127\.0\.0\.1:\d+  \d+ bytes?  ".*"(?:\.\.\.)?$/;
const OTHER_LINE = /^\d\d:\d\d:\d\d\.\d{3} (?:master|worker \d+)  +\S/;

/** A file that grows, read piece by piece: which marks are there in whole lines. */
export class GrowingLog {
  #rest = '';

  /** @returns The numbers of the marks in the lines that are whole now. */
  add(piece: string): number[] {
    const text = this.#rest + piece;
    const end = text.lastIndexOf('\n') + 1;
    this.#rest = text.slice(end);
    return [...text.slice(0, end).matchAll(MARKS)].map(([, number]) => Number(number));
  }
}

export interface Audit {
  /** Lines about messages; and the first line that is no line of a log. */
  readonly messages: number;
  readonly broken: string | undefined;
  /** How often each mark is there. */
  readonly marks: ReadonlyMap<number, number>;
}

/** Looks at all lines. @param text Whole lines. */
export function auditLog(text: string): Audit {
  const lines = text.split('\n');
  let broken = lines.pop() || undefined; // What follows the last newline.
  let messages = 0;
  const marks = new Map<number, number>();
  for (const line of lines) {
    if (MESSAGE_LINE.test(line)) {
      messages++;
      for (const [, mark] of line.matchAll(MARKS)) marks.set(Number(mark), (marks.get(Number(mark)) ?? 0) + 1);
    } else if (!OTHER_LINE.test(line)) broken ??= line;
  }
  return { messages, broken, marks };
}

/**
 * What is wrong with a log, in sentences.
 * @param sent How many marks were sent, from number 0 on.
 * @param answered How many other messages were answered at least; at most `unsure` more were sent.
 */
export function problemsOf(
  { messages, broken, marks }: Audit, sent: number, answered: number, unsure: number,
): string[] {
  const problems: string[] = [];
  if (broken !== undefined) problems.push(`A line of the log is broken: ${JSON.stringify(broken)}.`);
  for (let number = 0; number < sent; number++) {
    const times = marks.get(number) ?? 0;
    if (times !== 1) {
      problems.push(`Message ${number} is in the log ${times} times.`);
      break;
    }
  }
  const others = messages - sent;
  if (others < answered || others > answered + unsure) {
    problems.push(`${others} lines for at least ${answered} and at most ${answered + unsure} messages.`);
  }
  return problems;
}
