import { Client } from '../../client/client.ts'
import { Catalogue, CONTROL_MESSAGES, type Message } from '../../core/wire/index.ts'
import * as contacts from '../../plugins/contacts/messages.ts'
import * as devices from '../../plugins/devices/messages.ts'
import * as edits from '../../plugins/edits/messages.ts'
import * as files from '../../plugins/files/messages.ts'
import * as friends from '../../plugins/friends/messages.ts'
import * as groups from '../../plugins/groups/messages.ts'
import * as login from '../../plugins/login/messages.ts'
import * as messages from '../../plugins/messages/messages.ts'
import * as profiles from '../../plugins/profiles/messages.ts'
import * as reactions from '../../plugins/reactions/messages.ts'
import * as registration from '../../plugins/registration/messages.ts'
import * as streams from '../../plugins/streams/messages.ts'
import * as typing from '../../plugins/typing/messages.ts'

/** Fewest iterations that a server may choose that has proved before that it knows an account. */
const MIN_ITERATIONS_PROVEN = 4096

const messagesOf = (feature: Readonly<Record<string, Message>>): Message[] => Object.values(feature)

/** What the page speaks of the protocol. Messages of operators, bots and programs would only make it larger. */
const SPOKEN: readonly Message[] = [
  ...CONTROL_MESSAGES,
  ...[contacts, devices, edits, files, friends, groups, login, messages].flatMap(messagesOf),
  ...[profiles, reactions, registration, streams, typing].flatMap(messagesOf),
]

/** Address of the listener that served this page. */
function address(): string {
  const url = new URL('/chat', self.location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

export interface DialOptions {
  readonly checkKey: (key: string) => void
  /** The server has proved before that it knows an account. */
  readonly isProven: boolean
}

/** Connects to the server. @throws ClientError */
export async function dial({ checkKey, isProven }: DialOptions): Promise<Client> {
  const iterations = isProven ? { leastIterations: MIN_ITERATIONS_PROVEN } : {}
  const catalogue = new Catalogue(SPOKEN)
  const client = new Client({ addresses: [{ url: address() }], catalogue, checkKey, ...iterations })
  await client.connect()
  return client
}
