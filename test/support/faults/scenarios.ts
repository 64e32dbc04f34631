import type { Knex } from 'knex'
import {
  Acknowledge,
  AcknowledgeRoom,
  AddFriend,
  Broadcast,
  ConfirmFriendRequest,
  CreateRoom,
  JoinRoom,
  MessageRecalled,
  QueryContacts,
  QueryFriendRequests,
  RecallMessage,
  RefusedByServer,
  ScheduleMessage,
  SendMessage,
} from '../../../client/index.ts'
import { AcknowledgeEvent, Consume, QueryConsumers } from '../../../plugins/consumers/messages.ts'
import type { FaultServer, SessionRecorder } from './fault-server.ts'

/** What a request was answered, or the failure that it was refused with. */
export type Answer = { readonly reply: unknown } | { readonly failure: string }

export interface Round {
  readonly name: string
  /** Ids that senders were told, by text. */
  readonly stored: Map<string, number>
}

export interface Scenario {
  readonly name: string
  prepare?(round: Round): Promise<unknown>
  /** While this goes on, the database may fail. */
  act(round: Round): Promise<unknown>
  /** The database is well again. */
  check(round: Round, answer: Answer): Promise<unknown>
}

export interface Cast {
  readonly alice: SessionRecorder
  /** Two sessions; the first watches its contacts. */
  readonly bob: readonly [SessionRecorder, SessionRecorder]
  readonly carol: SessionRecorder
  readonly scenarios: readonly Scenario[]
}

/** Waits for an answer. @throws every error that is not a refusal */
export async function settle(asked: Promise<unknown>): Promise<Answer> {
  try {
    return { reply: await asked }
  } catch (error) {
    if (error instanceof RefusedByServer) return { failure: error.failure }
    throw error
  }
}

function demand(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what)
}

/** What is refused for the database's sake may be sent again. */
function mayAskAgain(answer: Answer): boolean {
  if ('reply' in answer) return false
  demand(answer.failure === 'unavailable', `it was refused as ${answer.failure}`)
  return true
}

/** Says something after the round to everybody, and looks at all that they have heard, counted and been told. */
export async function probe({ alice, bob, carol }: Cast, round: Round, db: Knex) {
  const [first, second] = bob
  const last = `${round.name} probe`
  const to = await alice.client.send('bob', last)
  const said = await alice.client.send({ group: 'ops' }, last)
  const both = (ear: SessionRecorder) => ear.pushed.filter(({ text }) => text === last).length
  for (const ear of bob) await ear.until(() => both(ear) === 2, `both of "${last}"`)
  await carol.heard(last)
  const rows: { id: number; text: string; msg_type: number; isActive: number }[] = await db('chatmsg')
    .where('msg', 'like', `${round.name} %`)
    .where('msg_type', '<>', 3)
    .orderBy('id')
    .select('id', 'msg as text', 'msg_type', 'isActive')
  const twice = rows.filter(({ text }, index) => text !== last && rows.findIndex((row) => row.text === text) !== index)
  demand(twice.length === 0, `stored twice: ${twice.map(({ text }) => text).join(', ')}`)
  for (const [text, id] of round.stored)
    demand(
      rows.some((row) => row.id === id && row.text === text),
      `"${text}" was acknowledged as ${id} and is not stored`,
    )
  for (const ear of [...bob, carol]) {
    const wanted = rows.filter(
      ({ text, msg_type, isActive }) => isActive === 1 && (msg_type === 4 || (ear !== carol && !text.endsWith(' dan'))),
    )
    const active = ear.pushed.filter(({ text }) => rows.some((row) => row.text === text && row.isActive === 1))
    const heard = active.filter(({ text }) => text.startsWith(`${round.name} `))
    for (const kind of ['private', 'group']) {
      const ids = (list: readonly { id: number }[]) => list.map(({ id }) => id).join(' ')
      const are = wanted.filter(({ msg_type }) => (msg_type === 4) === (kind === 'group'))
      const got = heard.filter(({ group }) => (group !== '') === (kind === 'group'))
      demand(ids(got) === ids(are), `${ear.name} heard ${kind} ${ids(got)}, stored are ${ids(are)}`)
    }
  }
  await first.client.request(Acknowledge, { from: 'alice', upTo: to.id })
  await second.client.request(AcknowledgeRoom, { group: 'ops', upTo: said.id })
  await first.client.request(Acknowledge, { from: 'system', upTo: said.id })
  await carol.client.request(AcknowledgeRoom, { group: 'ops', upTo: said.id })
  const { contacts } = await first.client.request(QueryContacts, {})
  demand(
    contacts.every(({ unread }) => unread === 0),
    `unread are ${contacts.map(({ name, unread }) => `${name} ${unread}`).join(', ')}`,
  )
  for (const [contact, id] of [
    ['1 alice', to.id],
    ['4 ops', said.id],
  ] as const)
    await first.until(
      () => first.contacts.get(contact)?.lastId === id && first.contacts.get(contact)?.unread === 0,
      `${contact} with nothing unread on the watched list`,
    )
  for (const ear of [...bob, carol]) ear.pushed.length = 0
}

