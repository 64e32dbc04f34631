/** Distance from the end that counts as the end, in pixels. */
const END_SLACK = 24

export const rowsOf = (list: HTMLElement): HTMLElement[] => [...list.querySelectorAll<HTMLElement>('.message')]

/** Id of the message that an element belongs to; 0 if to none. */
export function idOf(target: EventTarget | null): number {
  const row = target instanceof Element ? target.closest<HTMLElement>('.message') : null
  return Number(row?.dataset.id ?? 0)
}

export const isNearEnd = (list: HTMLElement) => list.scrollHeight - list.scrollTop - list.clientHeight < END_SLACK

const topOf = (list: HTMLElement, row: HTMLElement) =>
  row.getBoundingClientRect().top - list.getBoundingClientRect().top

/** Id of the last message whose end is in view; 0 if there is none. */
export function lastSeen(list: HTMLElement): number {
  const bottom = list.getBoundingClientRect().bottom + 1
  const row = rowsOf(list).findLast((row) => row.getBoundingClientRect().bottom <= bottom)
  return Number(row?.dataset.id ?? 0)
}

/**
 * Keeps the message at the top of the view where it is when messages are added or removed above it, or the end in view.
 * Browsers do this themselves, but not Safari, and not at the very top.
 */
export class ScrollAnchor {
  #isAtEnd = true
  #hasShown = false
  #id = 0
  #top = 0

  toEnd() {
    this.#isAtEnd = true
  }

  remember(list: HTMLElement) {
    this.#isAtEnd = isNearEnd(list)
    const row = rowsOf(list).find((row) => topOf(list, row) + row.offsetHeight > 0)
    if (row === undefined) return
    this.#id = Number(row.dataset.id)
    this.#top = topOf(list, row)
  }

  /** @param start the message to begin with when messages are shown for the first time; 0 for the end */
  restore(list: HTMLElement, start: number) {
    const isFirst = !this.#hasShown && rowsOf(list).length > 0
    if (isFirst) this.#hasShown = true
    const first = isFirst ? rowOf(list, start) : undefined
    if (first !== undefined) list.scrollTop += topOf(list, first) - list.clientHeight / 3
    else if (this.#isAtEnd) list.scrollTop = list.scrollHeight
    else {
      const row = rowOf(list, this.#id)
      if (row !== undefined) list.scrollTop += topOf(list, row) - this.#top
    }
  }
}

const rowOf = (list: HTMLElement, id: number) =>
  list.querySelector<HTMLElement>(`.message[data-id="${id}"]`) ?? undefined
