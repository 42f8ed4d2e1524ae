// When a silent worker is stalled, and when it is lost. The clock is the test's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heartbeat } from '../server/heartbeat.ts';

/** A heartbeat of 10 s, so of 1 s a beat, and what it has told: `ping 1`, `stalled 1` … */
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
  heartbeat.add(1, 0);
  heartbeat.add(2, 0);
  for (let now = 1000; now <= 60_000; now += 1000) {
    heartbeat.tick(now);
    assert.deepEqual(told(), ['ping 1', 'ping 2']);
    heartbeat.heard(1, now + 1);
    heartbeat.heard(2, now + 900);
  }
  assert.deepEqual(told(), []);
});

test('one that is silent for two beats is stalled, told once, and resumes with its first word', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1, 0);
  heartbeat.tick(1000);
  assert.deepEqual(told(), ['ping 1']);
  heartbeat.tick(2000);
  assert.deepEqual(told(), ['stalled 1', 'ping 1']);
  heartbeat.tick(3000);
  assert.deepEqual(told(), ['ping 1']);
  heartbeat.heard(1, 3500);
  assert.deepEqual(told(), ['resumed 1']);
  heartbeat.heard(1, 3600);
  assert.deepEqual(told(), []);
});

test('one that is silent for the whole time limit is lost, told once, and not pinged any more', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1, 0);
  for (let now = 1000; now < 10_000; now += 1000) {
    heartbeat.tick(now);
    assert.ok(!told().includes('lost 1'));
  }
  heartbeat.tick(10_000);
  assert.deepEqual(told(), ['lost 1']);
  heartbeat.tick(11_000);
  heartbeat.heard(1, 11_500);
  heartbeat.tick(12_000);
  assert.deepEqual(told(), []);
});

test('one that was removed is forgotten', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1, 0);
  heartbeat.remove(1);
  heartbeat.heard(1, 500);
  heartbeat.tick(1000);
  heartbeat.tick(2000);
  assert.deepEqual(told(), []);
});

test('when the master itself stood still, the silence is not held against the workers', () => {
  const { heartbeat, told } = newHeartbeat();
  heartbeat.add(1, 0);
  heartbeat.tick(1000);
  told();
  heartbeat.tick(60_000);
  assert.deepEqual(told(), ['ping 1']);
  for (let now = 61_000; now < 70_000; now += 1000) heartbeat.tick(now);
  assert.ok(!told().includes('lost 1'));
  heartbeat.tick(70_000);
  assert.deepEqual(told(), ['lost 1']);
});
