import type { Client } from '../../client/client.ts'
import {
  AddFriendRequest,
  AddFriendResult,
  FriendDeleted,
  QueryFriendRequests,
} from '../../plugins/friends/messages.ts'
import {
  type DeclineInvitation,
  JoinLeaveChatroom,
  type JoinRoom,
  QueryInvitations,
  RoomInvitation,
} from '../../plugins/groups/messages.ts'
import type { FriendRequest, Invitation } from '../shared/model.ts'
import type { WorkerEvent } from '../shared/protocol.ts'

export interface RequestsParts {
  readonly client: Client
  readonly emit: (event: WorkerEvent) => void
  readonly onGap: () => void
}

/** Friend requests without an answer, and invitations to groups. */
export class Requests {
  readonly #parts: RequestsParts
  #requests: FriendRequest[] = []
  #invitations: Invitation[] = []
  #invitationLoads = 0

  constructor(parts: RequestsParts) {
    const { client, emit, onGap } = parts
    this.#parts = parts
    const reload = () => void this.load().catch(onGap)
    client.on(AddFriendRequest, ({ user, nickname, note, sentAt }) => {
      const others = this.#requests.filter((request) => !(request.incoming && request.user === user))
      this.#requests = [...others, { user, nickname, note, sentAt, incoming: true }]
      this.#show()
    })
    client.on(AddFriendResult, ({ user, accepted }) => {
      emit({ type: 'friendAnswered', user, accepted })
      reload()
    })
    client.on(FriendDeleted, reload)
    const reloadInvitations = () => void this.#loadInvitations().catch(onGap)
    client.on(RoomInvitation, reloadInvitations)
    client.on(JoinLeaveChatroom, ({ group }) => {
      // Perhaps this user, in another program.
      if (this.#invitations.some((invitation) => invitation.group === group)) reloadInvitations()
    })
  }

  snapshot(): WorkerEvent[] {
    return [
      { type: 'requests', requests: this.#requests },
      { type: 'invitations', invitations: this.#invitations },
    ]
  }

  async load() {
    const { requests } = await this.#parts.client.request(QueryFriendRequests, {})
    this.#requests = requests
    await this.#loadInvitations()
  }

  async #loadInvitations() {
    const load = ++this.#invitationLoads
    const { invitations } = await this.#parts.client.request(QueryInvitations, {})
    // A later request was answered with a later state, perhaps earlier.
    if (load !== this.#invitationLoads) return
    this.#invitations = invitations
    this.#show()
  }

  /** Accepts or declines an invitation. It may have been withdrawn, so the list is read again in any case. */
  async answer(answer: typeof JoinRoom | typeof DeclineInvitation, { group }: { group: string }) {
    try {
      await this.#parts.client.request(answer, { group })
    } finally {
      await this.#loadInvitations().catch(this.#parts.onGap)
    }
  }

  #show() {
    for (const event of this.snapshot()) this.#parts.emit(event)
  }
}
