import { alertmanager } from './alertmanager.ts'
import { discord } from './discord.ts'
import type { Format, Payload } from './format.ts'
import { github } from './github.ts'
import { plain } from './plain.ts'
import { slack } from './slack.ts'

export type { Answer, Format, Payload } from './format.ts'

/** In the order in which they are tried: those that are certain come first. */
const FORMATS: readonly Format[] = [github, alertmanager, discord, slack, plain]

/** Apprise's JSON has an empty list of attachments, and its text in `message`. */
const isPlain = ({ body }: Payload) => typeof body.message === 'string' && typeof body.text !== 'string'

/** The format of a hook, or of a request where the hook takes all of them; undefined if none fits. */
export function formatFor(name: string, payload: Payload): Format | undefined {
  const named = FORMATS.find((format) => format.name === name)
  if (named !== undefined) return named
  const certain = [github, alertmanager].find((format) => format.recognises(payload))
  if (certain !== undefined || !isPlain(payload)) return certain ?? FORMATS.find((format) => format.recognises(payload))
  return plain
}

/** The last part of an address may name the format, as Discord's addresses do. */
export const isFormat = (name: string): boolean => FORMATS.some((format) => format.name === name)
