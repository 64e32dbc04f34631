import type { Push, ValuesOf } from '../../core/index.ts'
import { OnNewMessage } from '../messages/messages.ts'
import type { Grant, Target } from '../tokens/index.ts'
import { toJson } from './json.ts'
import { targetsOf } from './targets.ts'

/** One event of the stream, with its text as it is sent. */
export interface StreamEvent {
  /** Id of the message; undefined for what is not acknowledged. */
  readonly id: number | undefined
  readonly text: string
  /** Whom or what it is about. */
  readonly targets: readonly Target[]
}

const known = new WeakMap<Push, readonly StreamEvent[]>()

/** The events of a push, made once for all streams that it goes to. */
export function eventsOf(push: Push): readonly StreamEvent[] {
  const made = known.get(push)
  if (made !== undefined) return made
  const events = makeEvents(push)
  known.set(push, events)
  return events
}

function makeEvents({ message, values }: Push): readonly StreamEvent[] {
  if (message.name !== OnNewMessage.name)
    return [
      {
        id: undefined,
        targets: targetsOf(message.fields, values),
        text: eventText(message.name, toJson(message, values)),
      },
    ]
  const { messages } = values as ValuesOf<typeof OnNewMessage>
  return messages.map((one) => ({
    id: one.id,
    targets: conversationOf(one),
    text: `id: ${one.id}\ndata: ${JSON.stringify(one)}\n\n`,
  }))
}

/** The conversation of a message to this user. */
export const conversationOf = ({ from, group }: { readonly from: string; readonly group: string }): Target[] => [
  group === '' ? { user: from } : { group },
]

/** Whether a token reaches all that something is about; with targets, something that is about none of them is not. */
export const isWithin = (token: Grant, targets: readonly Target[]): boolean =>
  token.targets === undefined || (targets.length > 0 && targets.every((target) => token.mayReach(target)))

/** An event without an id. JSON has no line breaks of its own. */
export const eventText = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
