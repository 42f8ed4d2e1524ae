// How a complaint repeats what somebody typed, and which word was meant. Used by read.ts and by programs' own checks.

/** What is longer is cut. */
const LONGEST_ECHO = 60;
/** The most letters that may be wrong in a word, and the fewest that are taken for the beginning of one. */
const MOST_WRONG = 3;
const SHORTEST_START = 3;

/** In quotes, short, and with nothing in it that a terminal would obey or that would begin a new line. */
export function quote(text: string): string {
  const shown = text.length > LONGEST_ECHO ? `${text.slice(0, LONGEST_ECHO - 3)}...` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** `: did you mean --port?`, or nothing. It is the word that is most like the typed one, or else begins with it. */
export function didYouMean(typed: string, words: readonly string[], dashes = ''): string {
  const name = typed.replace(/^-+/, '').toLowerCase().replaceAll('_', '-').slice(0, LONGEST_ECHO);
  const near = words
    .map((word) => ({ word, distance: editDistance(name, word) }))
    .filter(({ word, distance }) => distance <= Math.min(MOST_WRONG, word.length / 2))
    .sort((a, b) => a.distance - b.distance)[0]?.word;
  const meant = near ?? (name.length < SHORTEST_START ? undefined : words.find((word) => word.startsWith(name)));
  return meant === undefined ? '' : `: did you mean ${dashes}${meant}?`;
}

/** How many letters to insert, delete or replace to make `b` of `a` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const letter of a) {
    const next = [row[0]! + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j]! + (letter === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
