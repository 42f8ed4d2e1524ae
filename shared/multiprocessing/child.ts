// The forked side of Process: learns from its parent who it is and what to run, runs it, and leaves in good order.
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { Channel } from './transport/channel.ts';
import { decode } from './values/codec.ts';
import { setCurrentProcess } from './process/current.ts';
import { leaveBy } from './process/exit-pipe.ts';
import type { StartMessage } from './process/messages.ts';
import { activeChildren, FAILED } from './process/process.ts';
import { keepWhileAwaiting } from './base/keep-alive.ts';
import { loadKindsIn } from './kinds.ts';
import { leave } from './process/leaving.ts';
import { exportOf, importModule, setLineage, setProgramFile } from './process/modules.ts';
import { takeApart } from './values/remote-error.ts';
import * as router from './transport/router.ts';
import { tellNow } from './transport/turn.ts';

/** How often the child looks whether it still has a parent, in milliseconds. */
const LOOK_FOR_PARENT_MS = 1000;

if (process.send === undefined) throw new Error('child.ts is forked by Process and cannot be started by hand');

// No child outlives its parent: with the channel gone there is nobody to work for, and nobody to report to.
process.once('disconnect', () => process.exit());
// Node does not say 'disconnect' when a socket was on its way to the parent.
setInterval(() => {
  if (!process.connected) process.exit();
}, LOOK_FOR_PARENT_MS).unref();
const parent = new Channel(process, (envelope) => router.arrive(envelope, undefined));
parent.listen((message) => {
  parent.listen(undefined); // Whatever follows is for the target, when it listens.
  void run(message as StartMessage);
});

async function run(start: StartMessage): Promise<void> {
  const parentAddress = start.address.slice(0, Math.max(0, start.address.lastIndexOf('.')));
  router.becomeChild(start.address, parent);
  setProgramFile(start.program);
  setLineage(start.lineage);
  setCurrentProcess({ name: start.name, pid: process.pid, daemon: start.daemon, parent });
  const report = (error: unknown): void => {
    parent.pass([parentAddress, start.address, FAILED, takeApart(error)]);
  };
  // Hears of errors that nobody awaits, too. Node ends the process after it.
  process.on('uncaughtExceptionMonitor', (error) => {
    if (process.listenerCount('uncaughtException') === 0) report(error);
    parent.flush();
  });
  process.once('exit', () => {
    leave();
    tellNow();
    leaveBy(start.exitFd, parent);
  });
  try {
    if (start.cwd !== undefined) process.chdir(start.cwd);
    const exports = await importModule(start.module);
    await loadKindsIn(start.args);
    await exportOf(exports, start)(...start.args.map(decode));
  } catch (error) {
    report(error);
    process.exitCode = 1;
    tellOnStandardError(`${start.name} failed: ${inspect(error)}\n`);
  }
  for (const child of activeChildren()) if (!child.daemon) await child.join();
  leave();
  await parent.flushed();
  // From here on the process ends by itself, once its event loop has nothing left to do and nobody here awaits others.
  if (process.channel !== undefined) keepWhileAwaiting(process.channel);
}

/** Not by console.error: the stream would make the descriptor, which all processes share, non-blocking. */
function tellOnStandardError(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // The parent learns of the error all the same, over the channel.
  }
}
