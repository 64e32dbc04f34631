import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { connect } from '../../client/index.ts'
import { aliceAndBob, json, lines, works } from './alice-and-bob.ts'

/** Friends, groups and messages from the shell. */

test.serial('two people chat from the shell', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  t.like(room.listening, { event: 'listening', host: '127.0.0.1', data: join(shell.folder, 'room') })
  t.regex(room.listening.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/)

  const sent = await works(t, shell, ['send', '--context', 'alice', 'bob', '你好, Bob'])
  t.regex(sent.stdout, /^\d+\n$/)
  const [unread, ...noMore] = lines(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'ndjson'])).map((line) =>
    JSON.parse(line),
  )
  t.deepEqual(noMore, [])
  t.like(unread, { id: Number(sent.stdout), from: 'alice', to: 'bob', text: '你好, Bob', kind: 'chat', unread: true })
  t.is(new Date(unread.sentAt).toISOString(), unread.sentAt)

  t.is(lines(await works(t, shell, ['send', '--context', 'alice', 'bob', '-', '--lines'], 'one\ntwo\n')).length, 2)
  const heard = await works(t, shell, ['listen', '--context', 'bob', '--count', '2', '--for', '10s', '-o', 'ndjson'])
  t.deepEqual(
    lines(heard).map((line) => JSON.parse(line).text),
    ['你好, Bob', 'one'],
  )
  const rest = await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json', '--ack'])
  t.deepEqual(
    json(rest).map(({ text }: { text: string }) => text),
    ['two'],
  )
  t.deepEqual(json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json'])), [])

  const operator = await works(t, shell, ['send', '--data', './room', '--as', 'alice', 'bob', 'from the operator'])
  const injected = json(
    await works(t, shell, [
      'inject',
      '--data',
      './room',
      '--as',
      'alice',
      'send_message',
      'to=bob',
      'text=any type, by its fields',
      '-o',
      'json',
    ]),
  )
  t.like(injected, { type: 'message_stored', id: Number(operator.stdout) + 1, repeat: false })
  t.like(json(await works(t, shell, ['db', 'status', '--data', './room', '-o', 'json'])), {
    upToDate: true,
    pending: [],
  })

  const ids = async (who: string, other: string) =>
    json(await works(t, shell, ['history', '--context', who, other, '-o', 'json'])).map(({ id }: { id: number }) => id)
  t.is((await ids('bob', 'alice')).length, 5)
  t.deepEqual(await ids('bob', 'alice'), await ids('alice', 'bob'))

  const audit = (await readFile(join(shell.folder, 'room', 'audit.log'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.like(audit[0], { event: 'act_as', by: 'operator', as: 'alice' })
  t.like(audit[1], { event: 'send_message', by: 'operator', as: 'alice', to: 'bob', id: Number(operator.stdout) })
  t.notRegex(JSON.stringify(audit), /from the operator/)

  const stopped = await room.stop()
  t.is(stopped.code, 0, stopped.stderr)
  t.is(stopped.stderr, '')
  for (const line of lines(stopped)) t.notThrows(() => JSON.parse(line), line)
})

test.serial('a listener gets new messages, also after the server was killed and restarted', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const port = room.server.split(':')[1] ?? ''
  const listener = shell.start(['listen', '--context', 'bob', '--count', '2', '--for', '60s', '-o', 'ndjson'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'first'])
  await listener.output.line()
  room.child.kill('SIGKILL')
  await once(room.child, 'exit')
  await shell.serve(['--port', port])
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'second'])
  const { code, stdout } = await listener.done
  t.is(code, 0)
  t.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).text),
    ['first', 'second'],
  )
})

test.serial('listen --own prints both sides of a conversation, and leaves own messages unread', async (t) => {
  const { shell } = await aliceAndBob(t)
  const listener = shell.start(['listen', '--context', 'alice', '--own', '--count', '3', '-o', 'plain'])
  await works(t, shell, ['send', '--context', 'bob', 'alice', 'hello'])
  await listener.output.prints('bob: hello')
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'hello to you'])
  await works(t, shell, ['send', '--context', 'bob', 'alice', 'bye'])
  const { code, stdout } = await listener.done
  t.is(code, 0)
  t.regex(stdout, /bob: hello\n.* alice → bob: hello to you\n.* bob: bye\n/)
  t.deepEqual(json(await works(t, shell, ['inbox', '--context', 'alice', '-o', 'json'])), [])
  t.is(json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json'])).length, 1)
  t.is((await shell.run(['listen', '--own', '--exec', 'cat'])).code, 2)
  t.is((await shell.run(['listen', '--own', '--type', 'contact_changed'])).code, 2)
})

