/** Names that may be meant, at most three: those that start with the word, else those with the smallest edit distance. */
export function closest(word: string, names: readonly string[]): string[] {
  const begun = word.length < 3 ? [] : names.filter((name) => name.startsWith(word))
  if (begun.length > 0) return begun.slice(0, 3)
  const most = Math.floor(word.length / 3)
  const slips = names.map((name) => ({ name, count: distance(word, name) })).filter(({ count }) => count <= most)
  const fewest = Math.min(...slips.map(({ count }) => count))
  return slips
    .filter(({ count }) => count === fewest)
    .map(({ name }) => name)
    .slice(0, 3)
}

/** Letters to insert, delete, replace, or swap with the next one (optimal string alignment). */
function distance(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0
  for (let row = 1; row <= one.length; row++) {
    const line = [row]
    rows.push(line)
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1]
      const isSwap = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1] && row > 1 && column > 1
      line.push(
        Math.min(
          at(row - 1, column) + 1,
          (line[column - 1] ?? 0) + 1,
          at(row - 1, column - 1) + (same ? 0 : 1),
          isSwap ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
  }
  return at(one.length, other.length)
}
