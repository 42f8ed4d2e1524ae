// Standard output of the client and of the load generator: what is written there has arrived, or it is said that not.

import { codeOf, messageOf } from '../../shared/errors.ts';

/** A stream that takes text and says when it is through. */
interface Output {
  write(text: string, done: (error?: Error | null) => void): unknown;
}

/**
 * Writes, and waits until it is written.
 * @returns What went wrong, in a sentence; nothing also when the reader has seen enough, as in `| head`.
 */
export async function print(output: Output, text: string): Promise<string | undefined> {
  const error = await new Promise<Error | null | undefined>((resolve) => { output.write(text, resolve); });
  return error ? cannotWrite(error) : undefined;
}

/** What an error of standard output means, in a sentence; nothing when nobody is left to be told. */
export function cannotWrite(error: Error): string | undefined {
  return codeOf(error) === 'EPIPE' ? undefined : `Cannot write to standard output: ${messageOf(error)}.`;
}
