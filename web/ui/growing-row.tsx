import { type Growing, isGroup, type Key } from '../shared/model.ts'
import { Avatar } from './avatar.tsx'
import { t } from './i18n.ts'
import { plainName } from './names.ts'
import { me } from './state.ts'
import { Linked } from './text.tsx'

/** A message whose text grows. Screen readers announce it once it is complete. */
export function GrowingRow({ growing: { key, from, text } }: { growing: Growing & { readonly key: Key } }) {
  const isMine = from === me.value?.user
  return (
    <li class={`unsent ${isMine ? 'is-mine' : ''}`} aria-busy="true">
      {!isMine && <Avatar name={from} />}
      <div class="bubble">
        {!isMine && isGroup(key) && (
          <p class="from">
            <bdi>{plainName(from)}</bdi>
          </p>
        )}
        <div class="text" dir="auto">
          <Linked text={text} />
        </div>
        <p class="meta">{t('message.growing')}</p>
      </div>
    </li>
  )
}
