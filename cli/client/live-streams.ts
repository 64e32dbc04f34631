import type { ChatMessage, Client, GrowingMessage } from '../../client/index.ts'
import { LiveText, type Screen } from '../output/live-text.ts'
import type { Output } from '../output/output.ts'
import { printable, printableLine } from '../output/printable.ts'

/** Messages that grow at the end of a terminal, and finished ones above them. */
export interface LiveStreams {
  /** Prints a line above them. */
  print(line: string): Promise<void>
  stop(): Promise<void>
}

/** Shows messages that grow. @param isWanted of the finished message would be shown */
export async function showStreams(
  client: Client,
  { colors }: Pick<Output, 'colors'>,
  {
    screen,
    isWanted,
  }: { readonly screen: Screen; isWanted(message: Pick<ChatMessage, 'kind' | 'from' | 'to' | 'group'>): boolean },
): Promise<LiveStreams> {
  const live = new LiveText(screen)
  const texts = new Map<number, string>()
  const stop = await client.followStreams((message) => {
    const { stream, from, to, group, isOver } = message
    const finished =
      group === undefined ? { kind: 'chat' as const, from, to: to ?? '' } : { kind: 'group' as const, from, group }
    if (isOver) texts.delete(stream)
    else if (isWanted(finished)) texts.set(stream, `${colors.dim(colors.italic(heading(message)))} ${body(message)}`)
    // A closed pipe ends the command at its next message.
    live.show([...texts.values()]).catch(() => {})
  })
  return {
    print: (line) => live.above(`${line}\n`),
    stop() {
      stop()
      return live.end()
    },
  }
}

const heading = ({ from, group }: GrowingMessage) =>
  `${printableLine(from)}${group === undefined ? '' : ` @${printableLine(group)}`} is writing:`

const body = ({ text }: GrowingMessage) => printable(text)
