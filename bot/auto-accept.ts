import {
  AddFriendRequest,
  type Client,
  ConfirmFriendRequest,
  JoinRoom,
  QueryFriendRequests,
  QueryInvitations,
  RefusedByServer,
  RoomInvitation,
} from '../client/index.ts'
import type { Invitation, Options } from './definition.ts'
import type { BotLog } from './log.ts'

type Policies = Required<Pick<Options<unknown>, 'friends' | 'invitations' | 'groups'>>

/** Answers friend requests and invitations and joins groups, as the bot's definition says. */
export class AutoAccept {
  readonly #client: Client
  readonly #policies: Policies
  readonly #log: BotLog

  constructor(client: Client, policies: Policies, log: BotLog) {
    this.#client = client
    this.#policies = policies
    this.#log = log
  }

  /** Answers the requests and invitations that are pushed from now on. */
  listen() {
    const { friends, invitations } = this.#policies
    if (friends !== 'ignore')
      this.#client.on(
        AddFriendRequest,
        (request) => void this.#orWarn('could not answer a friend request', () => this.#answer(request)),
      )
    if (invitations !== 'ignore')
      this.#client.on(
        RoomInvitation,
        (invitation) => void this.#orWarn('could not answer an invitation', () => this.#follow(invitation)),
      )
  }

  /**
   * Joins the groups of the definition. A permanent refusal, such as a missing group, is logged and retried after the next
   * reconnect.
   * @throws RefusedByServer transient refusals
   */
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

  /** After a reconnect: joins groups and answers requests that came in between. */
  async resume() {
    await this.#orWarn('could not join the groups', () => this.join())
    await this.catchUp()
  }

  /** Answers the friend requests and invitations that came while the bot was offline. */
  async catchUp() {
    if (this.#policies.friends !== 'ignore') await this.#answerRequests()
    if (this.#policies.invitations !== 'ignore') await this.#followInvitations()
  }

  async #answerRequests() {
    await this.#orWarn('could not answer friend requests', async () => {
      const { requests } = await this.#client.request(QueryFriendRequests, {})
      for (const request of requests)
        if (request.incoming) await this.#orWarn('could not answer a friend request', () => this.#answer(request))
    })
  }

  async #followInvitations() {
    await this.#orWarn('could not answer invitations', async () => {
      const { invitations } = await this.#client.request(QueryInvitations, {})
      for (const { group, by } of invitations)
        await this.#orWarn('could not answer an invitation', () => this.#follow({ group, by }))
    })
  }

  /** Joins the group; an invitation that the policy rejects stays pending. */
  async #follow(invitation: Invitation) {
    const { invitations } = this.#policies
    const accept = invitations === 'accept' || (typeof invitations === 'function' && (await invitations(invitation)))
    if (accept) await this.#client.request(JoinRoom, { group: invitation.group })
  }

  async #answer(request: { user: string; nickname: string; note: string; sentAt: number }) {
    const { friends } = this.#policies
    const accept = friends === 'accept' || (typeof friends === 'function' && (await friends(request)))
    await this.#client.request(ConfirmFriendRequest, { user: request.user, accept })
  }

  /** Logs failures: the request may be answered or withdrawn by now. Pending ones are retried at the next start. */
  async #orWarn(warning: string, task: () => Promise<unknown>) {
    try {
      await task()
    } catch (error) {
      this.#log.warn({ err: error }, warning)
    }
  }
}
