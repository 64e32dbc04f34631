import { Refused, toShownName } from '../../core/index.ts'

const ABOUT_CHARACTERS = 200

/** @throws Refused `invalid_value` */
export function checkAvatar(avatar: string): string {
  if (avatar === '' || isObject(avatar)) return avatar
  throw new Refused('invalid_value', 'the avatar is a JSON object')
}

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** The stored form of the text. @throws Refused `invalid_value` */
export function checkAbout(wanted: string): string {
  const about = wanted.trim() === '' ? '' : toShownName(wanted, ABOUT_CHARACTERS)
  if (about !== undefined) return about
  throw new Refused(
    'invalid_value',
    `the text about a user is one line of at most ${ABOUT_CHARACTERS} characters, all of which can be seen`,
  )
}
