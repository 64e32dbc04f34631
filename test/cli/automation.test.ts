import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { CreateRoom, JoinRoom, KickFromRoom } from '../../client/index.ts'
import { openOperatorShell } from '../support/processes/operator-shell.ts'
import type { Shell } from '../support/processes/shell.ts'
import { textsOf } from '../support/requests.ts'

/** Writes a handler program into the working folder of the shell. */
const write = (shell: Shell, name: string, script: string, mode = 0o755) =>
  writeFile(join(shell.folder, name), `#!/bin/sh\n${script}\n`, { mode })

/** A named pipe: a reader blocks until `open` writes to it. */
function gate(shell: Shell, name: string) {
  const path = join(shell.folder, name)
  execFileSync('mkfifo', [path])
  return { open: () => writeFile(path, 'open\n'), read: () => readFile(path) }
}

test.serial('ask prints the answer, and older messages of the answerer stay unread', async (t) => {
  const { enter, start, hears, alice } = await openOperatorShell(t)
  const bob = await enter('bob')
  await bob.send('alice', 'have you read this?')
  const asking = start(['ask', 'bob', 'Deploy?', '--options', 'yes, no', '--timeout', '60s', '-o', 'json'])
  t.is(await hears(bob), 'Deploy? [yes/no]')
  await bob.send('alice', 'why not')
  t.is(await hears(bob), 'Please answer with one of: yes, no')
  const yes = await bob.send('alice', '  YES \n')
  const { code, stdout, stderr } = await asking.done
  t.is(code, 0, stderr)
  const answer = JSON.parse(stdout)
  t.like(answer, { answer: 'yes', by: 'bob', id: yes.id, at: yes.sentAt.toISOString() })
  t.true(answer.askedId < yes.id)
  t.deepEqual(textsOf(await alice.inbox()), ['have you read this?', 'why not', '  YES \n'])
})

test.serial('ask acknowledges the answer if nothing older is unread', async (t) => {
  const { enter, start, hears, alice } = await openOperatorShell(t)
  const [bob, carol] = [await enter('bob'), await enter('carol')]
  await carol.send('alice', 'somebody else’s')
  const asking = start(['ask', 'bob', 'Which version?'])
  await hears(bob)
  await bob.send('alice', '7\nor 8')
  const { code, stdout, stderr } = await asking.done
  t.is(code, 0, stderr)
  t.is(stdout, '7\nor 8\n')
  t.deepEqual(textsOf(await alice.inbox()), ['somebody else’s'])
})

test.serial('a killed and restarted script asks once, and takes the answer that came in between', async (t) => {
  const { enter, start, run, hears, alice } = await openOperatorShell(t)
  const bob = await enter('bob')
  const ask = ['ask', 'bob', 'Deploy 7?', '--options', 'yes,no', '--id', 'deploy-7', '--timeout', '60s']
  const first = start(ask)
  t.is(await hears(bob), 'Deploy 7? [yes/no]')
  first.child.kill('SIGKILL')
  await first.done
  const { id } = await bob.send('alice', 'no')
  // An answer counts even if another session has read it.
  await alice.acknowledge({ from: 'bob', id })
  for (const _again of [1, 2]) t.like(await run(ask), { code: 0, stdout: 'no\n' })
  t.deepEqual(textsOf(await bob.inbox({ all: true })), ['Deploy 7? [yes/no]'])
  t.is((await run(['ask', 'bob', 'Another?', '--id', 'deploy-7'])).code, 5)
})

