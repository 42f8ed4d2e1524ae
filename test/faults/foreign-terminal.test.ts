// The log on another user's terminal, as `sudo -u` leaves it: it cannot be opened anew, and Ctrl-S has stopped it. The
// echo goes on, the server stops in its grace, and a second signal ends it at once.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { processesOf } from '../helpers/faults-proc.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { until, untilGone } from '../helpers/processes.ts';
import { signalIfAlive } from '../helpers/server.ts';
import { startStuckServer, stuckMissing } from '../helpers/stuck.ts';
import { connectClient } from '../helpers/test-client.ts';

/** The user nobody: root's terminal is another user's to it. */
const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

const CAN_READ = 'require("node:fs").accessSync(process.argv[1])';

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to be another user';
  const [program = ''] = nodeArgs('server/main.ts').slice(-1);
  const [command, ...args] = [...AS_NOBODY, process.execPath, '-e', CAN_READ, program];
  const { status, error } = spawnSync(command!, args, { stdio: 'ignore' });
  return error !== undefined ? 'needs setpriv' : status !== 0 && 'the user nobody may not read this folder';
}

describe('on the stopped terminal of another user', { skip: stuckMissing() || whyNot() }, () => {
  for (const [ends, grace, code] of [
    ['a signal ends the server in its grace', '1', 0], ['a second signal ends it at once', '600', 130],
  ] as const) {
    test(`the echo goes on, and ${ends}`, async () => {
      const flags = ['--workers', '1', '--grace', grace];
      await using server = await startStuckServer('terminal', flags, AS_NOBODY);
      await using client = await connectClient(server.port);
      for (let i = 0; i < 100; i++) assert.equal(await client.ask('hi'), 'HI');
      // Among them the process that writes to the terminal, and waits.
      const all = processesOf(server.pid);
      process.kill(server.pid, 'SIGTERM');
      // Two that come together are one wish.
      if (grace === '600') await until(() => !signalIfAlive(server.pid, 'SIGTERM'), 'it to end');
      assert.equal((await server.ended).exitCode, code);
      await untilGone(...all);
    });
  }
});
