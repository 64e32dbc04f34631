import {
  AddFriendRequest,
  type Client,
  ConfirmFriendRequest,
  JoinRoom,
  QueryFriendRequests,
  RefusedByServer,
  RoomInvitation,
} from '../client/index.ts'
import type { Options } from './definition.ts'
import type { BotLog } from './log.ts'

type Policies = Required<Pick<Options<unknown>, 'friends' | 'invitations' | 'groups'>>

/** Answers friend requests and invitations, and joins groups, as the bot's definition says. */
export class Doorkeeper {
  readonly #client: Client
  readonly #policies: Policies
  readonly #log: BotLog

  constructor(client: Client, policies: Policies, log: BotLog) {
    this.#client = client
    this.#policies = policies
    this.#log = log
  }

  /** Hears what comes from now on. */
  listen() {
    const { friends, invitations } = this.#policies
    if (friends !== 'ignore')
      this.#client.on(
        AddFriendRequest,
        (request) => void this.#quietly('a friend request', () => this.#answer(request)),
      )
    if (invitations !== 'ignore')
      this.#client.on(RoomInvitation, (invitation) => {
        void this.#quietly('an invitation', async () => {
          if (invitations === 'accept' || (await invitations(invitation)))
            await this.#client.request(JoinRoom, { group: invitation.group })
        })
      })
  }

  /** Joins the groups it is not in yet. One that is not there, or takes nobody, is tried again at the next connection. */
  async join() {
    for (const group of this.#policies.groups) {
      try {
        await this.#client.request(JoinRoom, { group })
      } catch (error) {
        if (!(error instanceof RefusedByServer)) throw error
        if (error.failure === 'already_member') continue
        if (error.retryAfter > 0) throw error
        this.#log.warn({ err: error, group }, 'could not join a group')
      }
    }
  }

  /** After a lost connection: what changed meanwhile. */
  async comeBack() {
    await this.#quietly('what changed while the connection was lost', () => this.join())
    await this.catchUp()
  }

  /** Answers the friend requests that came while the bot was away. */
  async catchUp() {
    if (this.#policies.friends === 'ignore') return
    await this.#quietly('friend requests', async () => {
      const { requests } = await this.#client.request(QueryFriendRequests, {})
      for (const request of requests)
        if (request.incoming) await this.#quietly('a friend request', () => this.#answer(request))
    })
  }

  async #answer(request: { user: string; nickname: string; note: string; sentAt: number }) {
    const { friends } = this.#policies
    const accept = friends === 'accept' || (typeof friends === 'function' && (await friends(request)))
    await this.#client.request(ConfirmFriendRequest, { user: request.user, accept })
  }

  /** A request may have been answered or taken back in the meantime; those that stay are tried again with the next start. */
  async #quietly(what: string, task: () => Promise<unknown>) {
    try {
      await task()
    } catch (error) {
      this.#log.warn({ err: error }, `could not answer ${what}`)
    }
  }
}
