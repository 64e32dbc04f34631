import { type HookRow, MSG_TYPE, NO_FILE, plainContent, UNCHECKED } from '../../db/index.ts'
import { SYSTEM } from '../accounts/index.ts'
import { privateAudience } from '../messages/audience.ts'
import type { Parts } from './parts.ts'

type Named = Pick<HookRow, 'id' | 'url' | 'user_id'>

/** Tells the owner that events are given up: once, until the hook has worked again. Rejects if that cannot be stored. */
export const tellGivenUp = (parts: Parts, hook: Named, failingSince: number) =>
  tell(parts, hook, {
    text:
      `${nameOf(hook)} has failed since ${new Date(failingSince).toISOString()}: events are given up. ` +
      `An operator lists them with \`chatctl hooks failed ${hook.id}\`.`,
    key: `hook-${hook.id}-${failingSince}-failed`,
  })

/** Tells the owner that a hook is disabled, once for an event. Rejects if that cannot be stored. */
export const tellDisabled = (parts: Parts, hook: Named, { reason, event }: { reason: string; event: number }) =>
  tell(parts, hook, {
    text: `${nameOf(hook)} is disabled: ${reason}. An operator enables it with \`chatctl hooks enable ${hook.id}\`.`,
    key: `hook-${hook.id}-${event}-disabled`,
  })

const nameOf = ({ id, url }: Named) => `Your hook ${id} (${url})`

async function tell(
  { accounts, conversations }: Parts,
  hook: Named,
  { text, key }: { readonly text: string; readonly key: string },
) {
  const owner = (await accounts.byIds([hook.user_id])).get(hook.user_id)
  // A disabled account reads nothing; its hooks are disabled for that very reason.
  if (!owner?.active) return
  await conversations.post(
    {
      senderId: SYSTEM.id,
      kind: MSG_TYPE.system,
      content: plainContent(text),
      clientId: key,
      hops: 0,
      replyTo: 0,
      file: NO_FILE,
      checkedUpTo: UNCHECKED,
    },
    privateAudience(SYSTEM, owner, undefined),
  )
}
