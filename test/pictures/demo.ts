// A picture of a demo, as it runs on a terminal of 80 columns. Used by pictures.ts.
import { startOnPty } from '../helpers/pty.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { terminalSvg } from './terminal-svg.ts';

/** @param args What follows `npm run demo --`. @throws Error The demo fails, or does not show what it should. */
export async function demoPicture(args: readonly string[]): Promise<string> {
  const { NO_COLOR: _, ...env } = process.env;
  const demo = startOnPty([process.execPath, ...nodeArgs('demos/main.ts'), ...args], env);
  const { exitCode } = await demo.ended;
  if (exitCode !== 0) throw new Error(`the demo ${args.join(' ')} ended with ${exitCode}: ${demo.screen()}`);
  const command = `npm run demo -- ${args.join(' ')}`;
  return terminalSvg(`$ \x1b[1m${command}\x1b[22m\n${demo.screen()}`, `What ${command} prints`);
}
