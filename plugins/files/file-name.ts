import { toLine } from '../../core/index.ts'

/** Bytes of a stored name. */
const MAX_BYTES = 255
/** Bytes of an ending that a shortened name keeps. */
const MAX_ENDING = 32

/** The name of a file as it is stored: without folders, in one line, at most 255 bytes, with its ending. */
export function fileNameOf(given: string): string {
  const name = (given.split(/[/\\]/).at(-1) ?? '').trim()
  if (/^\.*$/.test(name)) return 'file'
  if (Buffer.byteLength(name) <= MAX_BYTES) return name
  const dot = name.lastIndexOf('.')
  const ending = dot > 0 && Buffer.byteLength(name.slice(dot)) <= MAX_ENDING ? name.slice(dot) : ''
  return toLine(name.slice(0, name.length - ending.length), MAX_BYTES - Buffer.byteLength(ending)) + ending
}
