import { Refused, toShownName } from '../../core/index.ts'
import { type Names, SYSTEM } from './account.ts'
import { FAILURES } from './failures.ts'

/** Not for new accounts: mistaken for the system's account, or in the audit log for the operator. */
const RESERVED_NAMES = [SYSTEM.name, 'operator']
const NEW_NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/
/** At most four bytes each: the 256 bytes that messages have for a nickname. */
const NICKNAME_CHARACTERS = 64

/** The stored form of the names of a new account. @throws Refused `invalid_name`, `username_taken` */
export function checkNames({ name: wanted, nickname: shown }: Names): Names {
  const name = wanted.toLowerCase()
  if (!NEW_NAME.test(name))
    throw new Refused(
      FAILURES.invalid_name,
      'a user name is 1 to 32 of a-z 0-9 . _ - and begins with a letter or digit',
    )
  if (RESERVED_NAMES.includes(name)) throw new Refused(FAILURES.username_taken)
  const nickname = toShownName(shown.trim() || name, NICKNAME_CHARACTERS)
  if (nickname !== undefined) return { name, nickname }
  throw new Refused(
    FAILURES.invalid_name,
    `a nickname is one line of at most ${NICKNAME_CHARACTERS} characters, all of which can be seen`,
  )
}
