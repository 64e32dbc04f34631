import type { ChatMessage } from '../client/index.ts'

/** What a handler runs for, over all its runs: an event, or a time of a schedule. */
export interface Work {
  /** Names it in the keys of what is done for it: the id of the event, or schedule and time. */
  readonly key: string
  /** The conversation in whose order it is done, and whose state it has. */
  readonly chat: string
  /** Answers that its handler took, by the ids of the questions: a further run is given them again. */
  readonly answers: Map<number, ChatMessage>
}

export interface EventWork extends Work {
  readonly message: ChatMessage
}

export interface ScheduleWork extends Work {
  /** Name of the schedule. */
  readonly schedule: string
  /** When it was due. */
  readonly time: Date
}

export const isEvent = (work: Work): work is EventWork => 'message' in work