test.serial('in a group any member may answer, or only the one in --from; the options are sent once', async (t) => {
  const { enter, start, run, hears, alice } = await openOperatorShell(t)
  const [bob, carol] = [await enter('bob'), await enter('carol')]
  await alice.request(CreateRoom, { group: 'ops' })
  for (const member of [bob, carol]) await member.request(JoinRoom, { group: 'ops' })
  const ask = ['ask', '--group', 'ops', 'Deploy?', '--options', 'yes,no']
  const anyone = start([...ask, '-o', 'json'])
  t.is(await hears(bob), 'Deploy? [yes/no]')
  for (const text of ['hm', 'let me see']) await bob.send({ group: 'ops' }, text)
  await carol.send({ group: 'ops' }, 'No')
  t.like(JSON.parse((await anyone.done).stdout), { answer: 'no', by: 'carol' })
  const texts = textsOf(await alice.groupHistory('ops'))
  t.is(texts.filter((text) => text.startsWith('Please answer')).length, 1)

  const named = start([...ask, '--from', 'bob'])
  while (!(await hears(bob)).startsWith('Deploy?'));
  await carol.send({ group: 'ops' }, 'no')
  await bob.send({ group: 'ops' }, 'yes')
  t.is((await named.done).stdout, 'yes\n')

  const again = [...ask, '--id', 'deploy', '--timeout', '500ms']
  t.is((await run(again)).code, 6)
  // A message of the asking user is not an answer.
  await alice.send({ group: 'ops' }, 'yes')
  t.is((await run(again)).code, 6)
  const stranger = await run([...ask, '--from', 'mallory'])
  t.is(stranger.code, 5)
  t.is(stranger.stderr, 'error: mallory is not a member of ops\nhint: `chatctl groups members ops` lists members\n')
})

test.serial('ask and expect: no answer and an invalid question have exit codes', async (t) => {
  const { enter, run } = await openOperatorShell(t)
  await enter('bob')
  const cases: [words: string[], code: number, stderr: RegExp][] = [
    [['ask', 'bob', 'Still there?', '--timeout', '300ms'], 6, /^error: no answer within 300ms$/m],
    [['ask', 'nobody', 'Who?'], 5, /^error: there is no user "nobody"$/m],
    [['ask', '--group', 'nowhere', 'Who?'], 5, /^error: there is no group "nowhere"$/m],
    [['ask', 'bob', 'Yes?', '--options', 'yes,,no'], 2, /^error: --options: an option is empty$/m],
    [['ask', 'bob', 'Yes?', '--options', 'yes, Yes'], 2, /^error: --options: "Yes" is there twice$/m],
    [['ask', 'bob', ''], 2, /^error: the question is empty$/m],
    [['ask', 'bob'], 2, /^error: no question$/m],
    [['ask', 'bob', 'Who?', '--from', 'carol'], 2, /^error: --from goes with --group$/m],
    [['ask', 'bob', 'Who?', '--timeout', 'soon'], 2, /^error: "soon" is not a time/m],
    [['expect', '--timeout', '300ms'], 6, /^error: no such message within 300ms$/m],
    [
      ['expect', '--match', 'ok(', '--timeout', '1s'],
      2,
      /^error: --match: Unterminated group, at character 3 of "ok\("$/m,
    ],
    [['expect', '--match', '[a-'], 2, /^error: --match: Unterminated character class, at character 1 of/m],
    [['expect', '--from', 'nobody'], 5, /^error: there is no user "nobody"$/m],
    [['expect', '--count', '0'], 2, /^error: --count takes a whole number/m],
  ]
  for (const [words, code, stderr] of cases) {
    const ran = await run(words)
    t.is(ran.code, code, `${words.join(' ')}: ${ran.stderr}`)
    t.regex(ran.stderr, stderr)
    t.is(ran.stdout, '')
  }
})

test.serial('expect finds a match among hundreds of unread messages, and leaves the others unread', async (t) => {
  const { enter, run, alice } = await openOperatorShell(t, ['--limits', 'unacknowledged=20,requestBurst=1000'])
  const [bob, carol] = [await enter('bob'), await enter('carol')]
  const chatter = (from: typeof bob, what: string) =>
    Promise.all(Array.from({ length: 130 }, (_, n) => from.send('alice', `${what} ${n}`)))
  await chatter(bob, 'nothing')
  await bob.send('alice', 'build 17 is green')
  await chatter(carol, 'noise')
  await bob.send('alice', 'thanks')
  const found = await run(['expect', '--match', 'BUILD (?<build>\\d+) is (\\w+)', '--ignore-case', '-o', 'json'])
  t.is(found.code, 0, found.stderr)
  t.like(JSON.parse(found.stdout), {
    from: 'bob',
    text: 'build 17 is green',
    match: ['build 17 is green', '17', 'green'],
    groups: { build: '17' },
  })
  const left = (await alice.inbox({ limit: 1 })).messages
  t.deepEqual(
    left.map(({ from, text }) => [from, text]),
    [['carol', 'noise 0']],
  )
  t.like(await run(['expect', '--from', 'bob', '--no-ack']), { code: 0, stdout: 'thanks\n' })
  t.like(await run(['expect', '--from', 'bob', '--timeout', '10s']), { code: 0, stdout: 'thanks\n' })
  t.is((await run(['expect', '--from', 'bob', '--timeout', '200ms'])).code, 6)
})