test.serial('invitations to groups are listed, accepted and declined from the shell', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, ['groups', ...args, '--context', who, '-o', 'json'])
  for (const group of ['readers', 'writers']) {
    await as('alice', 'create', group, '--invite-only')
    await as('alice', 'invite', group, 'bob')
  }
  const invitations = json(await as('bob', 'invitations'))
  t.like(invitations, [
    { group: 'writers', by: 'alice' },
    { group: 'readers', by: 'alice' },
  ])
  t.is(new Date(invitations[0].invitedAt).toISOString(), invitations[0].invitedAt)
  t.deepEqual(json(await as('bob', 'decline', 'writers')), { group: 'writers', done: 'declined' })
  await as('bob', 'join', 'readers')
  t.deepEqual(json(await as('bob', 'invitations')), [])
  t.is((await shell.run(['groups', 'decline', 'writers', '--context', 'bob'])).code, 5)
})

test.serial('Ctrl-C ends a listener with 130; messages not printed stay unread', async (t) => {
  const { shell } = await aliceAndBob(t)
  const listener = shell.start(['listen', '--context', 'bob'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'hello'])
  await listener.output.line()
  listener.child.kill('SIGINT')
  t.is((await listener.done).code, 130)
})

test.serial('a closed stdout ends the command without an error; messages not read from it stay unread', async (t) => {
  const { shell } = await aliceAndBob(t)
  const many = Array.from({ length: 50 }, (_, n) => `${n} ${'x'.repeat(8000)}`).join('\n')
  await works(t, shell, ['send', '--context', 'alice', 'bob', '-', '--lines'], many)
  const listener = shell.start(['listen', '--context', 'bob', '-o', 'ndjson'])
  await listener.output.line()
  listener.child.stdout?.destroy()
  t.is((await listener.done).code, 0)
  const unread = lines(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'ndjson']))
  t.true(unread.length > 0 && unread.length < 50, String(unread.length))
})

test.serial('no control byte of a name or a message reaches the output', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const evil = '\u001b[2J\u001b]52;c;aGk=\u0007 \u009b31m\r\n\u202eabc\u2066\u2028\u200fx\u007f\ttab'
  await works(t, shell, ['send', '--context', 'alice', 'bob', '-'], evil)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it searches for control characters
  const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/
  for (const format of ['table', 'plain', 'json', 'ndjson']) {
    for (const command of [['inbox'], ['history', 'alice'], ['listen', '--no-ack', '--count', '1', '--for', '10s']]) {
      const { stdout } = await works(t, shell, [...command, '--context', 'bob', '-o', format])
      t.notRegex(stdout, dangerous, `${command[0]} ${format}`)
      t.regex(stdout, /\\u001b/)
      if (/json/.test(format)) {
        const [record] = [
          JSON.parse(format === 'json' && command[0] !== 'listen' ? stdout : (stdout.split('\n')[0] ?? '')),
        ].flat()
        t.is(record.text, evil, 'JSON keeps the text')
      }
    }
  }
  const odd = await shell.run(['send', '--context', 'alice', 'x\u001b[31m', 'hi'])
  t.notRegex(odd.stderr, dangerous)
  t.notRegex((await room.stop()).stdout, dangerous)
})

test.serial('texts that look like options, a dash or numbers are sent unchanged', async (t) => {
  const { shell } = await aliceAndBob(t)
  await works(t, shell, ['send', '--context', 'alice', 'bob', '--', '-n is no option'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', '007'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', '-'], 'two\nlines\n')
  await works(t, shell, ['send', '--context', 'alice', 'bob'], 'piped')
  const texts = json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json'])).map(
    ({ text }: { text: string }) => text,
  )
  t.deepEqual(texts, ['-n is no option', '007', 'two\nlines', 'piped'])
})

test.serial('a message sent again with the same --id is stored once', async (t) => {
  const { shell } = await aliceAndBob(t)
  const send = () =>
    works(t, shell, ['send', '--context', 'alice', 'bob', 'build 7 broke', '--id', 'build-7', '-o', 'json'])
  const [first, second] = [json(await send()), json(await send())]
  t.deepEqual(second, { ...first, repeat: true })
})

