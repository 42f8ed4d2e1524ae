// An admin address over a server that a test makes up, and clients of any admin address.
import { once } from 'node:events';
import { request } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { openAdmin } from '../../server/admin/admin.ts';
import type { Admin, AdminPlace, AdminSource, Metrics } from '../../server/admin/source.ts';
import type { Change, Status } from '../../shared/status/status.ts';

const RATES = { messagesPerSecond: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0 };
const STATUS: Status = {
  version: '1.2.3', pid: 1, phase: 'ready', now: 2000, startedAt: 1000, uptimeMs: 1000,
  listening: ['127.0.0.1:8080'], ...RATES,
  workers: [{
    slot: 1, pid: 2, state: 'ready', startedAt: 1000, ageMs: 1000, heardAt: 2000, lastBeatMs: 0, connections: 3,
    ...RATES,
  }],
  pool: { size: 1, most: 2 }, line: { waiting: 4, limit: 100 },
  terminal: { holder: null, since: null, waiting: 0 }, current: 7, connections: [],
  totals: {
    connections: 11, served: 5, gone: 1,
    refused: { full: 1, stopping: 2, address: 3, descriptors: 4, untrusted: 5, header: 6, accept: 7 },
    messages: 30, bytesIn: 31, bytesOut: 32, messagesBySlot: [20, 10],
    moved: { reload: 1, resize: 2, recycle: 3, other: 4 }, adopted: 8, cutOff: 9,
    deaths: { signal: 1, exit: 2, hung: 3, start: 4 }, reloads: 2, linesDropped: 13,
  },
  notices: [], config: { '--workers': 1 }, actions: false,
};

/** A server that says what a test has put in here, and notes what it was told to do. */
export class FakeSource implements AdminSource {
  now: Status = STATUS;
  /** What changes next: one at each look. */
  readonly changes: Change[] = [];
  looks = 0;
  isReady = true;
  isLive = true;
  readonly done: unknown[][] = [];

  set(changes: Partial<Status>): void {
    this.now = { ...this.now, ...changes };
  }

  status(): Status { return this.now; }
  begin(): Status { return this.now; }
  change(): Change | undefined {
    this.looks++;
    return this.changes.shift();
  }
  metrics(): Metrics {
    return { handoffSeconds: { buckets: [{ le: 0.001, count: 2 }, { le: 10, count: 4 }], sum: 12.5, count: 5 } };
  }
  reload(): void { this.done.push(['reload']); }
  resize(by: 1 | -1): void { this.done.push(['resize', by]); }
  signal(slot: number, signal: string): boolean {
    this.done.push(['signal', slot, signal]);
    return this.now.workers.some((worker) => worker.slot === slot);
  }
}

export interface FakeAdmin {
  readonly admin: Admin;
  readonly source: FakeSource;
  /** 0: a Unix socket. */
  readonly port: number;
}

/** Is open until the test has ended. */
export async function openFake(
  t: TestContext, { isAllowedActions = false, where = { kind: 'tcp', host: '127.0.0.1', port: 0 } }: {
    isAllowedActions?: boolean; where?: AdminPlace;
  } = {},
): Promise<FakeAdmin> {
  const source = new FakeSource();
  const admin = await openAdmin(where, isAllowedActions, source);
  t.after(() => admin.close());
  return { admin, source, port: portOf(admin.address) };
}

/** The port in `http://127.0.0.1:9090/`; 0: it has none. */
export function portOf(address: string): number {
  return Number(/:(\d+)\/$/.exec(address)?.[1] ?? 0);
}

export interface Asking {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** @param to A port of this machine, or the path of a Unix socket. */
export async function ask(
  to: number | string, path: string, { method, headers, body }: Asking = {},
): Promise<Answered> {
  const asking = begin(to, path, method, headers);
  asking.end(body);
  const response = await answerTo(asking);
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) text += part;
  return { status: response.statusCode!, headers: response.headers, body: text };
}

/** The status of a server, as GET /status has it. */
export async function statusOf(to: number | string): Promise<Status> {
  return JSON.parse((await ask(to, '/status')).body) as Status;
}

/** A connection to the admin address, on which a test writes what it likes. */
export async function connectTo(t: TestContext, port: number): Promise<Socket> {
  const socket = await connected(port);
  t.after(() => void socket.destroy());
  return socket;
}

/** All that comes until the other side closes. */
export async function readToEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => { text += part; });
  if (!socket.closed) await once(socket, 'close');
  return text;
}

/** What is answered to these bytes until the connection ends. */
export async function askRaw(port: number, bytes: string): Promise<string> {
  const socket = await connected(port);
  socket.write(bytes);
  return await readToEnd(socket);
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

export interface Frame {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** A reader of GET /events. */
export class EventReader implements AsyncDisposable {
  readonly response: IncomingMessage;
  readonly #frames: AsyncGenerator<Frame, void>;

  constructor(response: IncomingMessage) {
    this.response = response;
    this.#frames = framesOf(response);
  }

  static async open(to: number | string, headers: OutgoingHttpHeaders = {}): Promise<EventReader> {
    const asking = begin(to, '/events', 'GET', headers);
    asking.end();
    return new EventReader(await answerTo(asking));
  }

  /** Settles with the next frame, or rejects when the stream ends. */
  async next(): Promise<Frame> {
    const { value } = await this.#frames.next();
    if (value === undefined) throw new Error('the events have ended');
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.response.closed) return;
    const closed = new Promise((resolve) => this.response.once('close', resolve));
    this.response.destroy();
    await closed;
  }
}

async function* framesOf(response: IncomingMessage): AsyncGenerator<Frame, void> {
  let rest = '';
  try {
    for await (const part of response.setEncoding('utf8')) {
      const blocks = (rest + part).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) {
        const [, id, event, data] = /^id: ([^\n]*)\nevent: ([^\n]*)\ndata: ([^\n]*)$/.exec(block) ?? [];
        if (data !== undefined) yield { id: id!, event: event!, data: JSON.parse(data) as unknown };
      }
    }
  } catch {
    // It was cut off: it has ended.
  }
}

function begin(to: number | string, path: string, method = 'GET', headers: OutgoingHttpHeaders = {}): ClientRequest {
  const where = typeof to === 'number' ? { host: '127.0.0.1', port: to } : { socketPath: to };
  return request({ ...where, path, method, headers, agent: false });
}

async function answerTo(asking: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => asking.on('response', resolve).on('error', reject));
}