test.serial('expect --count waits for matches of a group, unread ones first, then new ones', async (t) => {
  const { enter, start, alice } = await openOperatorShell(t)
  const bob = await enter('bob')
  for (const group of ['ops', 'other']) {
    await alice.request(CreateRoom, { group })
    await bob.request(JoinRoom, { group })
  }
  await bob.send({ group: 'ops' }, 'done 1')
  await bob.send({ group: 'other' }, 'done elsewhere')
  await bob.send('alice', 'done in private')
  const expecting = start(['expect', '--group', 'ops', '--match', '^done', '--count', '2', '--timeout', '60s'])
  await expecting.output.line()
  await bob.send({ group: 'ops' }, 'not yet')
  await bob.send({ group: 'ops' }, 'done 2')
  t.like(await expecting.done, { code: 0, stdout: 'done 1\ndone 2\n' })
  t.deepEqual(textsOf(await alice.inbox()), ['done elsewhere', 'done in private'])
})

test.serial('a handler gets each message as JSON, with its sender, and answers it', async (t) => {
  const { shell, enter, start, run, alice } = await openOperatorShell(t)
  const bob = await enter('bob')
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  await write(
    shell,
    'handler',
    `read -r message
    printf '%s\n' "$message" >> seen
    [ "$CHATCTL_FROM" = bob ] && printf '%s of %s @%s\nto %s\n\n' "$CHATCTL_ID" "$CHATCTL_FROM" "$CHATCTL_GROUP" "$*" || true`,
  )
  const { id } = await bob.send('alice', 'a "quoted"\nmessage')
  const listening = start(['listen', '--exec', './handler', '--count', '4', '-o', 'json', '--', '--loud', '-', '007'])
  const [answer] = await until(async () => (await bob.inbox()).messages)
  t.like(answer, { from: 'alice', text: `${id} of bob @\nto --loud - 007\n`, bot: true, hops: 1 })
  const inGroup = await bob.send({ group: 'ops' }, 'status?')
  await alice.send('alice', 'a note to herself')
  await shell.run(['broadcast', '--data', './room', '--to', 'alice', 'down at 6'])
  const { code, stdout, stderr } = await listening.done
  t.is(code, 0, stderr)
  t.is(stdout.trim().split('\n').length, 4)
  t.like(JSON.parse(stdout.split('\n')[0] ?? ''), { id, from: 'bob', replyId: answer?.id })
  const texts = textsOf(await bob.inbox({ all: true })).filter((text) => text !== 'status?')
  t.deepEqual(texts.slice(1), [`${inGroup.id} of bob @ops\nto --loud - 007\n`])
  t.deepEqual(textsOf(await alice.inbox()), [], 'all are read')
  const seen = (await readFile(join(shell.folder, 'seen'), 'utf8')).trim().split('\n')
  const handled = seen.map((line) => JSON.parse(line).text)
  t.is(handled.length, 4)
  for (const text of ['a "quoted"\nmessage', 'a note to herself', 'down at 6', 'status?'])
    t.true(handled.includes(text), text)
  t.is((await run(['inbox'])).stdout, '')
})

test.serial(
  'handlers of different conversations run concurrently; within one, in order and one at a time',
  async (t) => {
    const { shell, enter, start, alice } = await openOperatorShell(t)
    const people = [await enter('bob'), await enter('carol'), await enter('dave')]
    const gates = Object.fromEntries(['bob', 'carol', 'dave'].map((name) => [name, gate(shell, name)]))
    for (const person of people) await person.send('alice', 'one')
    await people[0]?.send('alice', 'two')
    await write(
      shell,
      'handler',
      'echo "begins $CHATCTL_FROM" >&2; cat "$CHATCTL_FROM" >&2; echo "ends $CHATCTL_FROM" >&2',
    )
    const { output, done, child } = start(['listen', '--exec', './handler', '--jobs', '2'])
    const said = () => output.all().stderr.match(/(begins|ends) \w+/g)
    await output.says(/begins bob[\s\S]*begins carol|begins carol[\s\S]*begins bob/)
    await gates.carol?.open()
    await output.says(/begins dave/)
    t.deepEqual(said()?.slice(2), ['ends carol', 'begins dave'], 'two at once, and none of Bob beside one of Bob')
    await gates.bob?.open()
    await output.says(/ends bob[\s\S]*begins bob/)
    await gates.dave?.open()
    await gates.bob?.open()
    await until(async () => ((await alice.inbox()).messages.length === 0 ? true : undefined))
    child.kill('SIGTERM')
    t.is((await done).code, 130)
  },
)