/** The same sent again after a refusal. @throws Error unless it is told what the first time has stored */
async function sendUntilStored(
  alice: SessionRecorder,
  round: Round,
  to: Parameters<SessionRecorder['client']['send']>[0],
  text: string,
  answer: Answer,
) {
  const first = 'reply' in answer ? (answer.reply as { id: number }).id : undefined
  mayAskAgain(answer)
  const { id, repeat } = await alice.client.send(to, text, { clientId: text })
  demand(first === undefined || (id === first && repeat), `sent again it is ${id}, and was ${first}`)
  round.stored.set(text, id)
}

export async function scenarios(server: FaultServer): Promise<Cast> {
  const alice = await server.session('alice')
  const bob = [await server.session('bob'), await server.session('bob')] as const
  const carol = await server.session('carol')
  const admin = await server.session('root', 'admin')
  const erin = await server.session('erin')
  const dan = await server.session('dan')
  await alice.client.request(CreateRoom, { group: 'ops' })
  for (const { client } of [bob[0], carol]) await client.request(JoinRoom, { group: 'ops' })
  // So that the group is on every list, whoever is no friend only with something unread.
  await alice.client.request(AddFriend, { user: 'bob' })
  await bob[0].client.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  await bob[0].client.request(QueryContacts, { watch: true })
  await dan.client.request(Consume, { consumer: 'c' })
  const { faults, db } = server
  const [first] = bob

  const sends = (name: string, to: string | { group: string }): Scenario => ({
    name,
    act: ({ name: round }) => alice.client.send(to, `${round} one`, { clientId: `${round} one` }),
    check: (round, answer) => sendUntilStored(alice, round, to, `${round.name} one`, answer),
  })
  const texts = ({ name }: Round) => ['a', 'b', 'c', 'd', 'e'].map((letter) => `${name} ${letter}`)
  const toWhom = (text: string) => (/[bd]$/.test(text) ? { group: 'ops' } : 'bob')
  const answers = new Map<string, Answer>()
  let said = 0

  return {
    alice,
    bob,
    carol,
    scenarios: [
      sends('send_message', 'bob'),
      sends('chatroom_message', { group: 'ops' }),
      {
        name: 'five at once',
        act: (round) =>
          Promise.all(
            texts(round).map(async (text) => {
              answers.set(text, await settle(alice.client.send(toWhom(text), text, { clientId: text })))
            }),
          ),
        async check(round) {
          for (const text of texts(round))
            await sendUntilStored(alice, round, toWhom(text), text, answers.get(text) as Answer)
          answers.clear()
        },
      },
      {
        name: 'five at once, not sent again',
        act: (round) =>
          Promise.all(
            texts(round).map(async (text) => {
              answers.set(text, await settle(alice.client.send(toWhom(text), text, { clientId: text })))
            }),
          ),
        async check(round) {
          for (const [text, answer] of answers)
            if (!mayAskAgain(answer)) round.stored.set(text, (answer as { reply: { id: number } }).reply.id)
          answers.clear()
        },
      },
      {
        name: 'once',
        act: ({ name }) => alice.client.request(SendMessage, { to: 'bob', text: `${name} once` }, { key: name }),
        async check(round, answer) {
          let now = answer
          while (mayAskAgain(now)) {
            const { name } = round
            now = await settle(alice.client.request(SendMessage, { to: 'bob', text: `${name} once` }, { key: name }))
          }
          round.stored.set(`${round.name} once`, (now as { reply: { id: number } }).reply.id)
        },
      },
      {
        name: 'broadcast',
        act: ({ name }) => admin.client.request(Broadcast, { text: `${name} all`, to: 'bob', clientId: name }),
        async check({ name }, answer) {
          if (mayAskAgain(answer))
            await admin.client.request(Broadcast, { text: `${name} all`, to: 'bob', clientId: name })
          for (const ear of bob) await ear.heard(`${name} all`)
        },
      },
      {
        name: 'acknowledge',
        async prepare(round) {
          said = (await alice.client.send('bob', `${round.name} read`)).id
          for (const ear of bob) await ear.heard(`${round.name} read`)
        },
        act: () => first.client.request(Acknowledge, { from: 'alice', upTo: said }),
        async check(_round, answer) {
          mayAskAgain(answer)
          if ('reply' in answer) {
            const { contacts } = await first.client.request(QueryContacts, {})
            demand(contacts.find(({ name }) => name === 'alice')?.unread === 0, 'what was acknowledged is unread')
          }
        },
      },
      {
        name: 'acknowledge_room',
        async prepare(round) {
          said = (await alice.client.send({ group: 'ops' }, `${round.name} read`)).id
          for (const ear of bob) await ear.heard(`${round.name} read`)
        },
        act: () => first.client.request(AcknowledgeRoom, { group: 'ops', upTo: said }),
        check: async (_round, answer) => mayAskAgain(answer),
      },
      {
        name: 'recall',
        async prepare(round) {
          said = (await alice.client.send('bob', `${round.name} wrong`)).id
          for (const ear of bob) await ear.heard(`${round.name} wrong`)
        },
        async act() {
          await alice.client.request(RecallMessage, { id: said })
        },
        async check(_round, answer) {
          const told = new Promise<void>((resolve) => {
            const off = first.client.on(MessageRecalled, ({ id }) => {
              if (id !== said) return
              off()
              resolve()
            })
          })
          if (!mayAskAgain(answer)) return
          const again = await settle(alice.client.request(RecallMessage, { id: said }))
          demand('reply' in again || again.failure === 'no_message', 'a recall asked for again is done')
          await told
        },
      },
      {
        name: 'schedule_message',
        act: ({ name }) =>
          alice.client.request(ScheduleMessage, { to: 'bob', text: `${name} later`, delay: 20, clientId: name }),
        async check({ name }, answer) {
          if (mayAskAgain(answer))
            await alice.client.request(ScheduleMessage, { to: 'bob', text: `${name} later`, delay: 20, clientId: name })
          for (const ear of bob) await ear.heard(`${name} later`)
        },
      },
      {
        name: 'acknowledge_event',
        async prepare({ name }) {
          said = (await alice.client.send('dan', `${name} dan`)).id
          await dan.heard(`${name} dan`)
        },
        act: () => dan.client.request(AcknowledgeEvent, { consumer: 'c', id: said }),
        async check(_round, answer) {
          if (mayAskAgain(answer)) await dan.client.request(AcknowledgeEvent, { consumer: 'c', id: said })
          const { consumers } = await dan.client.request(QueryConsumers, {})
          demand(consumers[0]?.position === said, `the consumer is at ${consumers[0]?.position}, not ${said}`)
        },
      },
      {
        name: 'receive',
        async prepare({ name }) {
          await alice.client.send('bob', `${name} unread`)
          for (const ear of bob) await ear.heard(`${name} unread`)
        },
        async act() {
          first.pushed.length = 0
          await first.client.receive()
          await Promise.race([first.until(() => first.pushed.length > 0, 'what is unread'), faults.fired])
        },
        async check({ name }, answer) {
          if (mayAskAgain(answer)) await first.client.receive()
          await first.heard(`${name} unread`)
        },
      },
      {
        name: 'query_contacts',
        act: () => first.client.request(QueryContacts, { watch: true }),
        check: async (_round, answer) => mayAskAgain(answer),
      },
      {
        name: 'contact_changed',
        async act({ name }) {
          const { id } = await alice.client.send('bob', `${name} seen`)
          const seen = first.until(() => first.contacts.get('1 alice')?.lastId === id, 'the change')
          await Promise.race([seen, faults.fired])
        },
        check: async (_round, answer) => mayAskAgain(answer),
      },
      {
        name: 'add_friend',
        act: () => alice.client.request(AddFriend, { user: 'erin' }),
        async check(_round, answer) {
          if (mayAskAgain(answer)) {
            const again = await settle(alice.client.request(AddFriend, { user: 'erin' }))
            demand('reply' in again || again.failure === 'already_requested', 'a request sent again waits')
          }
          const { requests } = await erin.client.request(QueryFriendRequests, {})
          demand(requests.length === 1, `${requests.length} requests wait`)
          await erin.client.request(ConfirmFriendRequest, { user: 'alice', accept: false })
          const open = await db('chatmsg').where({ msg_type: 3, isActive: 1 })
          demand(open.length === 0, 'an answered request waits on')
        },
      },
    ],
  }
}
