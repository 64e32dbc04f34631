import { useSignal, useSignalEffect } from '@preact/signals'
import type { Device } from '../shared/model.ts'
import { ActionButton } from './action-button.tsx'
import { fullTimeOf, t } from './i18n.ts'
import { attempt } from './state.ts'
import { call } from './worker.ts'

/** Browsers that may log in as this user; each can be taken the login. */
export function Devices() {
  const devices = useSignal<readonly Device[]>([])
  const load = () =>
    attempt(
      call('devices').then((found) => {
        devices.value = found
      }),
    )
  useSignalEffect(() => {
    void load()
  })
  if (devices.value.length === 0) return null
  return (
    <section>
      <h3>{t('devices.title')}</h3>
      <ul class="entries">
        {devices.value.map(({ device, name, addedAt, usedAt, current }) => (
          <li key={device} class="entry">
            <span class="who">
              <span>{name}</span>
              <span class="hint">{current ? t('devices.current') : fullTimeOf(usedAt || addedAt)}</span>
            </span>
            {!current && (
              <ActionButton
                label={t('devices.revokeOf', { name })}
                work={() => call('revokeDevice', { device }).then(load)}
              >
                {t('devices.revoke')}
              </ActionButton>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Users that this user has blocked, if there are any. */
export function Blocked() {
  const users = useSignal<readonly string[]>([])
  const load = () =>
    attempt(
      call('blocked').then((found) => {
        users.value = found
      }),
    )
  useSignalEffect(() => {
    void load()
  })
  if (users.value.length === 0) return null
  return (
    <section>
      <h3>{t('blocked.title')}</h3>
      <ul class="entries">
        {users.value.map((user) => (
          <li key={user} class="entry">
            <span class="who">@{user}</span>
            <ActionButton work={() => call('unblock', { user }).then(load)}>{t('blocked.unblock')}</ActionButton>
          </li>
        ))}
      </ul>
    </section>
  )
}