test.serial('a failing handler is retried; then the command ends, and no message is skipped', async (t) => {
  const { shell, enter, run, alice } = await openOperatorShell(t)
  const [bob, carol] = [await enter('bob'), await enter('carol')]
  await write(shell, 'handler', 'grep -q bad || exit 0; echo "not this one" >&2; exit 3')
  await carol.send('alice', 'good')
  for (const text of ['good', 'bad', 'good again']) await bob.send('alice', text)
  const { code, stderr } = await run(['listen', '--exec', './handler', '--retries', '1'])
  t.is(code, 1, stderr)
  t.regex(stderr, /^error: the handler of message \d+ of bob failed: it exited with 3; tried 2 time\(s\)$/m)
  t.is(stderr.match(/not this one/g)?.length, 2)
  t.deepEqual(textsOf(await alice.inbox()), ['bad', 'good again'])
})

test.serial('a hanging handler is killed with its child processes; too much output is a failure', async (t) => {
  const { shell, enter, run, alice } = await openOperatorShell(t)
  const bob = await enter('bob')
  gate(shell, 'never')
  await write(shell, 'deaf', "trap '' TERM; echo $$ >&2; while :; do cat never; done")
  await write(shell, 'loud', 'while :; do echo 0123456789012345678901234567890123456789; done')
  await write(shell, 'binary', "printf '\\377\\376'")
  await bob.send('alice', 'hello')
  for (const [name, why, more] of [
    ['deaf', /failed: it took longer than 0.3 s/, ['--exec-timeout', '300ms']],
    ['loud', /failed: it answered more than 16384 bytes/, []],
    ['binary', /failed: its answer is not UTF-8 text/, []],
  ] as const) {
    const { code, stderr } = await run(['listen', '--exec', `./${name}`, '--retries', '0', ...more])
    t.is(code, 1, stderr)
    t.regex(stderr, why)
    if (name === 'deaf') t.throws(() => process.kill(Number(stderr.split('\n')[0]), 0), { code: 'ESRCH' })
  }
  t.deepEqual(textsOf(await alice.inbox()), ['hello'])
})

test.serial('a message answered before the command was killed is not answered twice', async (t) => {
  const { shell, enter, run, alice } = await openOperatorShell(t)
  const bob = await enter('bob')
  const { id } = await bob.send('alice', 'what time is it?')
  // The state after a run that was killed before it acknowledged.
  await alice.send('bob', 'twelve', { clientId: `exec-${id}`, hops: 1 })
  await write(shell, 'handler', 'echo a minute past twelve')
  const { code, stderr } = await run(['listen', '--exec', './handler', '--count', '1'])
  t.is(code, 0, stderr)
  t.regex(stderr, /was answered before/)
  t.deepEqual([textsOf(await bob.inbox()), textsOf(await alice.inbox())], [['twelve'], []])
})

test.serial('on Ctrl-C, running handlers finish, answer and acknowledge, and no other starts', async (t) => {
  const { shell, enter, start, alice } = await openOperatorShell(t)
  const bob = await enter('bob')
  const { open } = gate(shell, 'gate')
  await write(shell, 'handler', 'echo begins >&2; cat gate')
  for (const text of ['first', 'second']) await bob.send('alice', text)
  const { child, output, done } = start(['listen', '--exec', './handler'])
  await output.says(/begins/)
  child.kill('SIGINT')
  await open()
  t.is((await done).code, 130)
  t.deepEqual([textsOf(await bob.inbox()), textsOf(await alice.inbox())], [['open'], ['second']])
})

