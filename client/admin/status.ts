#!/usr/bin/env node
// What a server says of itself, printed once (npm run status).
import { parseStatusCommand, statusHelp } from './config.ts';
import { printStatus, runProgram } from './program.ts';

await runProgram('status', statusHelp, () => parseStatusCommand(process.argv.slice(2), process.env),
  async ({ address, values }) => await printStatus(address, values.json));
