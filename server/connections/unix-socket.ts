// The file of a Unix socket: made for its owner, and perhaps its group, in the place of one that nobody listens on any
// more; and whose it is at the end. Loaded by listener.ts where there is such a socket.
import { lstatSync, readFileSync, readlinkSync, unlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { connect } from 'node:net';
import { codeOf } from '../../shared/errors.ts';

/** What the file's mode, 0777, is without: it is 0660, for the owner and the group. */
export const FOR_GROUP = 0o117;
/** It is 0600. */
export const FOR_OWNER = 0o177;
/** How often the file may turn out to be another than a moment ago. */
const ROUNDS = 10;
/** As net.h has it (SO_ACCEPTCON): somebody listens. */
const LISTENS = 0x10000;

export class SocketFile {
  readonly #path: string;
  readonly #own: Stats | undefined;

  private constructor(path: string, own: Stats | undefined) {
    this.#path = path;
    this.#own = own;
  }

  /**
   * @param bind Binds a socket to the path before it returns.
   * @param umask What the file's mode is without.
   * @throws What `bind` throws: EADDRINUSE, if another program listens there. ENOTSOCK, if what is there is no socket.
   */
  static async bind(path: string, bind: () => Promise<void>, umask = FOR_GROUP): Promise<SocketFile> {
    for (let round = 1; ; round++) {
      // From its first moment the file has its mode: chmod() after it would be too late.
      const before = process.umask(umask);
      const bound = bind();
      process.umask(before);
      const own = statOf(path);
      try {
        await bound;
        return new SocketFile(path, own);
      } catch (error) {
        if (codeOf(error) !== 'EADDRINUSE' || round === ROUNDS) throw error;
        if (own === undefined) continue;
        if (!own.isSocket()) throw Object.assign(new Error('it is no socket', { cause: error }), { code: 'ENOTSOCK' });
        if (await isListenedOn(path)) throw error;
        // Unless another program has put its own there meanwhile.
        if (isSame(statOf(path), own)) unlinkSync(path);
      }
    }
  }

  /** Whether the path is another file's by now. Ours cannot be mistaken: its inode is in use as long as the socket. */
  get isTaken(): boolean {
    const found = statOf(this.#path);
    return found !== undefined && !isSame(found, this.#own);
  }
}

/** The path of a bound Unix socket that is open here; undefined: it has none, or that cannot be found out. */
export function pathOfSocket(fd: number): string | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    for (const line of readFileSync('/proc/self/net/unix', 'utf8').split('\n')) {
      const [, flags = '', found, path] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.+)$/.exec(line) ?? [];
      if (found === inode && path !== undefined && (parseInt(flags, 16) & LISTENS) !== 0) return path;
    }
  } catch {
    // There is no /proc.
  }
  return undefined;
}

/** Whether some process has that socket. One that nobody listens on refuses; any other answer is somebody's. */
async function isListenedOn(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? '')));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** Undefined: there is none, or this process may not look. */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function isSame(a: Stats | undefined, b: Stats | undefined): boolean {
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
