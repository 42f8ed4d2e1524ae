// The figures add up: what the status says, and what the last line says, whatever has happened to the clients.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Totals } from '../../shared/status/status.ts';
import { portOf, statusOf } from '../helpers/admin.ts';
import { startGated } from '../helpers/gated.ts';
import { until, untilGone } from '../helpers/processes.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

test('each that has connected is served, refused or gone, or not served yet; and counts once', async (t) => {
  const { server, open } = await startGated(t, [
    '--bind-proxy', '127.0.0.1:0', '--proxy-timeout', '600', '--connections-per-address', '2',
    '--connections-per-worker', '3', '--waiting', '0', '--on-crash', 'adopt', '--admin', '0',
  ]);
  const admin = portOf((await server.printed(/admin on (\S+)\n/))[1]!);
  /** Waits until the figures are these, and add up. @param unserved Are here and not served yet. */
  async function figures(wanted: Partial<Totals>, unserved = 0): Promise<Totals> {
    let totals = {} as Totals;
    await until(async () => {
      ({ totals } = await statusOf(admin));
      // Who could not be accepted was never there.
      const refused = sumOf(totals.refused) - totals.refused.accept;
      const addUp = totals.connections === totals.served + refused + totals.gone + unserved;
      return addUp && Object.entries(wanted).every(([name, figure]) => totals[name as keyof Totals] === figure);
    }, `not ${JSON.stringify(wanted)}`, { report: () => `${JSON.stringify(totals)}\n${server.stdout}` });
    return totals;
  }
  async function proxied(host: string, text: string): Promise<TestClient> {
    const client = await connectClient(server.port);
    client.send(`PROXY TCP4 ${host} 192.0.2.99 1234 80\r\n${text}`);
    return client;
  }

  const [first, second] = [await proxied('192.0.2.1', 'a'), await proxied('192.0.2.1', 'b')];
  assert.equal(await first.readText('A'), 'A');
  assert.equal(await second.readText('B'), 'B');
  await (await proxied('192.0.2.1', 'one too many')).fate;
  const bad = await connectClient(server.port);
  bad.send('no header\r\n');
  await bad.fate;
  const early = await figures({ connections: 4 });
  assert.deepEqual([early.served, early.refused.address, early.refused.header, early.gone], [2, 1, 1, 0]);
  const half = await connectClient(server.port);
  half.send('PROXY');
  await figures({ connections: 5 }, 1);
  half.socket.resetAndDestroy();
  await half.fate;
  // A header that is cut off is a bad one. Who sends none has just left.
  await figures({ connections: 5 });
  const silent = await connectClient(server.port);
  await figures({ connections: 6 }, 1);
  silent.end();
  await silent.fate;
  assert.equal((await figures({ gone: 1 })).refused.header, 2);

  // There is no worker, and one that was served leaves: it is not gone as well.
  let [worker] = server.workers();
  server.signal('SIGHUP');
  await untilGone(worker!);
  assert.equal(sumOf((await figures({ connections: 6 })).moved), 0, 'nobody has taken one on yet');
  second.end();
  const newcomers = [await proxied('192.0.2.2', 'c'), await proxied('192.0.2.3', 'd')];
  await server.printed(/1 connection gone: left while waiting/);
  open();
  for (const [i, client] of newcomers.entries()) assert.equal(await client.readText('C'), 'CD'[i]);
  // A worker says once a second what it has done.
  const moved = await figures({ served: 4, gone: 1, messages: 4 });
  assert.deepEqual([moved.moved.reload, moved.adopted], [1, 0]);

  // Its clients are adopted, and what the dead worker had said of itself stays.
  [worker] = server.workers();
  process.kill(worker!, 'SIGKILL');
  await figures({ adopted: 3, messages: 4 });
  assert.equal(await first.ask('e'), 'E');
  for (const client of [first, ...newcomers]) client.end();
  for (const client of [first, ...newcomers]) await client.fate;
  await figures({ messages: 5 });
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /served 4 connections, 5 messages, 5 bytes in, 5 bytes out; 3 refused, 0 cut off\n$/);
});
