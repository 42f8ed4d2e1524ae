// The admin address (--admin): HTTP, by the master itself, for those who watch and operate the server. Loaded only when
// it is wanted. Whatever comes in, it may cost the master a moment and never more: all is bounded, and nothing waits.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { codeOf, messageOf } from '../../shared/errors.ts';
import { MOST_ADMIN_CONNECTIONS } from '../connections/held-connections.ts';
import { bindServer } from '../connections/listener.ts';
import { act } from './actions.ts';
import { json, send, sentence, TEXT } from './answer.ts';
import type { Answer } from './answer.ts';
import { Events, EVENTS_TYPE } from './events.ts';
import { PageFiles } from './files.ts';
import { METRICS_TYPE, metricsText } from './metrics-text.ts';
import { processFigures } from './process-metrics.ts';
import { RequestGuard } from './request-guard.ts';
import { notFound, routeOf, wrongMethod } from './routes.ts';
import type { Look } from './routes.ts';
import type { Admin, AdminPlace, AdminSource } from './source.ts';

/** How many of them may read events: some are always left for a probe or a scrape. */
const MOST_READERS = 48;
const LIMITS = {
  /** Of all headers of a request, in bytes: cookies of other servers of this machine may be among them. */
  maxHeaderSize: 16 * 1024,
  /** How long headers, a request, and the silence between two may take, in milliseconds; and how often to look. */
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
  /** How long a connection is silent before the system asks whether its other end is still there. */
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;
/** Who takes nothing of an answer for so long, in milliseconds, is given up. Not so a reader of events. */
const UNREAD_MS = 30_000;

/**
 * Serves the admin address.
 * @param isAllowedActions Whether POST does anything.
 * @throws ListenError when it cannot listen there.
 */
export async function openAdmin(where: AdminPlace, isAllowedActions: boolean, source: AdminSource): Promise<Admin> {
  const server = createServer(LIMITS);
  const isUnix = where.kind === 'unix';
  const service = new AdminService(source, isAllowedActions, isUnix ? undefined : [hostname(), where.host]);
  service.serve(server);
  const { address, unbind } = await bindServer(server, { givenBy: '--admin', ...where }, 'owner');
  // Whoever could not be accepted (no descriptor is left) tries again. That the server has none, its log tells.
  server.on('error', () => {});
  return {
    address: isUnix ? address : `http://${address}/`,
    close: () => {
      service.close();
      unbind();
      server.closeAllConnections();
    },
  };
}

class AdminService {
  readonly #source: AdminSource;
  readonly #isAllowedActions: boolean;
  readonly #guard: RequestGuard;
  readonly #events: Events;
  readonly #files = new PageFiles();
  /** The answer that is under way on a connection. */
  readonly #answering = new WeakMap<Duplex, ServerResponse>();
  /** What was made out in this turn of the event loop: a flood of requests costs no more than one. */
  readonly #fresh = new Map<Look, Answer>();

  constructor(source: AdminSource, isAllowedActions: boolean, names: readonly string[] | undefined) {
    this.#source = source;
    this.#isAllowedActions = isAllowedActions;
    this.#guard = new RequestGuard(names);
    this.#events = new Events(source);
  }

  serve(server: Server): void {
    server.maxConnections = MOST_ADMIN_CONNECTIONS;
    // By number they would be left out silently, and the guard's might be among them; their size is limited.
    server.maxHeadersCount = 0;
    server.setTimeout(UNREAD_MS);
    const receive = (request: IncomingMessage, response: ServerResponse): void => this.#receive(request, response);
    server.on('request', receive);
    // `Expect: 100-continue`: it gets its answer, and keeps its body.
    server.on('checkContinue', receive);
    server.on('clientError', (error, socket) => this.#malformed(error, socket));
  }

  close(): void {
    this.#events.close();
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    // Whoever goes in the middle is one who has gone.
    request.on('error', () => {});
    response.on('error', () => {});
    const current = this.#answering.get(socket);
    if (current !== undefined) return refuseMore(current);
    this.#answering.set(socket, response);
    response.on('close', () => this.#answering.delete(socket));
    // A body means nothing here: with the answer the connection ends, and the rest of the body is not read.
    if (hasBody(request)) response.setHeader('Connection', 'close');
    this.#answer(request, socket).then((answer) => {
      if (answer === 'events') this.#events.add(response, request.headersDistinct['last-event-id']?.[0]);
      else send(response, answer);
    }).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, sentence(500, 'The server cannot answer this now.'));
    });
  }

  async #answer(
    { method, url = '', headersDistinct: headers }: IncomingMessage, socket: Socket,
  ): Promise<Answer | 'events'> {
    const refusal = this.#guard.refusal({ method, headers });
    if (refusal !== undefined) return refusal;
    const route = routeOf(url);
    if (route.kind === 'file') {
      const file = await this.#files.get(route.name).catch((error: unknown) => (
        sentence(500, `The files of the page cannot be read: ${codeOf(error) ?? messageOf(error)}.`)));
      return file === undefined ? notFound() : wrongMethod(route, method) ?? file;
    }
    const unsuited = wrongMethod(route, method);
    if (unsuited !== undefined) return unsuited;
    if (route.kind === 'act') {
      this.#fresh.clear();
      return this.#isAllowedActions ? act(route.action, this.#source)
        : sentence(403, 'Nothing can be changed here: the server was started without --admin-actions.');
    }
    if (route.at !== 'events' || method === 'HEAD') return this.#look(route.at);
    if (this.#events.readers >= MOST_READERS) return sentence(503, `${MOST_READERS} others read the events already.`);
    socket.setTimeout(0);
    return 'events';
  }

  #look(at: Look): Answer {
    const source = this.#source;
    switch (at) {
      case 'livez': return word(source.isLive ? undefined : 'not live', 'ok');
      case 'readyz': return word(source.isReady ? undefined : whyNotReady(source), 'ready');
      case 'metrics': return this.#once(at, () => metricsAnswer(source));
      case 'status': return this.#once(at, () => json(200, source.status()));
      case 'events': return { status: 200, type: EVENTS_TYPE, body: '' };
    }
  }

  #once(at: Look, make: () => Answer): Answer {
    const known = this.#fresh.get(at);
    if (known !== undefined) return known;
    if (this.#fresh.size === 0) setImmediate(() => this.#fresh.clear());
    const answer = make();
    this.#fresh.set(at, answer);
    return answer;
  }

  /** What is no request of HTTP, or was not sent in time. */
  #malformed(error: Error, socket: Duplex): void {
    // On an answer that is under way, another one has no place.
    if (!socket.writable || codeOf(error) === 'ECONNRESET' || this.#answering.has(socket)) {
      socket.destroy();
      return;
    }
    const status = { HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
      ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout' }[codeOf(error) ?? ''] ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
  }
}

/** Nobody sends requests before the answers to those before: a thousand of them fit into one read. */
function refuseMore(current: ServerResponse): void {
  if (current.headersSent) current.destroy();
  else current.setHeader('Connection', 'close');
}

function metricsAnswer(source: AdminSource): Answer {
  const body = metricsText(source.status(), source.metrics(), processFigures(), process.version);
  return { status: 200, type: METRICS_TYPE, body };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** @param trouble Undefined: there is none. */
function word(trouble: string | undefined, good: string): Answer {
  return { status: trouble === undefined ? 200 : 503, type: TEXT, body: trouble ?? good };
}

function whyNotReady(source: AdminSource): string {
  const { phase } = source.status();
  if (phase === 'leaving') return 'stopping';
  return phase === 'ready' ? 'no worker is ready' : phase;
}
