// Colours of the log: whether there are any, and which. Pure. Used by log-format.ts and the server's main.ts.
//
// Not by util.styleText: it looks at process.stdout, which no process of the group may touch.

/** Whose line it is: the master's, or a worker's by its number. */
export type Who = 'master' | number;

/** Foreground colours of ECMA-48, for the workers in turn. Red and yellow are left for what goes wrong. */
const WORKER_COLORS = [36, 32, 35, 34, 96, 92, 95, 94];
const YELLOW = 33;

/**
 * Whether to colour at all: on a terminal that is not dumb, and not with NO_COLOR (https://no-color.org).
 * @param env The environment.
 * @param isTTY Whether the output is a terminal.
 */
export function useColor(env: Readonly<Record<string, string | undefined>>, isTTY: boolean): boolean {
  return isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

/** `text` in the colour of that process; the master's is the terminal's own. */
export function paintWho(who: Who, text: string): string {
  return who === 'master' ? text : paint(WORKER_COLORS[(who - 1) % WORKER_COLORS.length]!, text);
}

export function paintWarning(text: string): string {
  return paint(YELLOW, text);
}

function paint(color: number, text: string): string {
  return `\x1b[${color}m${text}\x1b[39m`;
}