test.serial('a program that cannot run, and conflicting options, are refused before anything is read', async (t) => {
  const { shell, enter, run, alice } = await openOperatorShell(t)
  await (await enter('bob')).send('alice', 'hello')
  await write(shell, 'plain', 'exit 0', 0o644)
  const cases: [words: string[], stderr: RegExp][] = [
    [['--exec', './missing'], /^error: --exec: there is no program \.\/missing$/m],
    [['--exec', 'no-such-program-anywhere'], /^error: --exec: there is no program no-such-program-anywhere$/m],
    [['--exec', './plain'], /^error: --exec: \.\/plain is not executable\nhint: chmod \+x/m],
    [['--exec', './plain with words'], /^hint: arguments go after --/m],
    [['--exec', 'true', '--no-ack'], /^error: --exec goes with none of/m],
    [['--exec', 'true', '--type', 'poll_created'], /^error: --exec handles messages/m],
    [['--exec', 'true', '--jobs', '0'], /^error: --jobs takes a whole number/m],
    [['true'], /^error: nothing takes "true"/m],
  ]
  for (const [words, stderr] of cases) {
    const ran = await run(['listen', ...words])
    t.is(ran.code, 2, `${words.join(' ')}: ${ran.stderr}`)
    t.regex(ran.stderr, stderr)
  }
  t.deepEqual(textsOf(await alice.inbox()), ['hello'])
})

test.serial('a scheduled message is sent although the server was killed in between', async (t) => {
  const { shell, room, enter, run, hears } = await openOperatorShell(t)
  const bob = await enter('bob')
  const heard = hears(bob)
  const sent = await run(['send', 'bob', 'still there?', '--delay', '2s', '--id', 'once', '-o', 'json'])
  t.is(sent.code, 0, sent.stderr)
  const { scheduled, at } = JSON.parse(sent.stdout)
  t.is(new Date(at).toISOString(), at)
  room.child.kill('SIGKILL')
  await room.done
  await shell.serve(['--port', room.server.split(':')[1] ?? ''])
  t.is(await heard, 'still there?')
  const done = await until(async () => {
    const [record] = JSON.parse((await run(['scheduled', 'list', '--all', '-o', 'json'])).stdout)
    return record.state === 'sent' ? record : undefined
  })
  t.like(done, { id: scheduled, to: 'bob', state: 'sent', at })
  const shown = (await run(['scheduled', 'list', '--all', '-o', 'plain'])).stdout
  t.true(shown.includes(`\tis message ${done.messageId}\t`), shown)
  const again = await run(['send', 'bob', 'still there?', '--delay', '1s', '--id', 'once', '-o', 'json'])
  t.like(JSON.parse(again.stdout), { scheduled, at, repeat: true })
  t.is((await bob.inbox({ all: true })).messages.length, 1)
})

test.serial('a scheduled message is listed and cancelled', async (t) => {
  const { enter, run } = await openOperatorShell(t)
  await enter('bob')
  const id = (await run(['send', 'bob', 'tea?', '--delay', '7d'])).stdout.trim()
  t.is((await run(['scheduled', 'list'])).stdout.split('\t')[0], id)
  t.like(await run(['scheduled', 'cancel', id, '-o', 'json']), { code: 0, stderr: '' })
  t.is((await run(['scheduled', 'list'])).stdout, '')
  const cases: [words: string[], code: number, stderr: RegExp][] = [
    [['scheduled', 'cancel', id], 5, /^error: you have no waiting scheduled message with this id$/m],
    [['scheduled', 'cancel', 'tea'], 2, /^error: "tea" is no id of a scheduled message/m],
    [['send', 'bob', 'x', '--at', 'soon'], 2, /^error: --at: "soon" is not a time/m],
    [['send', 'bob', 'x', '--at', '2020-01-01T00:00'], 2, /^error: --at: .* is over$/m],
    [['send', 'bob', 'x', '--at', '2999-01-01T00:00'], 5, /^error: the time is more than a year ahead$/m],
    [['send', 'bob', 'x', '--delay', '1w'], 2, /^error: --delay: "1w" is not a time/m],
    [['send', 'bob', 'x', '--delay', '1m', '--at', '18:00'], 2, /^error: --delay or --at, not both$/m],
    [['send', 'bob', '-', '--lines', '--delay', '1m'], 2, /^error: --lines sends at once/m],
    [['send', 'nobody', 'x', '--delay', '1m'], 5, /^error: there is no user "nobody"$/m],
  ]
  for (const [words, code, stderr] of cases) {
    const ran = await run(words)
    t.is(ran.code, code, `${words.join(' ')}: ${ran.stderr}`)
    t.regex(ran.stderr, stderr)
  }
})

