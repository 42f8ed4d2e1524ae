// One TCP connection to a server under test, whose every wait has a deadline.
import { connect } from 'node:net';
import type { Socket, TcpNetConnectOpts } from 'node:net';
import { once } from 'node:events';
import { after } from 'node:test';
import { resetConnection } from '../../shared/reset.ts';
import { onFin } from './fin.ts';
import { DEADLINE_MS } from './server.ts';

export interface TestClientOptions {
  host?: string;
  /** Of a Unix socket, instead of host and port. */
  path?: string | undefined;
  localAddress?: string;
  /** Begin to read only with `resume()`. */
  paused?: boolean;
  /** Keep our side open when the server has ended its own. */
  allowHalfOpen?: boolean;
}

/** When a test fails, its clients are left; a paused one would not even notice that its server is gone. */
const sockets = new Set<Socket>();
// Not in the soak, which uses these clients too and is no test: a hook would make it one.
if (/\.test\.[jt]s$/.test(process.argv[1] ?? '')) after(() => {
  for (const socket of sockets) socket.destroy();
});

export class TestClient implements AsyncDisposable {
  readonly socket: Socket;
  /** `127.0.0.1:53122`: what the server's log calls this client. */
  peer = '';
  /** Settles when the connection is over: `FIN` after a clean end by the server, else the code of the error. */
  readonly fate: Promise<string>;
  #chunks: Buffer[] = [];
  #length = 0;
  #ended = false;
  #over: string | undefined;
  #look: () => void = () => {};

  /** @param socket Not connected yet, with allowHalfOpen. Use {@link connectClient}. */
  constructor(socket: Socket, paused: boolean, allowHalfOpen: boolean) {
    this.socket = socket.setNoDelay();
    let reason = 'closed';
    sockets.add(socket);
    socket.on('data', (bytes: Buffer) => {
      this.#chunks.push(bytes);
      this.#length += bytes.length;
      this.#look();
    });
    if (paused) socket.pause();
    onFin(socket, () => {
      reason = 'FIN';
      this.#ended = true;
      this.#look();
      if (!allowHalfOpen) socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => { reason = error.code ?? error.message; });
    this.fate = new Promise((resolve) => socket.on('close', () => {
      sockets.delete(socket);
      this.#over = reason;
      resolve(reason);
      this.#look();
    }));
  }

  /** How many bytes have come that nobody has read yet. */
  get length(): number {
    return this.#length;
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Sends the last bytes and a FIN. */
  end(data: string | Uint8Array = ''): void {
    this.socket.end(data);
  }

  /** The next `count` bytes. @throws Error when the connection is over before. */
  async read(count: number): Promise<Buffer> {
    while (this.#length < count) {
      if (this.#ended || this.#over !== undefined) {
        throw new Error(`${this.peer}: ${this.#over ?? 'FIN'} after ${this.#length} of ${count} bytes`);
      }
      await this.#news(`${count} bytes, ${this.#length} have come`);
    }
    return this.#take(count);
  }

  /** The next characters, as many bytes as `expected` has in UTF-8. */
  async readText(expected: string): Promise<string> {
    return (await this.read(Buffer.byteLength(expected))).toString();
  }

  /** Sends the text and reads as many bytes as its upper case has. */
  async ask(text: string): Promise<string> {
    this.send(text);
    return await this.readText(text.toUpperCase());
  }

  /** All up to the server's FIN. @throws Error when it ends otherwise. */
  async readToEnd(): Promise<Buffer> {
    while (!this.#ended) {
      if (this.#over !== undefined) throw new Error(`${this.peer}: ${this.#over} after ${this.#length} bytes`);
      await this.#news(`the end, ${this.#length} bytes have come`);
    }
    return this.#take(this.#length);
  }

  /** Resets the connection. */
  reset(): void {
    resetConnection(this.socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.fate;
  }

  async #news(awaited: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.peer}: waited in vain for ${awaited}`)), DEADLINE_MS);
      this.#look = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #take(count: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const rest = all.subarray(count);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return all.subarray(0, count);
  }
}

/** Connects to the server. @throws The system's error, such as ECONNREFUSED. */
export async function connectClient(port: number, options: TestClientOptions = {}): Promise<TestClient> {
  const { host = '127.0.0.1', path, paused = false, allowHalfOpen = false, localAddress } = options;
  const tcp: TcpNetConnectOpts = { port, host, ...(localAddress === undefined ? {} : { localAddress }) };
  const socket = connect({ ...path === undefined ? tcp : { path }, allowHalfOpen: true });
  const client = new TestClient(socket, paused, allowHalfOpen);
  await once(socket, 'connect', { signal: AbortSignal.timeout(DEADLINE_MS) });
  const address = socket.localAddress;
  if (address === undefined) client.peer = `unix:${path}`;
  else client.peer = address.includes(':') ? `[${address}]:${socket.localPort}` : `${address}:${socket.localPort}`;
  return client;
}

const CHUNK = Buffer.alloc(65_536, 'much more, ');
/** Far more than the buffers of two sockets hold. */
const TOO_MUCH = 256 * 1024 * 1024;
/** So many turns without a byte taken mean that none will be. */
const QUIET_TURNS = 50;

/**
 * Sends with a paused client until its server takes no more, because the replies have nowhere to go.
 * @param other A client of the same worker; each of its round trips is a turn in which that could have read more.
 * @returns All that was sent: the last of it may still wait on our side.
 */
export async function fillUp(client: TestClient, other: TestClient): Promise<number> {
  let sent = 0;
  let taken = 0;
  let full = false;
  const pump = (): void => {
    if (full || sent >= TOO_MUCH || client.socket.destroyed) return;
    sent += CHUNK.length;
    client.socket.write(CHUNK, () => {
      taken += CHUNK.length;
      pump();
    });
  };
  pump();
  let before = -1;
  for (let quiet = 0; quiet < QUIET_TURNS; quiet = taken === before ? quiet + 1 : 0) {
    before = taken;
    await other.ask('tick');
  }
  full = true;
  if (taken >= TOO_MUCH) throw new Error(`${taken} bytes were taken of a client that reads nothing`);
  return sent;
}

/** What {@link fillUp} gets in reply. @param length In bytes. */
export function fillUpReply(length: number): Buffer {
  const chunk = Buffer.from(CHUNK.toString('latin1').toUpperCase());
  return Buffer.alloc(length, chunk);
}
