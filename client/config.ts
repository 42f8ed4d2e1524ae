// What the client was asked to do: flags and environment in, data out. Pure; called by client/main.ts only.

import { isAbsolute, join } from 'node:path';
import { flagLines } from '../shared/flags/help.ts';
import { readCommandLine, type Environment } from '../shared/flags/read.ts';
import { HELP, type Flags } from '../shared/flags/table.ts';
import type { Endpoint } from './echo-client.ts';
import { endpointFlags } from './endpoint.ts';

/** What one call of the client asks for. */
export type ClientCommand =
  | {
    kind: 'talk';
    endpoint: Endpoint;
    /** Whether what is typed is remembered for the next time. */
    history: boolean;
    /** Whether the server's first line is a greeting, which is no reply. */
    greeting: boolean;
    /** For the user, in sentences: what was passed over, or did not arrive. */
    notes: readonly string[];
  }
  | { kind: 'help' | 'version' };

const flags = {
  ...endpointFlags,
  greeting: { help: 'in a pipe: pass over the line with which the server begins' },
  noHistory: { flag: 'no-history', help: 'remember nothing of what is typed for the next time' },
  help: HELP,
  version: { help: 'print the version and leave' },
} satisfies Flags;

/** The text for `--help`. @param call What stands before the flags: `echopool client`. */
export function clientHelp(call: string): string {
  const inPipe = call.replace(/^npm run (.*) --$/, 'npm run --silent $1');
  return `Usage: ${call} [HOST [PORT]] [flags]

Sends lines to an upper-casing echo server and prints what comes back.

${flagLines(flags, 18)}

Flags win over HOST and PORT without a flag, and these over the environment: ECHOPOOL_HOST, ECHOPOOL_PORT or PORT.

On a terminal: a prompt with history, kept in $XDG_STATE_HOME/echopool/history (~/.local/state/echopool/history).
Ctrl-D leaves; Ctrl-C clears what is typed, or else leaves; Ctrl-Z stops the client until fg. When the server goes
away, the next message connects again. Of a reply, whatever a terminal might obey, and whatever cannot be seen, is
shown as \\x1b or \\u{202e}; one of more than 1 MiB is cut.

Otherwise (printf 'hi\\n' | ${inPipe}): prints one reply a line, in order, and nothing else.

Either way a message is a line without the white space (ASCII) around it; empty lines are not sent.

Exit codes: 0 all went well, 1 it never connected or replies are missing (on a terminal: that to the last message),
2 wrong use.
`;
}

/**
 * Reads the client's arguments (without node and the script) and environment.
 * @throws UsageError naming the flag or variable, its value and what is allowed.
 */
export function parseClientCommand(args: readonly string[], env: Environment): ClientCommand {
  const line = readCommandLine(args, flags, { env, program: 'client' });
  if (line.kind !== 'run') return line;
  const { values: { noHistory, greeting, ...endpoint }, notes } = line;
  return { kind: 'talk', endpoint, history: !noHistory, greeting, notes };
}

/**
 * The file in which the history is kept, as the XDG Base Directory Specification has it; none without a home.
 * @param home Of the user.
 */
export function historyFile(env: Environment, home: string | undefined): string | undefined {
  const given = env['XDG_STATE_HOME'];
  // "All paths set in these environment variables must be absolute"; others are to be ignored.
  const state = given !== undefined && isAbsolute(given) ? given : home && join(home, '.local', 'state');
  return state ? join(state, 'echopool', 'history') : undefined;
}
