// Why a server has ended, from what it said on standard error and how its process ended. Pure. Used by echo-server.ts.

/** By this name the server complains, and so its own lines are told from those of Node, a debugger or a library. */
export const CALLED_AS = 'startEchoServer';

/** `Error: …`, `TypeError [ERR_…]: …`: how Node tells what nobody caught. Its stack and Node's version follow. */
const UNCAUGHT = /^\w*Error(?: \[\w+\])?: /;
const NODES_VERSION = /^Node\.js v\d/;

/** Hears standard error, line by line, and keeps the few that may matter. */
export class WhyEnded {
  #complaint: string | undefined;
  #uncaught: string | undefined;
  #last: string | undefined;

  hear(line: string): void {
    // The first: what comes after it is only how many lines of the log were lost.
    if (line.startsWith(`${CALLED_AS}: `)) this.#complaint ??= line;
    else if (UNCAUGHT.test(line)) this.#uncaught = line;
    else if (line.trim() !== '' && !NODES_VERSION.test(line)) this.#last = line;
  }

  /** @returns Why, in a sentence; undefined: as it should. */
  tell(code: number | null, signal: NodeJS.Signals | null): string | undefined {
    if (code === 0) return undefined;
    if (this.#complaint !== undefined) return this.#complaint;
    // Somebody else did that: what was said before, such as a warning, is not why.
    if (signal !== null) return `the echo server was ended by ${signal}`;
    const said = this.#uncaught ?? this.#last;
    return `the echo server exited with code ${code}${said === undefined ? '' : `: ${said}`}`;
  }
}
