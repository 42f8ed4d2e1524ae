// What a process still has to say at its end, on a descriptor that may block. Used by the server's main.ts.
import { openOutput } from './output.ts';

/**
 * Writes to a descriptor that others share and that nobody may read, such as standard error: without blocking, and
 * without making the end of the process wait.
 * @param text One or more whole lines.
 * @param timeoutMs How long to try, in milliseconds; undefined: as long as it takes.
 * @returns Whether all of it is written.
 */
export async function tryToSay(fd: number, text: string, timeoutMs: number | undefined): Promise<boolean> {
  const bytes = Buffer.from(text);
  const output = openOutput(fd);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => output.end(), timeoutMs);
  const { written } = await output.writeAll(bytes);
  clearTimeout(timer);
  output.end();
  return written === bytes.length;
}
