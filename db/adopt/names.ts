const MAX_CHARACTERS = 64
const MAX_BYTES = 255

/** What is wrong with a name that cannot be kept, undefined for a good one. */
export function faultOf(name: string, isLine: (text: string) => boolean): string | undefined {
  if (name === '') return 'it is empty'
  if (!isLine(name)) return 'it holds a character that no message may carry in a name'
  if ([...name].length > MAX_CHARACTERS || Buffer.byteLength(name) > MAX_BYTES) return 'it is too long'
  return undefined
}

/** A name close to one that cannot be kept, told apart from all others by the row's number. */
export function substitute(name: string, id: number, isLine: (text: string) => boolean): string {
  const kept = [...name].filter(isLine).slice(0, 40).join('').trim()
  return kept === '' ? `user-${id}` : `${kept}-${id}`
}