test.serial('tap shows the operator messages without their texts and secrets', async (t) => {
  const { shell, enter, alice } = await openOperatorShell(t)
  const tapped = (...words: string[]) => shell.start(['tap', '--data', './room', ...words])
  const everything = tapped('--user', 'Alice')
  const texts = tapped('--type', 'send_message', '--texts', '--count', '1')
  await until(async () => {
    const status = JSON.parse((await shell.run(['status', '--data', './room', '-o', 'json'])).stdout)
    return status.taps === 2 ? true : undefined
  })
  await enter('bob')
  await alice.send('bob', 'hush')
  await enter('alice')
  await t.throwsAsync(alice.send('nobody', 'hush'))
  const { code, stdout, stderr } = await texts.done
  t.is(code, 0, stderr)
  t.like(JSON.parse(stdout), {
    direction: 'in',
    user: 'alice',
    name: 'send_message',
    values: { to: 'bob', text: 'hush' },
  })
  await until(async () => {
    await new Promise(setImmediate)
    return everything.output.all().stdout.includes('user_not_exist') ? true : undefined
  })
  everything.child.kill('SIGINT')
  t.is((await everything.done).code, 130)
  const seen = everything.output.all().stdout
  t.false(seen.includes('hush'))
  const entries = seen
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.true(entries.every(({ user }) => user === 'alice'))
  t.deepEqual(entries.find(({ name }) => name === 'login_proof')?.values, { clientFinal: { hidden: true } })
  const trail = await readFile(join(shell.folder, 'room', 'audit.log'), 'utf8')
  t.is(trail.match(/"event":"tap"/g)?.length, 1)
  const cases: [words: string[], code: number, stderr: RegExp][] = [
    [['--type', 'nothing_known'], 5, /^error: this server has no message type "nothing_known"$/m],
    [['--type', 'tapped'], 5, /^error: tapped cannot be tapped/m],
    [['--user', 'nobody'], 5, /^error: there is no user "nobody"$/m],
    [['--group', 'nowhere'], 5, /^error: there is no group "nowhere"$/m],
    [['--count', 'many'], 2, /^error: --count takes a whole number/m],
    [['--for', '300ms', '--count', '1', '--type', 'broadcast'], 6, /^$/],
  ]
  for (const [words, expected, said] of cases) {
    const ran = await shell.run(['tap', '--data', './room', ...words])
    t.is(ran.code, expected, `${words.join(' ')}: ${ran.stderr}`)
    t.regex(ran.stderr, said)
    t.false(ran.stderr.includes('at Link'), 'no stack')
  }
  t.is((await shell.run(['tap', '--data', './nowhere'])).code, 3)
})

test.serial('an empty value is refused as an unset variable; words that begin with a dash are explained', async (t) => {
  const { room, enter, run } = await openOperatorShell(t)
  const bob = await enter('bob')
  await bob.send('alice', 'unread')
  const cases: [words: string[], stderr: RegExp][] = [
    [['expect', '--match', ''], /^error: --match is empty$/m],
    [['expect', '--match'], /^error: --match is empty$/m],
    [['expect', '--from', ''], /^error: --from is empty$/m],
    [['listen', '--from', ''], /^error: --from is empty$/m],
    [['listen', '--exec', 'true', '--from', ''], /^error: --from is empty$/m],
    [['listen', '--exec', ''], /^error: --exec is empty$/m],
    [['listen', '--jobs', '2'], /^error: --jobs goes with --exec$/m],
    [['listen', '--exec-timeout', '2s'], /^error: --exec-timeout goes with --exec$/m],
    [['ask', '--group', '', 'Who?'], /^error: --group is empty$/m],
    [['ask', 'bob', 'Who?', '--id', ''], /^error: --id is empty$/m],
    [['send', 'bob', 'x', '--id', ''], /^error: --id is empty$/m],
    [['send', 'bob', 'x', '--id', 'x'.repeat(65)], /^error: --id is 65 bytes long, at most 64 are allowed$/m],
    [['send', 'bob', '-5 degrees'], /^error: unknown option.*\nhint: words that begin with -/m],
    [['send', 'bob', '--', '-5 degrees', '--delay'], /^error: too many words: "--delay"$/m],
  ]
  for (const [words, stderr] of cases) {
    const ran = await run(words)
    t.is(ran.code, 2, `${words.join(' ')}: ${ran.stderr}`)
    t.regex(ran.stderr, stderr)
    t.false(ran.stderr.includes('\\u0000'), ran.stderr)
  }
  t.deepEqual(textsOf(await bob.inbox({ all: true })), [], 'nothing was sent')
  t.is((await room.stop()).code, 0)
})

