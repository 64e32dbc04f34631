import type { ChatMessage } from '../client/index.ts'

/** An event, or one due time of a schedule, for which a handler runs once or, with retries, several times. */
export interface Work {
  /** Part of the idempotency keys of its effects: the id of the event, or the name and time of the schedule. */
  readonly key: string
  /** Key of the chat whose queue and state it uses. */
  readonly chat: string
  /** Answers received so far, by id of the question; a retry gets them again. */
  readonly answers: Map<number, ChatMessage>
}

export interface EventWork extends Work {
  readonly message: ChatMessage
  /** Messages of the same sender just before it, which its handler answers too; see Options.debounce. */
  readonly earlier?: readonly ChatMessage[]
}

export interface ScheduleWork extends Work {
  /** Name of the schedule. */
  readonly schedule: string
  /** Due time. */
  readonly time: Date
}

export const isEvent = (work: Work): work is EventWork => 'message' in work
