import { Buffer } from '#platform/runtime'

/** Bytes of a safe name: with a number or an ending that a program adds, it fits in the 255 of file systems. */
const MAX_BYTES = 200
/** Bytes of an ending that a shortened name keeps. */
const MAX_ENDING = 32

// Controls, line separators, lone surrogates, bidirectional controls, separators of paths, and what Windows forbids.
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb/\\:*?"<>|]/gu
/** Names that are devices on Windows. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d)(\.|$)/i

/**
 * A name under which the file of another user can be saved in a folder: it stays in that folder, is not hidden, is no
 * option of a program, names no device, and shows what it is. The name of a file comes from its sender.
 */
export function safeFileName(name: string): string {
  const plain = name
    .replace(UNSAFE, '_')
    .trim()
    .replace(/^[.\-~]+/, '_')
    .replace(/[. ]+$/, '')
  if (/^_*$/.test(plain)) return 'file'
  return shortened(DEVICE.test(plain) ? `_${plain}` : plain)
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name
  const dot = name.lastIndexOf('.')
  const ending = dot > 0 && Buffer.byteLength(name.slice(dot)) <= MAX_ENDING ? name.slice(dot) : ''
  const most = MAX_BYTES - Buffer.byteLength(ending)
  let bytes = 0
  let stem = ''
  for (const character of name.slice(0, name.length - ending.length)) {
    bytes += Buffer.byteLength(character)
    if (bytes > most) break
    stem += character
  }
  return stem + ending
}
