// nginx before two replicas, as docs/deploy/nginx.conf has it: who the client is, who answers, and who takes over.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  connectGreeted, GREETING, greeters, halfClose, noIpv6, noNginx, startNginx, startReplica,
} from '../helpers/balancers.ts';
import type { Balancer } from '../helpers/balancers.ts';
import type { TestServer } from '../helpers/server.ts';

describe('two replicas behind nginx', { skip: noNginx() }, () => {
  let a: TestServer;
  let b: TestServer;
  let nginx: Balancer;
  before(async () => {
    a = await startReplica('a', GREETING);
    b = await startReplica('b', GREETING);
    nginx = await startNginx({ replicas: [a, b] });
  });
  after(async () => {
    for (const process of [nginx, a, b]) await process?.[Symbol.asyncDispose]();
  });

  test('get clients in turn; each says who answers, and takes the client for who it is', async () => {
    assert.match(await greeters(nginx, 10), /^(?:(?:ab){5}|(?:ba){5})$/);
  });

  test('log the address of a client that comes by IPv6', { skip: noIpv6() }, async () => {
    await using nginx = await startNginx({ replicas: [a], host: '::1' });
    await using greeted = await connectGreeted(nginx);
    assert.equal(await greeted.client.ask('straße'), 'STRASSE');
    await a.slotOf(greeted.client.peer);
  });

  test('answer all that came before a client half-closed', async () => {
    await halfClose(nginx);
  });

  test('one is killed: its clients notice it, and nobody else', async () => {
    await using first = await connectGreeted(nginx);
    await using second = await connectGreeted(nginx);
    const [its, other] = first.by === 'a' ? [first, second] : [second, first];
    a.signal('SIGKILL');
    await its.client.fate;
    assert.equal(await greeters(nginx, 4), 'bbbb', 'who would come to it is sent on to the other');
    assert.equal(await other.client.ask('still here'), 'STILL HERE');
  });
});
