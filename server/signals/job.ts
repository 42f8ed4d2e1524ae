// What the system knows of a process's job: its parent, its group, its terminal. From Linux's /proc; unknown elsewhere.
// Used by the other files of this folder, by main.ts and worker.ts.
import { readFileSync } from 'node:fs';

export interface Job {
  /** One letter: `T` is stopped. */
  readonly state: string;
  readonly name: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Whether it has a controlling terminal. */
  readonly hasTerminal: boolean;
  /** The process group in the foreground of that terminal. */
  readonly foreground: number;
}

/** `undefined`: there is no such process, or no /proc. */
export function jobOf(pid: number): Job | undefined {
  // The name may have blanks and brackets in it.
  const [, name, rest] = /^\d+ \((.*)\) ([^)]*)$/s.exec(read(`/proc/${pid}/stat`)) ?? [];
  if (name === undefined || rest === undefined) return undefined;
  const [state = '', parent, group, session, terminal, foreground] = rest.split(' ');
  return {
    state, name, parent: Number(parent), group: Number(group), session: Number(session),
    hasTerminal: Number(terminal) !== 0, foreground: Number(foreground),
  };
}

/**
 * Whether npm, or a tool like it, ran this program: its script names it. That npm started some ancestor, such as a
 * test, is not enough.
 * @param env Such as `process.env`. @param program The path of the program: `process.argv[1]`.
 */
export function isRunByNpm(env: Readonly<Record<string, string | undefined>>, program = ''): boolean {
  const words = env['npm_lifecycle_script']?.split(/\s+/) ?? [];
  return words.some((word) => word !== '' && `/${program}`.endsWith(`/${word.replace(/^\.?\//, '')}`));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
