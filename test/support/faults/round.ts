import type { Knex } from 'knex'
import { Acknowledge, AcknowledgeRoom, QueryContacts, RefusedByServer } from '../../../client/index.ts'
import type { SessionRecorder } from './fault-server.ts'

/** The reply to a request, or the failure that refuses it. */
export type Answer = { readonly reply: unknown } | { readonly failure: string }

export interface Round {
  readonly name: string
  /** Acknowledged ids, by text. */
  readonly stored: Map<string, number>
}

export interface Scenario {
  readonly name: string
  prepare?(round: Round): Promise<unknown>
  /** The database may fail meanwhile. */
  act(round: Round): Promise<unknown>
  /** The database works again. */
  check(round: Round, answer: Answer): Promise<unknown>
}

/** The users of all rounds. */
export interface Cast {
  readonly alice: SessionRecorder
  /** Two sessions; the first one watches its contacts. */
  readonly bob: readonly [SessionRecorder, SessionRecorder]
  readonly carol: SessionRecorder
}

/** Waits for the outcome of a request. @throws every error that is not a refusal */
export async function settle(asked: Promise<unknown>): Promise<Answer> {
  try {
    return { reply: await asked }
  } catch (error) {
    if (error instanceof RefusedByServer) return { failure: error.failure }
    throw error
  }
}

export function demand(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what)
}

/** Whether the request was refused with a transient failure and may be retried. */
export function mayRetry(answer: Answer): boolean {
  if ('reply' in answer) return false
  demand(answer.failure === 'unavailable', `it was refused as ${answer.failure}`)
  return true
}

/** After a round, sends a message to everybody and checks deliveries, unread counts and watched contacts. */
export async function checkRound({ alice, bob, carol }: Cast, round: Round, db: Knex) {
  const [first, second] = bob
  const last = `${round.name} probe`
  const to = await alice.client.send('bob', last)
  const said = await alice.client.send({ group: 'ops' }, last)
  const both = (ear: SessionRecorder) => ear.pushed.filter(({ text }) => text === last).length
  for (const ear of bob) await ear.until(() => both(ear) === 2, `both of "${last}"`)
  await carol.heard(last)
  await checkStored({ bob, carol }, round, db, last)
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

/** Checks that every acknowledged message is stored once, and that everybody has received all of theirs in order. */
async function checkStored({ bob, carol }: Pick<Cast, 'bob' | 'carol'>, round: Round, db: Knex, last: string) {
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
}