test.serial('friends are requested, accepted, listed and removed from the shell', async (t) => {
  const { shell } = await aliceAndBob(t)
  const friends = (...args: string[]) => works(t, shell, ['friends', ...args])
  t.like(json(await friends('add', 'bob', '--context', 'alice', '--note', 'hello', '-o', 'json')), {
    user: 'bob',
    done: 'asked',
  })
  t.like(json(await friends('requests', '--context', 'bob', '-o', 'json')), {
    0: { user: 'alice', incoming: true, note: 'hello' },
  })
  t.is((await shell.run(['friends', 'add', 'bob', '--context', 'alice'])).code, 5)
  await friends('accept', 'alice', '--context', 'bob')
  t.like(json(await friends('list', '--as', 'alice', '--data', './room', '-o', 'json')), {
    0: { user: 'bob', online: false },
  })
  await friends('remove', 'bob', '--context', 'alice')
  await friends('block', 'bob', '--context', 'alice')
  t.deepEqual(json(await friends('blocked', '--context', 'alice', '-o', 'json')), [{ user: 'bob', id: 2 }])
  const refused = await shell.run(['send', '--context', 'bob', 'alice', 'hi'])
  t.is(refused.code, 5)
  t.regex(refused.stderr, /^error: this user has blocked you$/m)
  await friends('unblock', 'bob', '--context', 'alice')
})

test.serial('a group is created, joined, written to and read from the shell', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
  await as('alice', 'groups', 'create', '值班', '--invite-only')
  t.is((await shell.run(['groups', 'join', '值班', '--context', 'bob'])).code, 5)
  await as('alice', 'groups', 'invite', '值班', 'bob')
  await as('bob', 'groups', 'join', '值班')
  const sent = await as('alice', 'send', '--group', '值班', 'build broke')
  t.like(json(await as('bob', 'groups', 'list', '-o', 'json')), {
    0: { group: '值班', role: 'member', members: 2, unread: 1 },
  })
  const heard = json(await as('bob', 'listen', '--count', '1', '--for', '30s', '-o', 'json'))
  t.like(heard, { id: Number(sent.stdout), kind: 'group', from: 'alice', group: '值班', text: 'build broke' })
  t.false('to' in heard)
  t.is(json(await as('bob', 'history', '--group', '值班', '-o', 'json')).length, 1)
  t.deepEqual(json(await as('bob', 'inbox', '-o', 'json')), [])
  await as('alice', 'groups', 'role', '值班', 'bob', 'admin')
  await as('bob', 'groups', 'rename', '值班', 'on call')
  t.like(json(await as('alice', 'groups', 'members', 'on call', '-o', 'json')), { 1: { user: 'bob', role: 'admin' } })
  await as('alice', 'groups', 'kick', 'on call', 'bob')
  await as('alice', 'groups', 'dissolve', 'on call')
  t.is((await shell.run(['send', '--context', 'alice', '--group', 'on call', 'hi'])).code, 5)
  t.is((await shell.run(['send', '--context', 'alice', '--group', 'x', 'bob', 'hi'])).code, 2)
})

test.serial('a message is recalled from the shell, by its sender only', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
  const id = (await as('alice', 'send', 'bob', 'oops')).stdout.trim()
  t.is((await shell.run(['recall', id, '--context', 'bob'])).code, 5)
  t.is((await shell.run(['recall', 'oops', '--context', 'alice'])).code, 2)
  t.deepEqual(json(await as('alice', 'recall', id, '-o', 'json')), { id: Number(id), done: 'recalled' })
  t.deepEqual(json(await as('bob', 'inbox', '-o', 'json')), [])
  const second = (await as('alice', 'send', 'bob', 'again')).stdout.trim()
  await works(t, shell, ['recall', second, '--data', './room', '--as', 'alice'])
  t.deepEqual(json(await as('bob', 'history', 'alice', '-o', 'json')), [])
})

