// What a client is sent first: --greeting, with what stands in braces filled in. Loaded by behavior.ts.
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { plainAddress, withPort } from '../../shared/address.ts';

const ESCAPES: Readonly<Record<string, string>> = { '\\n': '\n', '\\t': '\t', '\\\\': '\\' };
/** What config.ts has let through: a backslash and a character, or a name in braces. */
const SPECIAL = /\\[nt\\]|\{(\w+)(?::(\w+))?\}/g;

/**
 * @param text As it was given.
 * @param worker What the log calls this worker.
 * @returns What makes the greeting of each client.
 */
export function greetingOf(text: string, worker: number): (socket: Socket, peer: string) => Buffer {
  return (socket, peer) => Buffer.from(text.replace(SPECIAL, (special, name?: string, variable?: string) => {
    switch (name) {
      case 'worker': return String(worker);
      case 'pid': return String(process.pid);
      case 'hostname': return hostname();
      case 'client': return peer;
      case 'server': return serverOf(socket);
      case 'env': return process.env[variable ?? ''] ?? '';
      default: return ESCAPES[special] ?? special;
    }
  }));
}

/** Where the client has connected to. */
function serverOf({ localAddress, localPort }: Socket): string {
  return localAddress === undefined ? 'unix' : withPort(plainAddress(localAddress), localPort!);
}
