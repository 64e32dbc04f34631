import wrap from 'wrap-ansi'

/** Lines of one text at most: the last ones. */
const MAX_LINES = 6

export interface Screen {
  readonly columns: number
  readonly rows: number
  write(text: string): Promise<void>
}

/** Texts at the end of a terminal's output that are drawn anew when they change. All output goes through it. */
export class LiveText {
  readonly #screen: Screen
  #texts: readonly string[] = []
  /** Lines on the screen. */
  #drawn = 0
  #isOver = false

  constructor(screen: Screen) {
    this.#screen = screen
  }

  /** Replaces the texts. */
  show(texts: readonly string[]): Promise<void> {
    this.#texts = texts
    return this.#redraw('')
  }

  /** Writes lines above the texts. */
  above(lines: string): Promise<void> {
    return this.#redraw(lines)
  }

  /** Removes the texts for good. */
  end(): Promise<void> {
    this.#isOver = true
    return this.show([])
  }

  /** In one write, so that nothing flickers and no other output comes between. */
  #redraw(lines: string): Promise<void> {
    // One column less: a terminal may wrap a line that is exactly as wide as it is.
    const width = Math.max(1, this.#screen.columns - 1)
    const linesOf = (text: string) => wrap(text, width, { hard: true, trim: false }).split('\n').slice(-MAX_LINES)
    // What has scrolled off the screen cannot be erased.
    const shown = this.#isOver ? [] : this.#texts.flatMap(linesOf).slice(-Math.max(1, this.#screen.rows - 2))
    const erase = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`
    this.#drawn = shown.length
    const text = `${erase}${lines}${shown.map((line) => `${line}\n`).join('')}`
    return text === '' ? Promise.resolve() : this.#screen.write(text)
  }
}
