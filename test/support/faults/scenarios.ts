import {
  Acknowledge,
  AcknowledgeRoom,
  AddFriend,
  Broadcast,
  ConfirmFriendRequest,
  CreateRoom,
  EditMessage,
  JoinRoom,
  MessageEdited,
  MessageRecalled,
  QueryContacts,
  QueryFriendRequests,
  React,
  ReactionChanged,
  RecallMessage,
  ScheduleMessage,
  SendMessage,
} from '../../../client/index.ts'
import { AcknowledgeEvent, Consume, QueryConsumers } from '../../../plugins/consumers/messages.ts'
import type { FaultServer, SessionRecorder } from './fault-server.ts'
import { type Answer, type Cast, demand, mayRetry, type Round, type Scenario, settle } from './round.ts'

interface FullCast extends Cast {
  readonly admin: SessionRecorder
  readonly erin: SessionRecorder
  readonly dan: SessionRecorder
  readonly server: FaultServer
}

/** Logs everybody in and plays the scenarios' common beginning. */
export async function scenarios(server: FaultServer): Promise<{ cast: Cast; all: readonly Scenario[] }> {
  const alice = await server.session('alice')
  const bob = [await server.session('bob'), await server.session('bob')] as const
  const carol = await server.session('carol')
  const admin = await server.session('root', 'admin')
  const erin = await server.session('erin')
  const dan = await server.session('dan')
  await alice.client.request(CreateRoom, { group: 'ops' })
  for (const { client } of [bob[0], carol]) await client.request(JoinRoom, { group: 'ops' })
  // Bob is a friend, so that Alice is on his list of contacts also without unread messages.
  await alice.client.request(AddFriend, { user: 'bob' })
  await bob[0].client.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  await bob[0].client.request(QueryContacts, { watch: true })
  await dan.client.request(Consume, { consumer: 'c' })
  const cast = { alice, bob, carol, admin, erin, dan, server }
  return {
    cast,
    all: [...sending(cast), ...keyed(cast), ...reading(cast), ...pushing(cast), ...changing(cast), ...others(cast)],
  }
}

/** Resends a message after a refusal. @throws Error unless the reply names the message stored first */
async function sendUntilStored(
  alice: SessionRecorder,
  round: Round,
  to: Parameters<SessionRecorder['client']['send']>[0],
  text: string,
  answer: Answer,
) {
  const first = 'reply' in answer ? (answer.reply as { id: number }).id : undefined
  mayRetry(answer)
  const { id, repeat } = await alice.client.send(to, text, { clientId: text })
  demand(first === undefined || (id === first && repeat), `sent again it is ${id}, and was ${first}`)
  round.stored.set(text, id)
}

/** Messages, one and several at once. */
function sending({ alice }: FullCast): Scenario[] {
  const sends = (name: string, to: string | { group: string }): Scenario => ({
    name,
    act: ({ name: round }) => alice.client.send(to, `${round} one`, { clientId: `${round} one` }),
    check: (round, answer) => sendUntilStored(alice, round, to, `${round.name} one`, answer),
  })
  const texts = ({ name }: Round) => ['a', 'b', 'c', 'd', 'e'].map((letter) => `${name} ${letter}`)
  const toWhom = (text: string) => (/[bd]$/.test(text) ? { group: 'ops' } : 'bob')
  const answers = new Map<string, Answer>()
  return [
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
          if (!mayRetry(answer)) round.stored.set(text, (answer as { reply: { id: number } }).reply.id)
        answers.clear()
      },
    },
  ]
}

