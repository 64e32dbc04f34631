/** Moves the focus among elements in their order. @param wrap from the last to the first */
export function moveFocus(elements: readonly HTMLElement[], step: number, { wrap = false } = {}): boolean {
  const at = elements.findIndex((element) => element.contains(document.activeElement))
  const to = wrap ? (at + step + elements.length) % elements.length : at + step
  elements[to]?.focus()
  return elements[to] !== undefined
}
