import type { Client } from '../../client/client.ts'
import { EditMessage, MessageEdited } from '../../plugins/edits/messages.ts'
import { MessageRecalled } from '../../plugins/messages/messages.ts'
import { ReactionChanged } from '../../plugins/reactions/messages.ts'
import type { Me } from '../shared/model.ts'
import type { WorkerEvent } from '../shared/protocol.ts'

/**
 * Recalls, edits and reactions. The server tells the readers and the other sessions of the user; what this session changes
 * is shown when it is stored.
 */
export class Changes {
  readonly #client: Client
  readonly #emit: (event: WorkerEvent) => void

  constructor(client: Client, me: Me, emit: (event: WorkerEvent) => void) {
    this.#client = client
    this.#emit = emit
    client.on(MessageRecalled, ({ id }) => emit({ type: 'recalled', id }))
    client.on(MessageEdited, ({ id, text, editedAt }) => emit({ type: 'edited', id, text, editedAt }))
    client.on(ReactionChanged, ({ id, emoji, count, user, removed }) => {
      const own = user === me.user ? { own: !removed } : {}
      emit({ type: 'reacted', reaction: { id, emoji, count, ...own } })
    })
  }

  async recall({ id }: { id: number }) {
    await this.#client.recall(id)
    this.#emit({ type: 'recalled', id })
  }

  async edit({ id, text }: { id: number; text: string }) {
    const { editedAt } = await this.#client.request(EditMessage, { id, text })
    // 0: the message had this text already.
    if (editedAt > 0) this.#emit({ type: 'edited', id, text, editedAt })
  }

  async react({ id, emoji, remove }: { id: number; emoji: string; remove: boolean }) {
    await this.#client.react(id, emoji, { remove })
    await this.reload([id])
  }

  /** @param ids at most 50 */
  async reload(ids: number[]) {
    this.#emit({ type: 'reactions', ids, reactions: await this.#client.reactions(ids) })
  }
}
