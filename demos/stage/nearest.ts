// Which word somebody may have meant who mistyped one. Used by arguments.ts.

/** The most letters that may be wrong. */
const MOST_WRONG = 3;

/** The word that is most like the typed one, or begins with it; undefined when none is. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const near = words
    .map((word) => ({ word, distance: editDistance(typed, word) }))
    .filter(({ word, distance }) => distance <= Math.min(MOST_WRONG, word.length / 2))
    .sort((a, b) => a.distance - b.distance)[0]?.word;
  return near ?? (typed === '' ? undefined : words.find((word) => word.startsWith(typed)));
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
