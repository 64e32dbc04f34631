const MAX_NAME_CHARS = 64
const MAX_NAME_BYTES = 255
/** Characters of an invalid name that its substitute keeps. */
const KEPT_CHARS = 40

/** Why a name is invalid; undefined for a valid one. */
export function faultOf(name: string, isLine: (text: string) => boolean): string | undefined {
  if (name === '') return 'it is empty'
  if (!isLine(name)) return 'it holds a character that no message may carry in a name'
  if ([...name].length > MAX_NAME_CHARS || Buffer.byteLength(name) > MAX_NAME_BYTES) return 'it is too long'
  return undefined
}

/** A valid name similar to an invalid one, with the row's id appended to make it distinct. */
export function substitute(name: string, id: number, isLine: (text: string) => boolean): string {
  const kept = [...name].filter(isLine).slice(0, KEPT_CHARS).join('').trim()
  return kept === '' ? `user-${id}` : `${kept}-${id}`
}
