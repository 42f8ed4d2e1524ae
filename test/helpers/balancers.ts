// HAProxy and nginx before servers of a test, with the files of docs/deploy, in which only the addresses are others.
// Used by test/deploy/.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { withPort } from '../../shared/address.ts';
import { portOf } from './admin.ts';
import { listeningPort } from './faults-proc.ts';
import { missing } from './missing.ts';
import { ROOT } from './paths.ts';
import { startTestServer, TestServer } from './server.ts';
import { connectClient } from './test-client.ts';
import type { TestClient } from './test-client.ts';

/** Where the files of docs/deploy have their two replicas, and where haproxy.cfg has those asked. */
const REPLICAS = ['127.0.0.1:8081', '127.0.0.1:8082'] as const;
const ADMINS = ['port 9081', 'port 9082'] as const;
/** A machine that stands still must not look like a replica that does not answer. */
const PATIENT_HAPROXY = { 'timeout connect 2s': 'timeout connect 60s', 'timeout check 2s': 'timeout check 60s' };
const PATIENT_NGINX = { 'proxy_connect_timeout 2s': 'proxy_connect_timeout 60s' };
/** A free port is looked for and let go again before it is used, so another may have taken it meanwhile. */
const TRIES = 3;
const LONG_TEXT = 'a long line, straße, '.repeat(50_000);

/** Why a test of nginx cannot run here, for its `skip` option: in Debian the stream module is a package of its own. */
export function noNginx(): string | false {
  if (missing('nginx') !== false) return missing('nginx');
  const { status, stderr } = withFile(deployFile('nginx.conf'), (file) => spawnSync('nginx', nginxArgs('-t', file)));
  return status !== 0 && /unknown directive "stream"/.test(String(stderr)) ? 'nginx has no stream module here' : false;
}

export function noIpv6(): string | false {
  const has = Object.values(networkInterfaces()).flat().some((address) => address?.address === '::1');
  return has ? false : 'there is no ::1 here';
}

/** The text of a file of docs/deploy. */
export function deployFile(name: string): string {
  return readFileSync(join(ROOT, 'docs/deploy', name), 'utf8');
}

/** What nginx needs to read that file and to leave nothing anywhere else. */
export function nginxArgs(how: '-t' | 'serve', file: string): string[] {
  const own = `daemon off; master_process off; pid ${file}.pid;`;
  return ['-e', 'stderr', '-c', file, '-g', own, ...(how === '-t' ? ['-t'] : [])];
}

