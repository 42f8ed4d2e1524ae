// How `npm start` and the other programs of package.json are read as they are written; every process that they start
// inherits it. Node's own type stripping takes longer than tsx and 20 MB more, but only once: in its compile cache Node
// keeps what it has made of a file, and each later process costs little more than built. So it is used where it can be
// kept, on Node from 22.18 on; tsx does it elsewhere.
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

// Not in the folder for temporary files, where others could put code of theirs in its place.
const cache = fileURLToPath(new URL('../node_modules/.cache/echopool', import.meta.url));
if (process.features.typescript) nodeModule.enableCompileCache?.(cache);
if (!process.features.typescript || nodeModule.getCompileCacheDir?.() === undefined) await import('tsx');
