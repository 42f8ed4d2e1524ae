// The server in what containers are made of: a control group with a limit of CPU time.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { makeControlGroup } from '../helpers/control-group.ts';
import { startTestServer } from '../helpers/server.ts';

test('with half a CPU the server starts one worker, and says so when more are asked for', async (t) => {
  if (availableParallelism() < 2) return t.skip('needs two CPUs, and there is one');
  await using group = makeControlGroup(500);
  if ('missing' in group) return t.skip(group.missing);
  await using server = await startTestServer(['--workers', '2'], { command: [...group.command, process.execPath] });
  assert.match(server.stdout, /--workers 2 is lowered to 1, the number of usable CPUs/);
  assert.match(server.stdout, /listening on \S+ with 1 worker /);
  assert.equal(server.workers().length, 1);
});
