// What the client was asked to do: flags and environment in, data out. Pure; called by client/main.ts only.

import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { UsageError } from '../shared/errors.ts';
import type { Endpoint } from './echo-client.ts';

/** What one call of the client asks for. */
export type ClientCommand = { kind: 'talk'; endpoint: Endpoint } | { kind: 'help' } | { kind: 'version' };

export const CLIENT_HELP = `Usage: npm run client -- [--host HOST] [--port PORT]

Sends lines to an upper-casing echo server and prints what comes back.

  --host HOST   a host name or an IP address (127.0.0.1)
  --port PORT   1 to 65535 (8080)
  --help        print this and leave
  --version     print the version and leave

HOST and PORT may be environment variables too; flags win.

On a terminal: a prompt with history. Ctrl-D or Ctrl-C leaves. When the server goes away, the next message
connects again. Control characters in a reply are shown as \\x1b and the like.

Otherwise (printf 'hi\\n' | npm run --silent client): prints one reply a line, in order, and nothing else.

Either way a message is a line without the white space (ASCII) around it; empty lines are not sent.

Exit codes: 0 all went well, 1 cannot connect or replies are missing, 2 wrong use.
`;

const OPTIONS = {
  host: { type: 'string' },
  port: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

const ALLOWED = {
  host: 'a host name or an IP address',
  port: 'a whole number from 1 to 65535',
};

/**
 * Reads the client's arguments (without node and the script) and environment.
 * @throws UsageError naming the flag or variable, its value and what is allowed.
 */
export function parseClientCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ClientCommand {
  // Not strict, so that every complaint is our own sentence.
  const { tokens } = parseArgs({ args: [...args], options: OPTIONS, strict: false, tokens: true });
  const given: { host?: string; port?: string } = {};
  let asked: 'help' | 'version' | undefined;
  for (const token of tokens) {
    const typed = JSON.stringify(args[token.index]);
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      throw new UsageError(`unexpected argument ${typed}: there are only flags (--help lists them)`);
    }
    const { name, value, inlineValue } = token;
    if (name === 'host' || name === 'port') {
      // `--host --port 1`: what follows is the next flag. `--port -1` is a value, and a wrong one.
      if (value === undefined || (!inlineValue && /^--?[a-z]/i.test(value))) {
        throw new UsageError(`--${name} needs a value: ${ALLOWED[name]}`);
      }
      given[name] = value;
    } else if (name !== 'help' && name !== 'version') {
      throw new UsageError(`unknown flag ${typed} (--help lists all)`);
    } else if (value !== undefined) {
      throw new UsageError(`--${name} takes no value, not ${JSON.stringify(value)}`);
    } else asked ??= name;
  }
  if (asked !== undefined) return { kind: asked };
  const host = given.host ?? (env['HOST'] || '127.0.0.1');
  if (!isHost(host)) throw refusal('host', host, given);
  const port = given.port ?? (env['PORT'] || '8080');
  if (!isPort(port)) throw refusal('port', port, given);
  return { kind: 'talk', endpoint: { host, port: Number(port) } };
}

function refusal(name: 'host' | 'port', value: string, given: { host?: string; port?: string }): UsageError {
  const source = given[name] === undefined ? `environment variable ${name.toUpperCase()}` : `--${name}`;
  // JSON keeps the complaint on one line whatever was typed.
  return new UsageError(`${source} must be ${ALLOWED[name]}, not ${JSON.stringify(value)}`);
}

function isHost(value: string): boolean {
  // A colon is right in an IPv6 address only; elsewhere it is a port or a URL in the wrong place.
  return isIP(value) !== 0 || /^[^\s\p{Cc}:/[\]-][^\s\p{Cc}:/[\]]*$/u.test(value);
}

function isPort(value: string): boolean {
  return /^[0-9]{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65535;
}
