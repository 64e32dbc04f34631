import { Refused, type User, type UserSession, type ValuesOf } from '../../core/index.ts'
import { type Account, existing } from '../accounts/index.ts'
import { conversationOf } from '../groups/parts.ts'
import { exchangeOf } from '../messages/loops.ts'
import { Replies } from '../messages/replies.ts'
import type { OpenStream } from './messages.ts'
import type { Parts } from './parts.ts'

/** Conversation of a stream. */
export interface Target {
  /** Differs between conversations. */
  readonly key: string
  /** Name of the recipient; empty in a group. */
  readonly to: string
  /** Name of the group; empty in private. */
  readonly group: string
  /** Ids of the users who may read, the sender included. @throws Refused if the sender may not write any more */
  readers(): Promise<readonly number[]>
}

type Wanted = ValuesOf<typeof OpenStream>

/** Finds the conversation of a stream, with the checks of a message; its message is checked again when it is stored. */
export class Targets {
  readonly #parts: Parts
  readonly #replies: Replies

  constructor(parts: Parts) {
    this.#parts = parts
    this.#replies = new Replies(parts)
  }

  /** @throws Refused as a message would be */
  find(session: UserSession, wanted: Wanted): Promise<Target> {
    if ((wanted.to === '') === (wanted.group === '')) throw new Refused('invalid_value', 'set either `to` or `group`')
    return wanted.group === '' ? this.#user(session, wanted) : this.#group(session, wanted)
  }

  /** Users who may read a stream of another node. @throws Refused if its sender may not write any more */
  async readersOf(user: User, { to, group }: Pick<Target, 'to' | 'group'>): Promise<readonly number[]> {
    const { accounts, app, groups } = this.#parts
    if (group !== '') return (await groups.member(group, user)).memberIds
    const account = existing(await accounts.find(to), to)
    return this.#readers(app.onBehalfOf(user), account)
  }

  async #user(session: UserSession, { to, hops, replyTo, clientId }: Wanted): Promise<Target> {
    const { accounts, friends, conversations } = this.#parts
    const found = await accounts.find(to)
    const account = existing(found?.active ? found : undefined, to)
    await friends.checkWriter(session, account)
    await this.#checkReply(session, { targetId: account.id, isGroup: false, replyTo, clientId })
    const { user } = session
    conversations.hops(exchangeOf(user, account), user, hops)
    return {
      key: `user ${account.id}`,
      to: account.name,
      group: '',
      readers: () => this.#readers(session, account),
    }
  }

  /** Of a private stream. */
  async #readers(session: UserSession, account: Account): Promise<readonly number[]> {
    await this.#parts.friends.checkWriter(session, account)
    return account.id === session.user.id ? [account.id] : [account.id, session.user.id]
  }

  async #group(session: UserSession, { group: name, hops, replyTo, clientId }: Wanted): Promise<Target> {
    const { groups, conversations } = this.#parts
    const { user } = session
    // Membership is checked first: the other refusals tell that a group exists.
    const { id } = await groups.member(name, user)
    await this.#checkReply(session, { targetId: id, isGroup: true, replyTo, clientId })
    conversations.hops({ key: conversationOf(id), group: name }, user, hops)
    return {
      key: `group ${id}`,
      to: '',
      group: name,
      readers: async () => {
        const group = await groups.member(name, user)
        // Another group may have the name by now.
        return group.id === id ? group.memberIds : []
      },
    }
  }

  async #checkReply(session: UserSession, reply: Parameters<Replies['check']>[1]) {
    if (reply.replyTo !== 0) await this.#replies.check(session, reply)
  }
}
