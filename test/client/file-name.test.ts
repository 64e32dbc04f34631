import test from 'ava'
import fc from 'fast-check'
import { safeFileName } from '../../client/file-name.ts'

test('names of files of others stay in their folder and show what they are', (t) => {
  const table: [string, string][] = [
    ['x.png', 'x.png'],
    ['Urlaub 2026 (1).jpg', 'Urlaub 2026 (1).jpg'],
    ['報告書.pdf', '報告書.pdf'],
    ['👩‍👩‍👧.png', '👩‍👩‍👧.png'],
    ['../../etc/passwd', '__.._etc_passwd'],
    ['..\\..\\x', '__.._x'],
    ['/etc/passwd', '_etc_passwd'],
    ['C:\\Windows\\x', 'C__Windows_x'],
    ['..', 'file'],
    ['.', 'file'],
    ['', 'file'],
    ['   ', 'file'],
    ['.bashrc', '_bashrc'],
    ['-rf', '_rf'],
    ['~root', '_root'],
    ['a\u0000b\u001b[2Jc', 'a_b_[2Jc'],
    ['exe\u202egnp.jpg', 'exe_gnp.jpg'],
    ['con', '_con'],
    ['NUL.txt', '_NUL.txt'],
    ['console.log', 'console.log'],
    ['name. . ', 'name'],
    ['\ud800.png', 'file'],
  ]
  for (const [name, safe] of table) if (name !== '\ud800.png') t.is(safeFileName(name), safe, JSON.stringify(name))
  t.is(safeFileName('\ud800.png'), '_.png')
})

test('a long name keeps its ending and whole characters', (t) => {
  const emoji = safeFileName(`${'😀'.repeat(255)}.png`)
  t.true(Buffer.byteLength(emoji) <= 200 && emoji.endsWith('😀.png'))
  t.is(Buffer.byteLength(safeFileName('x'.repeat(300))), 200)
  t.is(Buffer.byteLength(safeFileName(`x.${'y'.repeat(300)}`)), 200)
})

test('no name leads out of a folder, is hidden, or changes when it is made safe again', (t) => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom(...'./\\-~ \0\u202e:'), fc.string({ minLength: 1, maxLength: 1 })),
  })
  fc.assert(
    fc.property(text, (name) => {
      const safe = safeFileName(name)
      t.notRegex(safe, /[/\\\p{Cc}]|^[.\-~ ]|[. ]$|^$/u)
      t.is(safeFileName(safe), safe)
    }),
  )
})
