// When a silent worker is stalled, and when it is lost. The beats are the test's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heartbeat } from '../../server/workers/heartbeat.ts';

/** A heartbeat of 10 s, so of 10 beats, and what it has told: `ping 1`, `stalled 1` … */
function newHeartbeat(timeoutMs = 10_000): { heartbeat: Heartbeat; told: () => string[] } {
  let told: string[] = [];
  const tell = (what: string) => (worker: number): void => void told.push(`${what} ${worker}`);
  const heartbeat = new Heartbeat(timeoutMs, {
    ping: tell('ping'), stalled: tell('stalled'), resumed: tell('resumed'), lost: tell('lost'),
  });
  return {
    heartbeat,
    told: () => {
      const all = told;
      told = [];
      return all;
    },
  };
}

test('there are at least five beats in the time limit, and one a second at least', () => {
  assert.equal(newHeartbeat(10_000).heartbeat.intervalMs, 1000);
  assert.equal(newHeartbeat(500).heartbeat.intervalMs, 100);
  assert.equal(newHeartbeat(1_000_000).heartbeat.intervalMs, 1000);
});

test('a worker that answers is pinged at every beat, and nothing else is told', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1);
  heartbeat.add(2);
  for (let beat = 1; beat <= 60; beat++) {
    heartbeat.beat();
    assert.deepEqual(told(), ['ping 1', 'ping 2']);
    heartbeat.heard(1);
    heartbeat.heard(2);
  }
  assert.deepEqual(told(), []);
});

test('one that has not answered for two beats is stalled, told once, and resumes with its first word', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1);
  heartbeat.beat();
  heartbeat.beat();
  assert.deepEqual(told(), ['ping 1', 'ping 1']);
  heartbeat.beat();
  assert.deepEqual(told(), ['stalled 1', 'ping 1']);
  heartbeat.beat();
  assert.deepEqual(told(), ['ping 1']);
  heartbeat.heard(1);
  assert.deepEqual(told(), ['resumed 1']);
  heartbeat.heard(1);
  assert.deepEqual(told(), []);
});

test('one that answers none of the pings of the whole time limit is lost, told once, and not pinged any more', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1);
  for (let beat = 1; beat <= 10; beat++) {
    heartbeat.beat();
    assert.ok(!told().includes('lost 1'));
  }
  heartbeat.beat();
  assert.deepEqual(told(), ['lost 1']);
  heartbeat.beat();
  heartbeat.heard(1);
  heartbeat.beat();
  assert.deepEqual(told(), []);
});

test('one that was removed is forgotten', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1);
  heartbeat.remove(1);
  heartbeat.heard(1);
  heartbeat.beat();
  heartbeat.beat();
  assert.deepEqual(told(), []);
});

test('a worker that became ready just before a beat has as much time as the others', () => {
  const { heartbeat, told } = newHeartbeat(500);
  heartbeat.add(1);
  for (let pings = 1; pings <= 5; pings++) heartbeat.beat();
  assert.deepEqual(told().filter((what) => what !== 'ping 1'), ['stalled 1']);
  heartbeat.beat();
  assert.deepEqual(told(), ['lost 1']);
});
