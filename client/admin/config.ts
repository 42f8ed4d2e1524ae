// What `echopool status` and `echopool top` are asked to do: flags and environment in, data out. Pure.
import { UsageError } from '../../shared/errors.ts';
import { flagLines } from '../../shared/flags/help.ts';
import { readCommandLine, type Environment } from '../../shared/flags/read.ts';
import { HELP, withVariables, type Flags } from '../../shared/flags/table.ts';
import { adminAddress, type AdminAddress } from './address.ts';

export type AdminCommand<T> =
  | { readonly kind: 'help' }
  | {
    readonly kind: 'run'; readonly address: AdminAddress; readonly notes: readonly string[];
    /** The program's own flags. */
    readonly values: T;
  };

const { admin } = withVariables({
  admin: { ...adminAddress, word: 'ADDRESS', help: 'where the server answers, as it says at its start' },
} satisfies Flags);
const statusFlags = {
  admin, json: { help: 'print the status as JSON, as the server has sent it' }, help: HELP,
} satisfies Flags;
const topFlags = { admin, help: HELP } satisfies Flags;
const WHERE = `ADDRESS is PORT, HOST:PORT, http://HOST:PORT or unix:PATH, what the server was given with --admin;
ECHOPOOL_ADMIN may have it, too.`;
const EXITS = 'Exit codes: 0 it went well, 1 the server cannot be reached, 2 wrong use.';

/** @param call What stands before the flags: `echopool status`. */
export function statusHelp(call: string): string {
  return `Usage: ${call} --admin ADDRESS [--json]

Prints what a server says of itself: its workers and what they do, who waits,
what has happened since its start, and its last notices.

${flagLines(statusFlags, 20)}

${WHERE}
${EXITS}
`;
}

/** @param call What stands before the flags: `echopool top`. */
export function topHelp(call: string): string {
  return `Usage: ${call} --admin ADDRESS

Watches a server: the same as the status, drawn again every second, with
the rate of each worker over the last 20 seconds.

${flagLines(topFlags, 20)}

${WHERE}

Keys: r replaces the workers, + and - start and end one (the server allows it
with --admin-actions), q and Ctrl-C leave, Ctrl-Z stops it until fg. When the
server goes, top waits for it to come back. Without a terminal it prints the
table once.
${EXITS} 128 and its number after a signal.
`;
}

/** @throws UsageError naming the flag or variable, its value and what is allowed. */
export function parseStatusCommand(args: readonly string[], env: Environment): AdminCommand<{ json: boolean }> {
  const line = readCommandLine(args, statusFlags, { env, program: 'status' });
  return line.kind === 'run' ? commandOf(line.values, line.notes) : { kind: 'help' };
}

/** @throws UsageError naming the flag or variable, its value and what is allowed. */
export function parseTopCommand(args: readonly string[], env: Environment): AdminCommand<object> {
  const line = readCommandLine(args, topFlags, { env, program: 'top' });
  return line.kind === 'run' ? commandOf(line.values, line.notes) : { kind: 'help' };
}

function commandOf<T extends { readonly admin: AdminAddress | undefined }>(
  values: T, notes: readonly string[],
): AdminCommand<T> {
  const { admin: address } = values;
  if (address !== undefined) return { kind: 'run', address, notes, values };
  const needed = '--admin ADDRESS or ECHOPOOL_ADMIN is needed: what the server was given with --admin';
  throw new UsageError([needed, ...notes.slice(0, 1)].join('; '));
}