test.serial('waiting commands report a lost server, and resume when it is back', async (t) => {
  const { shell, room, enter } = await openOperatorShell(t)
  await enter('bob')
  await writeFile(join(shell.folder, 'bob.pw'), 'the same for all')
  const login = await shell.run(['login', 'bob', '--server', room.server, '--password-file', 'bob.pw'])
  t.is(login.code, 0, login.stderr)
  const commands = [
    shell.start(['ask', 'alice', 'Still there?']),
    shell.start(['expect', '--from', 'alice', '--match', 'yes']),
  ]
  await until(async () => {
    const users = JSON.parse((await shell.run(['users', 'list', '--data', './room', '-o', 'json'])).stdout)
    // The client of this process and those of both commands.
    return users.some((user: { user: string; sessions: number }) => user.user === 'bob' && user.sessions === 3)
      ? true
      : undefined
  })
  room.child.kill('SIGKILL')
  await room.done
  for (const { output } of commands) await output.says(/^connection lost: .*; reconnecting$/m)
  await shell.serve(['--port', room.server.split(':')[1] ?? ''])
  for (const { output } of commands) await output.says(/^connected again$/m)
  await shell.run(['send', '--data', './room', '--as', 'alice', 'bob', 'yes'])
  for (const { done } of commands) t.like(await done, { code: 0, stdout: 'yes\n' })
})

/** Polls until there is a result. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await ask()
    if (found !== undefined && !(Array.isArray(found) && found.length === 0)) return found
  }
}

test.serial('a backtracking expression delays neither the time limit nor Ctrl-C', async (t) => {
  const { run, start, enter } = await openOperatorShell(t)
  const bob = await enter('bob')
  await bob.send('alice', `${'a'.repeat(40)}!`)
  const words = ['expect', '--from', 'bob', '--match', '^(a+)+$']
  t.is((await run([...words, '--timeout', '2s'])).code, 6)
  // The printed match comes first: the expression never finishes on the text after it.
  const carol = await enter('carol')
  await carol.send('alice', `${'a'.repeat(40)}!`)
  const waiting = start(['expect', '--from', 'carol', '--match', '^(a+)+$|^no$', '--count', '2', '--timeout', '1h'])
  t.is((await run([...words, '--timeout', '2s'])).code, 6)
  waiting.child.kill('SIGINT')
  t.is((await waiting.done).code, 130)
})

test.serial('being kicked from a group does not end a listener of all conversations', async (t) => {
  const { shell, start, alice, enter } = await openOperatorShell(t)
  const bob = await enter('bob')
  await bob.request(CreateRoom, { group: 'ops' })
  await alice.request(JoinRoom, { group: 'ops' })
  const [begun, go] = [gate(shell, 'begun'), gate(shell, 'go')]
  await write(shell, 'slow', '[ -z "$CHATCTL_GROUP" ] || { echo > begun; read -r _ < go; }')
  const listening = start(['listen', '--exec', './slow', '--count', '2'])
  const { id } = await bob.send({ group: 'ops' }, 'job')
  await begun.read()
  await bob.request(KickFromRoom, { group: 'ops', user: 'alice' })
  await go.open()
  await listening.output.says(new RegExp(`message ${id} of bob could not be marked as read`))
  await bob.send('alice', 'another')
  const { code, stdout } = await listening.done
  t.is(code, 0)
  t.is(stdout.trim().split('\n').length, 2)
})
