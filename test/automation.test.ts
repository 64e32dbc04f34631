import test from 'ava'
import { CreateRoom, JoinRoom } from '../client/index.ts'
import { openDesk, textsOf } from './support/desk.ts'

test.serial('a question from the shell is answered, and older unread messages of Bob stay unread', async (t) => {
  const { enter, start, hears, alice } = await openDesk(t)
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

test.serial('an answer is acknowledged when nothing older is unread', async (t) => {
  const { enter, start, hears, alice } = await openDesk(t)
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

test.serial(
  'a script that was killed and runs again asks once, and takes the answer that came meanwhile',
  async (t) => {
    const { enter, start, run, hears, alice } = await openDesk(t)
    const bob = await enter('bob')
    const ask = ['ask', 'bob', 'Deploy 7?', '--options', 'yes,no', '--id', 'deploy-7', '--timeout', '60s']
    const first = start(ask)
    t.is(await hears(bob), 'Deploy 7? [yes/no]')
    first.child.kill('SIGKILL')
    await first.done
    const { id } = await bob.send('alice', 'no')
    // Another session of hers has read it: it is no less an answer.
    await alice.acknowledge({ from: 'bob', id })
    for (const _again of [1, 2]) t.like(await run(ask), { code: 0, stdout: 'no\n' })
    t.deepEqual(textsOf(await bob.inbox({ all: true })), ['Deploy 7? [yes/no]'])
    t.is((await run(['ask', 'bob', 'Another?', '--id', 'deploy-7'])).code, 5)
  },
)

test.serial('any member may answer for a group, or one that is named; each is told the options once', async (t) => {
  const { enter, start, run, hears, alice } = await openDesk(t)
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
  // What she says there herself is no answer.
  await alice.send({ group: 'ops' }, 'yes')
  t.is((await run(again)).code, 6)
  t.like(await run([...ask, '--from', 'mallory']), { code: 5, stderr: 'error: mallory is not a member of ops\n' })
})

test.serial('a question that nobody answers, or that is none, has its exit code', async (t) => {
  const { enter, run } = await openDesk(t)
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

test.serial('a match among hundreds of unread messages is found, and what does not match stays', async (t) => {
  const { enter, run, alice } = await openDesk(t, ['--limits', 'unacknowledged=20,requestBurst=1000'])
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

test.serial('so many matches of a group are waited for, unread ones first, and then new ones', async (t) => {
  const { enter, start, alice } = await openDesk(t)
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