/** Requests that are retried under an idempotency key or client id. */
function keyed({ alice, bob, admin }: FullCast): Scenario[] {
  return [
    {
      name: 'once',
      act: ({ name }) => alice.client.request(SendMessage, { to: 'bob', text: `${name} once` }, { key: name }),
      async check(round, answer) {
        let now = answer
        while (mayRetry(now)) {
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
        if (mayRetry(answer)) await admin.client.request(Broadcast, { text: `${name} all`, to: 'bob', clientId: name })
        for (const ear of bob) await ear.heard(`${name} all`)
      },
    },
    {
      name: 'schedule_message',
      act: ({ name }) =>
        alice.client.request(ScheduleMessage, { to: 'bob', text: `${name} later`, delay: 20, clientId: name }),
      async check({ name }, answer) {
        if (mayRetry(answer))
          await alice.client.request(ScheduleMessage, { to: 'bob', text: `${name} later`, delay: 20, clientId: name })
        for (const ear of bob) await ear.heard(`${name} later`)
      },
    },
  ]
}

/** Acknowledgements. */
function reading({ alice, bob, dan }: FullCast): Scenario[] {
  const [first] = bob
  let said = 0
  return [
    {
      name: 'acknowledge',
      async prepare(round) {
        said = (await alice.client.send('bob', `${round.name} read`)).id
        for (const ear of bob) await ear.heard(`${round.name} read`)
      },
      act: () => first.client.request(Acknowledge, { from: 'alice', upTo: said }),
      async check(_round, answer) {
        mayRetry(answer)
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
      check: async (_round, answer) => mayRetry(answer),
    },
    {
      name: 'acknowledge_event',
      async prepare({ name }) {
        said = (await alice.client.send('dan', `${name} dan`)).id
        await dan.heard(`${name} dan`)
      },
      act: () => dan.client.request(AcknowledgeEvent, { consumer: 'c', id: said }),
      async check(_round, answer) {
        if (mayRetry(answer)) await dan.client.request(AcknowledgeEvent, { consumer: 'c', id: said })
        const { consumers } = await dan.client.request(QueryConsumers, {})
        demand(consumers[0]?.position === said, `the consumer is at ${consumers[0]?.position}, not ${said}`)
      },
    },
  ]
}

/** Requests that cause pushes. */
function pushing({ alice, bob, server: { faults } }: FullCast): Scenario[] {
  const [first] = bob
  let said = 0
  return [
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
        if (!mayRetry(answer)) return
        const again = await settle(alice.client.request(RecallMessage, { id: said }))
        demand('reply' in again || again.failure === 'no_message', 'a recall asked for again is done')
        await told
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
        if (mayRetry(answer)) await first.client.receive()
        await first.heard(`${name} unread`)
      },
    },
    {
      name: 'contact_changed',
      async act({ name }) {
        const { id } = await alice.client.send('bob', `${name} seen`)
        const seen = first.until(() => first.contacts.get('1 alice')?.lastId === id, 'the change')
        await Promise.race([seen, faults.fired])
      },
      check: async (_round, answer) => mayRetry(answer),
    },
  ]
}

/** Replies, and changes of stored messages, which their readers are told of. */
function changing({ alice, bob, server: { db } }: FullCast): Scenario[] {
  const [first] = bob
  let said = 0
  let told: Promise<void> = Promise.resolve()
  // Texts that do not begin with the name of the round: it checks those for deliveries.
  const prepare = async ({ name }: Round, message: typeof MessageEdited | typeof ReactionChanged) => {
    said = (await alice.client.send('bob', `tpyo of ${name}`)).id
    for (const ear of bob) await ear.heard(`tpyo of ${name}`)
    told = new Promise((resolve) => {
      const off = first.client.on(message, ({ id }) => {
        if (id !== said) return
        off()
        resolve()
      })
    })
  }
  const checkTold = async (act: () => Promise<unknown>, answer: Answer) => {
    if (mayRetry(answer)) demand('reply' in (await settle(act())), 'it can be asked for again')
    await told
  }
  const edit = () => alice.client.request(EditMessage, { id: said, text: 'mended' })
  const react = () => alice.client.request(React, { id: said, emoji: '👍' })
  return [
    {
      name: 'reply',
      async prepare({ name }) {
        said = (await alice.client.send('bob', `question of ${name}`)).id
      },
      act: ({ name }) => alice.client.send('bob', `${name} reply`, { clientId: `${name} reply`, replyTo: said }),
      async check(round, answer) {
        const text = `${round.name} reply`
        if (mayRetry(answer)) await alice.client.send('bob', text, { clientId: text, replyTo: said })
        const [row] = await db('chatmsg').where({ msg: text }).select('id')
        const extra = await db('message_extra').where({ message_id: row?.id }).first('reply_to')
        demand(extra?.reply_to === said, `it answers ${extra?.reply_to}, not ${said}`)
      },
    },
    {
      name: 'edit',
      prepare: (round) => prepare(round, MessageEdited),
      act: edit,
      async check(_round, answer) {
        await checkTold(edit, answer)
        const former = await db('message_former_text').where({ message_id: said }).pluck('msg')
        demand(former.length === 1, `${former.length} former texts are kept`)
      },
    },
    {
      name: 'react',
      prepare: (round) => prepare(round, ReactionChanged),
      act: react,
      check: (_round, answer) => checkTold(react, answer),
    },
  ]
}

/** Contacts and friend requests. */
function others({ alice, bob: [first], erin, server: { db } }: FullCast): Scenario[] {
  return [
    {
      name: 'query_contacts',
      act: () => first.client.request(QueryContacts, { watch: true }),
      check: async (_round, answer) => mayRetry(answer),
    },
    {
      name: 'add_friend',
      act: () => alice.client.request(AddFriend, { user: 'erin' }),
      async check(_round, answer) {
        if (mayRetry(answer)) {
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
  ]
}
