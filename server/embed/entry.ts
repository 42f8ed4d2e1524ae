// What a process of startEchoServer() runs: the server, which ends with its caller. The channel to the caller carries
// no message; it closes when the caller ends, whatever ended that.
import { calledAs } from '../../shared/called.ts';
import { CALLED_AS } from './why-ended.ts';

/** Asked once more after so long, in milliseconds, the server ends at once: nobody is left who waits for it. */
const AT_ONCE_MS = 250;

calledAs(CALLED_AS);
if (process.connected) process.once('disconnect', end);
else end();
await import('../main.ts');

/** As somebody who stops it by hand. Before it listens to signals, the first one ends it. */
function end(): void {
  const stop = (): void => void process.kill(process.pid, 'SIGTERM');
  stop();
  setInterval(stop, AT_ONCE_MS);
}