test.serial('messages are answered, edited and reacted to from the shell', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
  const code = async (...args: string[]) => (await shell.run(args)).code
  const id = (await as('alice', 'send', 'bob', 'at nine?')).stdout.trim()
  const answer = (await as('bob', 'send', 'alice', 'yes', '--reply-to', id)).stdout.trim()
  t.is(await code('send', '--context', 'bob', 'alice', 'yes', '--reply-to', '999999'), 5)
  for (const wrong of ['x', '0', ''])
    t.is(await code('send', '--context', 'bob', 'alice', 'yes', '--reply-to', wrong), 2)
  t.is(await code('send', '--context', 'bob', 'alice', '-', '--lines', '--reply-to', id), 2)
  t.like(json(await as('bob', 'send', 'alice', 'later', '--reply-to', id, '--delay', '1h', '-o', 'json')), {
    to: 'alice',
  })

  t.deepEqual(json(await as('alice', 'edit', id, 'at ten?', '-o', 'json')), { id: Number(id), done: 'edited' })
  t.is(await code('edit', id, 'mine', '--context', 'bob'), 5)
  for (const wrong of [['x', 'text'], [id, ''], [id]]) t.is(await code('edit', ...wrong, '--context', 'alice'), 2)
  await works(t, shell, ['edit', answer, '-', '--data', './room', '--as', 'bob'], 'yes,\nat ten\n')

  t.deepEqual(json(await as('bob', 'react', id, '👍', '-o', 'json')), { id: Number(id), emoji: '👍', done: 'reacted' })
  t.deepEqual(json(await as('alice', 'react', id, '-o', 'json')), [
    { id: Number(id), emoji: '👍', count: 1, own: false },
  ])
  t.is((await as('bob', 'react', id)).stdout, '👍\t1\ttrue\n')
  await as('bob', 'react', id, '👍', '--remove')
  t.deepEqual(json(await as('alice', 'react', id, '-o', 'json')), [])
  for (const [wrong, expected] of [
    [['react', id, 'no emoji'], 5],
    [['react', 'x', '👍'], 2],
    [['react', id, '--remove'], 2],
  ] as const)
    t.is(await code(...wrong, '--context', 'bob'), expected)
  const injected = await as('alice', 'inject', 'query_reactions', `ids:=[{"id":${id}}]`, '-o', 'json')
  t.deepEqual(json(injected), { type: 'reactions', reactions: [] })

  const heard = json(await as('alice', 'listen', '--count', '1', '--for', '10s', '-o', 'ndjson'))
  t.like(heard, { id: Number(answer), text: 'yes,\nat ten', replyTo: Number(id) })
  t.is(new Date(heard.editedAt).toISOString(), heard.editedAt)
  await as('bob', 'send', 'alice', 'or eleven', '--reply-to', id)
  t.regex(
    (await as('alice', 'listen', '--count', '1', '--for', '10s', '-o', 'table')).stdout,
    new RegExp(`bob.* \\(reply to ${id}\\): or eleven`),
  )
})

test.serial('listen --typing prints who is writing, beside the messages', async (t) => {
  const { shell } = await aliceAndBob(t)
  const listener = shell.start(['listen', '--context', 'bob', '--typing', '--count', '2', '-o', 'ndjson'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'hello'])
  await listener.output.line()
  await works(t, shell, ['inject', '--context', 'alice', 'typing', 'to=bob'])
  await listener.output.prints('user_typing')
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'bye'])
  const [first, typing, last] = lines(await listener.done).map((line) => JSON.parse(line))
  t.deepEqual([first.text, last.text], ['hello', 'bye'])
  t.deepEqual(typing, { type: 'user_typing', from: 'alice', state: true })
})

test.serial('send --stream sends stdin as one message, which grows for those who watch', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const client = await connect({ server: room.server, leastIterations: 4096 })
  t.teardown(() => client.close())
  await client.login('bob', { password: 'battery staple' })
  const seen: string[] = []
  let wake = () => {}
  await client.followStreams(({ text, isOver }) => {
    seen.push(isOver ? 'over' : text)
    wake()
  })
  const sees = async (text: string) => {
    while (!seen.includes(text))
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  const sender = shell.start(['send', '--context', 'alice', 'bob', '--stream'])
  const bytes = Buffer.from('one 你 two\n')
  sender.child.stdin?.write(bytes.subarray(0, 5))
  // Half a character waits.
  await sees('one ')
  sender.child.stdin?.end(bytes.subarray(5))
  await sees('over')
  const { code, stdout } = await sender.done
  t.is(code, 0)
  const inbox = json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json']))
  t.like(inbox, [{ id: Number(stdout), text: 'one 你 two' }])
  const listed = await works(t, shell, ['listen', '--context', 'bob', '--streams', '--count', '1', '--for', '10s'])
  t.is(json(listed).text, 'one 你 two', 'without a terminal: finished messages only')
  for (const [args, code] of [
    [['hello', '--stream'], 2],
    [['-', '--stream', '--lines'], 2],
    [['-', '--stream', '--delay', '1m'], 2],
    [['-', '--stream'], 2],
  ] as const)
    t.is((await shell.run(['send', '--context', 'alice', 'bob', ...args])).code, code, args.join(' '))
})

