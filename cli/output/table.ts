import stringWidth from 'string-width'
import wrap from 'wrap-ansi'

export interface Cell {
  readonly text: string
  /** Puts colour around the text, which takes no width. */
  readonly color?: ((text: string) => string) | undefined
  /** Not wrapped: numbers and times. */
  readonly isWhole: boolean
}

const GAP = 2
/** Narrowest column of wrapped text, in characters. */
const MIN_WIDTH = 8

/**
 * A table without borders. Columns of text are wrapped, the widest first, until it is as wide as the terminal; what holds
 * numbers or times stays on one line.
 * @param width of the terminal; undefined where there is none, and so no bound
 */
export function toTable(head: readonly Cell[], rows: readonly (readonly Cell[])[], width: number | undefined): string {
  const widths = columnWidths(head, rows, width)
  return [head, ...rows].flatMap((row) => linesOf(row, widths)).join('\n')
}

/** The lines of one row: as many as its longest cell has. */
function linesOf(row: readonly Cell[], widths: readonly number[]): string[] {
  const cells = row.map(({ text, color = same }, column) =>
    wrap(text, widths[column] ?? 1, { hard: true, trim: true })
      .split('\n')
      .map((line) => ({ line: color(line), width: stringWidth(line) })),
  )
  const height = Math.max(...cells.map(({ length }) => length))
  return Array.from({ length: height }, (_, at) =>
    cells
      .map((lines, column) => {
        const { line, width } = lines[at] ?? { line: '', width: 0 }
        return line + ' '.repeat((widths[column] ?? 0) - width + GAP)
      })
      .join('')
      .trimEnd(),
  )
}

const same = (text: string) => text

function columnWidths(head: readonly Cell[], rows: readonly (readonly Cell[])[], width: number | undefined): number[] {
  const widths = head.map((title, column) =>
    Math.max(1, ...[title, ...rows.map((row) => row[column] ?? title)].map(({ text }) => stringWidth(text))),
  )
  if (width === undefined) return widths
  const canWrap = head.map((_, column) => rows.some((row) => row[column]?.isWhole === false))
  const total = () => widths.reduce((sum, columns) => sum + columns, GAP * (widths.length - 1))
  while (total() > width) {
    const widest = widths.reduce(
      (found, columns, at) => (canWrap[at] && columns > (widths[found] ?? 0) ? at : found),
      canWrap.indexOf(true),
    )
    if (widest === -1 || (widths[widest] ?? 0) <= MIN_WIDTH) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}
