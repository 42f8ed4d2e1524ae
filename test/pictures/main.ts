// `npm run pictures`: makes the pictures of README.md and docs/ anew, all or those that are named.
import { parseArgs } from 'node:util';
import { messageOf } from '../../shared/errors.ts';
import { ROOT } from '../helpers/paths.ts';
import { isOld, makePicture, pictures } from './pictures.ts';

const HELP = `Makes the pictures of README.md and docs/ anew, from what the programs print and show.

  npm run pictures [-- [--to FOLDER] [NAME ...]]

  NAME           ${pictures.map(({ name }) => name).join(', ')}; without one: all that are old
  --to FOLDER    into that folder instead of this one
  --help         print this text

Exit codes: 0 made, 1 could not be made, 2 wrong flags
`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true, options: { to: { type: 'string', default: ROOT }, help: { type: 'boolean' } },
  });
  const unknown = positionals.find((name) => !pictures.some((picture) => picture.name === name));
  if (unknown !== undefined) throw new TypeError(`there is no picture '${unknown}'; see --help`);
  if (values.help === true) console.log(HELP.trimEnd());
  else process.exitCode = await makeAll(positionals, values.to!);
} catch (error) {
  console.error(`pictures: ${messageOf(error)}`);
  process.exitCode = 2;
}

async function makeAll(names: readonly string[], folder: string): Promise<number> {
  const wanted = pictures.filter((picture) => (
    names.length > 0 ? names.includes(picture.name) : isOld(picture, folder)));
  let failed = 0;
  for (const picture of wanted) {
    try {
      await makePicture(picture, folder);
      console.log(`made ${picture.files.join(' and ')}`);
    } catch (error) {
      console.error(`pictures: ${picture.name}: ${messageOf(error)}`);
      failed += 1;
    }
  }
  if (wanted.length === 0) console.log('none is old');
  return failed > 0 ? 1 : 0;
}
