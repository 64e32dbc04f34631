import type { Client } from '../../client/client.ts'
import {
  AddFriendRequest,
  AddFriendResult,
  FriendDeleted,
  QueryFriendRequests,
} from '../../plugins/friends/messages.ts'
import { RoomInvitation } from '../../plugins/groups/messages.ts'
import type { FriendRequest } from '../shared/model.ts'
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
  /** Inviting members by group. The server pushes an invitation once, and again after the next `receive`. */
  readonly #invitations = new Map<string, string>()

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
    client.on(RoomInvitation, ({ group, by }) => {
      this.#invitations.set(group, by)
      this.#show()
    })
  }

  snapshot(): WorkerEvent[] {
    const invitations = [...this.#invitations].map(([group, by]) => ({ group, by }))
    return [
      { type: 'requests', requests: this.#requests },
      { type: 'invitations', invitations },
    ]
  }

  async load() {
    const { requests } = await this.#parts.client.request(QueryFriendRequests, {})
    this.#requests = requests
    this.#show()
  }

  /** The user has joined the group, or does not want to. */
  forget(group: string) {
    if (this.#invitations.delete(group)) this.#show()
  }

  #show() {
    for (const event of this.snapshot()) this.#parts.emit(event)
  }
}
