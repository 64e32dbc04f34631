import test from 'ava'
import { LiveText } from '../../cli/output/live-text.ts'

/** What a terminal shows of the output: line feeds, "up" and "erase below" only. */
function terminal(columns: number, rows = 24) {
  const lines = ['']
  let row = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of a terminal
  const tokens = /\u001b\[(\d+)A|\u001b\[J|\n|[^\u001b\n]+/g
  const write = async (text: string) => {
    for (const [token, up] of text.matchAll(tokens))
      if (up !== undefined) row -= Number(up)
      else if (token === '\u001b[J') lines.splice(row, lines.length, '')
      else if (token === '\n') lines[++row] ??= ''
      else lines[row] += token
  }
  return { columns, rows, write, shown: () => lines.slice(0, row) }
}

test('texts are drawn anew below the lines that stay', async (t) => {
  const screen = terminal(20)
  const live = new LiveText(screen)
  await live.above('first\n')
  await live.show(['alice: It'])
  await live.show(['alice: It grows', 'bob: too'])
  t.deepEqual(screen.shown(), ['first', 'alice: It grows', 'bob: too'])
  await live.above('second\n')
  t.deepEqual(screen.shown(), ['first', 'second', 'alice: It grows', 'bob: too'])
  await live.show(['bob: too'])
  await live.end()
  await live.show(['late'])
  t.deepEqual(screen.shown(), ['first', 'second'])
})

test('a long text is wrapped, and its last lines are shown; never more than the screen', async (t) => {
  const screen = terminal(11, 6)
  const live = new LiveText(screen)
  await live.above('first\n')
  await live.show(['0123456789abcdefghij'])
  t.deepEqual(screen.shown(), ['first', '0123456789', 'abcdefghij'])
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n}`)
  await live.show([lines.join('\n')])
  t.deepEqual(screen.shown(), ['first', ...lines.slice(-4)])
})