/** Does something with a file of this text, which is gone afterwards. */
export function withFile<T>(text: string, work: (file: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'echopool-balancer-'));
  try {
    writeFileSync(join(folder, 'config'), text);
    return work(join(folder, 'config'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Greeted extends AsyncDisposable {
  readonly client: TestClient;
  /** The name of the replica that answers: one letter. */
  readonly by: string;
}

export interface BalancerOptions {
  /** With one, all clients come to it. */
  readonly replicas: readonly TestServer[];
  /** Where clients come to. */
  readonly host?: '127.0.0.1' | '::1';
  /** What else is to be in place of what in the file. */
  readonly instead?: Readonly<Record<string, string>>;
}

/** A balancer that runs. */
export class Balancer implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** What it has printed, and its end. */
  readonly process: TestServer;
  readonly #folder: string;

  constructor(process: TestServer, folder: string, host: string, port: number) {
    this.process = process;
    this.#folder = folder;
    this.host = host;
    this.port = port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

/**
 * A server behind a balancer; settles when it listens.
 * @param name By which it greets, when the flags have the greeting of {@link GREETING}.
 * @param port 0: a free one.
 * @param admin The port at which it is asked whether it is ready. 0: a free one.
 */
export function startReplica(name: string, flags: string[], port = 0, admin = 0): Promise<TestServer> {
  const own = ['--bind-proxy', `127.0.0.1:${port}`, '--log', 'connections', '--log-probes', 'no', '--workers', '2'];
  return startTestServer([...own, '--admin', `${admin}`, ...flags], { env: { REPLICA: name } });
}

/** The port at which that replica is asked. */
export function adminPortOf(replica: TestServer): number {
  return portOf(/admin on (\S+)/.exec(replica.stdout)![1]!);
}

/** Who greets so many clients, which come one after the other and get their reply. */
export async function greeters(balancer: Balancer, clients: number): Promise<string> {
  let names = '';
  for (let i = 0; i < clients; i++) {
    await using greeted = await connectGreeted(balancer);
    assert.equal(await greeted.client.ask('straße'), 'STRASSE');
    names += greeted.by;
  }
  return names;
}

/** A client sends a lot and half-closes. @throws Error unless it gets all of the reply. */
export async function halfClose(balancer: Balancer): Promise<void> {
  await using greeted = await connectGreeted(balancer);
  greeted.client.end(LONG_TEXT);
  const reply = (await greeted.client.readToEnd()).toString();
  assert.ok(reply === LONG_TEXT.toUpperCase(), `${reply.length} of ${LONG_TEXT.length} characters, or others`);
}

/** A replica says which one it is, and whom it takes the client for. */
export const GREETING = ['--greeting', '{env:REPLICA} greets {client}\\n'];

/** A client that has read the greeting. */
export async function connectGreeted({ host, port }: Balancer): Promise<Greeted> {
  const client = await connectClient(port, { host });
  const greeting = await client.readText(`x greets ${client.peer}\n`);
  assert.equal(greeting.slice(1), ` greets ${client.peer}\n`);
  return { client, by: greeting[0]!, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

/** HAProxy as docs/deploy/haproxy.cfg has it; settles when it listens. */
export function startHaproxy({ replicas, host = '127.0.0.1', instead = {} }: BalancerOptions): Promise<Balancer> {
  return start(host, (port) => replaced(deployFile('haproxy.cfg'), {
    'bind :8080\n  bind :::8080 v6only\n': `bind ${host}:${port}\n`,
    ...Object.fromEntries(replicas.map((replica, i) => [ADMINS[i], `port ${adminPortOf(replica)}`])),
    ...withReplicas('server b', replicas), ...PATIENT_HAPROXY, ...instead,
  }), (file) => ['haproxy', '-db', '-f', file]);
}

/** nginx as docs/deploy/nginx.conf has it; settles when it listens. */
export function startNginx({ replicas, host = '127.0.0.1', instead = {} }: BalancerOptions): Promise<Balancer> {
  return start(host, (port) => replaced(deployFile('nginx.conf'), {
    'listen 8080 so_keepalive=60s:1s:10;\n    listen [::]:8080 ': `listen ${withPort(host, port)} `,
    ...withReplicas('server', replicas), ...PATIENT_NGINX, ...instead,
  }), (file) => ['nginx', ...nginxArgs('serve', file)]);
}

/** @param second What begins the line of the second replica, which goes when there is only one. */
function withReplicas(second: string, replicas: readonly TestServer[]): Record<string, string> {
  const [a, b] = replicas.map(({ port }) => `127.0.0.1:${port}`);
  return { [REPLICAS[0]]: a!, ...(b === undefined ? { [`${second} ${REPLICAS[1]}`]: '#' } : { [REPLICAS[1]]: b }) };
}

function replaced(text: string, instead: Readonly<Record<string, string>>): string {
  for (const [old, fresh] of Object.entries(instead)) {
    assert.ok(text.includes(old), `no ${JSON.stringify(old)} in\n${text}`);
    // From behind: the first place of an address may be in a comment.
    const at = text.lastIndexOf(old);
    text = text.slice(0, at) + fresh + text.slice(at + old.length);
  }
  return text;
}

async function start(
  host: string, config: (port: number) => string, command: (file: string) => string[],
): Promise<Balancer> {
  for (let tries = 1; ; tries++) {
    const port = await freePort(host);
    const folder = mkdtempSync(join(tmpdir(), 'echopool-balancer-'));
    const file = join(folder, 'config');
    writeFileSync(file, config(port));
    const [program, ...args] = command(file);
    const balancer = new Balancer(new TestServer([], { command: [program!], main: args }), folder, host, port);
    try {
      await balancer.process.when(() => listeningPort(balancer.process.process.pid!), `${program} listens`);
      return balancer;
    } catch (error) {
      await balancer[Symbol.asyncDispose]();
      if (tries === TRIES) throw error;
    }
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
