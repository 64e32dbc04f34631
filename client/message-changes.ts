import type { ValuesOf } from '../core/wire/index.ts'
import { EditMessage } from '../plugins/edits/messages.ts'
import { RecallMessage } from '../plugins/messages/messages.ts'
import { QueryReactions, React, type Reactions } from '../plugins/reactions/messages.ts'
import type { RequestOptions } from './link.ts'
import { Session } from './session.ts'

/** Reactions with one emoji to a message. */
export type ReactionCount = ValuesOf<typeof Reactions>['reactions'][number]

/** Requests that change stored messages. Not retried after a reconnect. */
export class MessageChanges extends Session {
  /**
   * Deletes one of the user's own messages for everybody: readers receive `MessageRecalled`, and a second recall is
   * refused with `no_message`.
   * @throws RefusedByServer `no_message`
   */
  async recall(id: number, options?: RequestOptions) {
    await this.request(RecallMessage, { id }, options)
  }

  /**
   * Gives one of the user's own messages a new text; readers receive `MessageEdited`.
   * @throws RefusedByServer `no_message`, `not_editable`, `not_member`, `blocked`, `not_friends`
   */
  async edit(id: number, text: string, options?: RequestOptions) {
    await this.request(EditMessage, { id, text }, options)
  }

  /**
   * Reacts to a message with one emoji, or removes that reaction; readers who are online receive `ReactionChanged`.
   * Repeating it changes nothing.
   * @throws RefusedByServer `no_message`, `too_many`, `invalid_value`, `blocked`, `not_friends`
   */
  async react(id: number, emoji: string, { remove = false, ...options }: ReactOptions = {}) {
    await this.request(React, { id, emoji, remove }, options)
  }

  /** The reactions to at most 50 messages. Messages that this user may not read have none. */
  async reactions(ids: readonly number[], options?: RequestOptions): Promise<ReactionCount[]> {
    const { reactions } = await this.request(QueryReactions, { ids: ids.map((id) => ({ id })) }, options)
    return reactions
  }
}

export interface ReactOptions extends RequestOptions {
  readonly remove?: boolean
}
