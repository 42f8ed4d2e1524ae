// The admin address of a server that a test makes up, for the programs that watch one.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Change, Status } from '../../shared/status/status.ts';
import { aStatus } from './status.ts';

export interface FakeAdmin {
  /** 0: a Unix socket. */
  readonly port: number;
  /** GET /status, and what a new reader of /events gets first. */
  status: Status;
  /** What POST is answered with. */
  answer: { status: number; body: string };
  /** The paths of POST so far. */
  readonly posts: readonly string[];
  /** The Last-Event-ID of each reader so far. */
  readonly lastIds: readonly (string | undefined)[];
  /** Sends all readers of /events something: a change, or bytes as they are. */
  send(what: Change | string): void;
  /** Settles when somebody has asked for this path, as often as was waited for it before and once more. */
  asked(path: string): Promise<void>;
  /** Ends the server. */
  stop(): Promise<void>;
}

/** Runs until the test has ended. @param where A port, or the path of a Unix socket. */
export async function fakeAdmin(
  t: TestContext, differs: Partial<Status> = {}, where: number | string = 0,
): Promise<FakeAdmin> {
  const readers = new Set<ServerResponse>();
  const posts: string[] = [];
  const lastIds: (string | undefined)[] = [];
  const asked = new Map<string, { count: number; awaited: number; tell: () => void }>();
  const countOf = (path: string) => {
    const known = asked.get(path) ?? { count: 0, awaited: 0, tell: () => {} };
    asked.set(path, known);
    return known;
  };
  let id = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/status') {
      response.end(JSON.stringify(fake.status));
    } else if (path === '/events') {
      lastIds.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(`retry: 1000\n\nid: ${++id}\nevent: status\ndata: ${JSON.stringify(fake.status)}\n\n`);
      readers.add(response);
      response.on('close', () => readers.delete(response));
    } else if (request.method === 'POST') {
      posts.push(path);
      response.writeHead(fake.answer.status).end(fake.answer.body);
    } else {
      response.writeHead(404).end('There is nothing here.\n');
    }
    const known = countOf(path);
    known.count++;
    known.tell();
  });
  const fake: FakeAdmin = {
    port: 0, status: aStatus(differs), answer: { status: 202, body: '{"done":"It is done."}' }, posts, lastIds,
    send(what) {
      const text = typeof what === 'string' ? what : `id: ${++id}\nevent: change\ndata: ${JSON.stringify(what)}\n\n`;
      for (const reader of readers) reader.write(text);
    },
    async asked(path) {
      const known = countOf(path);
      known.awaited++;
      while (known.count < known.awaited) await new Promise<void>((resolve) => { known.tell = resolve; });
    },
    async stop() {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.once('close', resolve));
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  await new Promise<void>((resolve) => server.listen(typeof where === 'number' ? { port: where, host: '127.0.0.1' }
    : { path: where }, resolve));
  t.after(() => fake.stop());
  const address = server.address() as AddressInfo | string;
  return Object.assign(fake, { port: typeof address === 'string' ? 0 : address.port });
}