test.serial('what a killed sender has said is kept, and marked', async (t) => {
  const { shell, room } = await aliceAndBob(t, ['--limits', 'streamGrace=50'])
  const client = await connect({ server: room.server, leastIterations: 4096 })
  t.teardown(() => client.close())
  await client.login('bob', { password: 'battery staple' })
  const sender = shell.start(['send', '--context', 'alice', 'bob', '--stream'])
  await client.followStreams(({ text }) => text === 'half of it' && sender.child.kill('SIGKILL'))
  const listening = works(t, shell, ['listen', '--context', 'bob', '--count', '1', '--for', '20s', '-o', 'json'])
  sender.child.stdin?.write('half of it')
  t.is(json(await listening).text, 'half of it… (interrupted)')
})

test.serial('history goes on after a message, and shows what is around one', async (t) => {
  const { shell } = await aliceAndBob(t)
  const sent = await works(t, shell, ['send', '--context', 'alice', 'bob', '-', '--lines'], '1\n2\n3\n4\n5\n')
  const [first = '', , third = ''] = lines(sent)
  const found = async (...args: string[]) =>
    json(await works(t, shell, ['history', '--context', 'bob', 'alice', '-o', 'json', ...args])).map(
      ({ text }: { text: string }) => text,
    )
  t.deepEqual(await found('--after', first), ['2', '3', '4', '5'])
  t.deepEqual(await found('--after', first, '--limit', '2'), ['2', '3'])
  t.deepEqual(await found('--around', third, '--limit', '4'), ['2', '3', '4', '5'])
  t.deepEqual(await found('--around', third, '--limit', '2'), ['3', '4'])
  for (const wrong of [
    ['bob', '--after', '1', '--before', '2'],
    ['bob', '--around', '1', '--after', '2'],
    ['--search', 'x', '--after', '1'],
    ['bob', '--around', '0'],
  ])
    t.is((await shell.run(['history', ...wrong])).code, 2, wrong.join(' '))
})

test.serial(
  'history is searched from the shell: everywhere, with one user, in a group, through all pages',
  async (t) => {
    const { shell } = await aliceAndBob(t, ['--limits', 'searchRows=4'])
    const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
    const found = async (...args: string[]) =>
      json(await as('bob', 'history', '-o', 'json', ...args)).map(({ text }: { text: string }) => text)
    await as('alice', 'groups', 'create', 'ops')
    await as('bob', 'groups', 'join', 'ops')
    await as('alice', 'send', 'bob', 'Rechnung für ÄPFEL, 50%')
    await as('alice', 'send', '--group', 'ops', 'äpfel für alle')
    await works(t, shell, ['send', '--context', 'bob', 'alice', '-', '--lines'], `${'no fruit\n'.repeat(6)}`)
    await as('bob', 'send', 'alice', 'danke für die Äpfel')
    t.deepEqual(await found('--search', 'äpfel'), ['Rechnung für ÄPFEL, 50%', 'äpfel für alle', 'danke für die Äpfel'])
    t.deepEqual(await found('alice', '--search', 'äpfel', '--limit', '1'), ['danke für die Äpfel'])
    t.deepEqual(await found('alice', '--search', '50%'), ['Rechnung für ÄPFEL, 50%'])
    t.deepEqual(await found('--group', 'ops', '--search', 'ÄPFEL'), ['äpfel für alle'])
    t.deepEqual(await found('--search', 'birnen'), [])
    for (const wrong of [['--search', ''], ['alice', '--group', 'ops', '--search', 'x'], []])
      t.is((await shell.run(['history', '--context', 'bob', ...wrong])).code, 2, wrong.join(' '))
  },
)

test.serial('contacts shows unread counts and last messages', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
  t.is((await as('alice', 'contacts', '-o', 'table')).stdout, '')
  await as('alice', 'friends', 'add', 'bob')
  await as('bob', 'friends', 'accept', 'alice')
  await as('alice', 'groups', 'create', '值班')
  await as('bob', 'send', 'alice', 'one\ntwo')
  const [bob, group, ...noMore] = json(await as('alice', 'contacts', '-o', 'json'))
  t.like(bob, { kind: 'user', name: 'bob', friend: true, online: false, unread: 1 })
  t.like(bob.last, { from: 'bob', text: 'one two' })
  t.is(new Date(bob.last.sentAt).toISOString(), bob.last.sentAt)
  t.like(group, { kind: 'group', name: '值班', unread: 0, last: undefined })
  t.deepEqual(noMore, [])
  t.is(json(await as('alice', 'contacts', '--unread', '-o', 'json')).length, 1)
  const asOperator = await works(t, shell, ['contacts', '--data', './room', '--as', 'alice', '-o', 'table'])
  t.regex(asOperator.stdout, /bob .*offline .*1 .*bob: one two/)
})
