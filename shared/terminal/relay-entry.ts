// The process that relay.ts starts: writes what it is sent to RELAY_FD, in small pieces, and says before each how much
// is written. It ends with the process that started it, whatever it waits for.
import { DescriptorOutput } from './output.ts';
import { codeOf } from '../errors.ts';
import { RELAY_FD } from './relay.ts';
import type { FromRelay } from './relay.ts';

// Some send a signal to every process of a service: this one is needed until the one that started it has ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
// process.exit() would wait for a write that blocks.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

/** Settles when the system has it: then it arrives, whatever becomes of this process. */
const tell = (message: FromRelay): Promise<void> => new Promise((resolve) => {
  process.send!(message, () => resolve());
});
const options = { isOwn: false, inPieces: true };
const output = new DescriptorOutput(RELAY_FD, options, (written, upTo) => tell({ type: 'begins', written, upTo }));

process.on('message', (bytes: Uint8Array) => void output.writeAll(bytes).then(({ written, error }) => {
  void tell({ type: 'done', written, error: error === undefined ? null : codeOf(error) ?? 'EIO' });
}));
