import { useSignal } from '@preact/signals'
import { ActionButton } from './action-button.tsx'
import { Avatar, art } from './avatar.tsx'
import { Dialog } from './dialog.tsx'
import type { DialogContentProps } from './dialog-state.ts'
import { Field, Form } from './form.tsx'
import { t } from './i18n.ts'
import { titleOf } from './names.ts'
import { avatarPicture } from './picture-drawing.ts'
import { avatarOf, type Look, lookOf, profiles, wantProfile } from './profiles.ts'
import { attempt, me } from './state.ts'
import { call } from './worker.ts'

const MAX_ABOUT = 200

/** What a user says of oneself. */
export function ProfileDialog({ about: user, close }: DialogContentProps) {
  wantProfile(user)
  const profile = profiles.value.get(user)
  return (
    <Dialog title={titleOf({ name: user, nickname: profile?.nickname ?? '' })} onClose={close}>
      <div class="profile">
        <Avatar name={user} isLarge />
        <p class="hint">@{user}</p>
        <p dir="auto">{profile?.about || t('profile.none')}</p>
      </div>
    </Dialog>
  )
}

/** The user dresses up, and writes about oneself. */
export function OwnProfileDialog({ close }: DialogContentProps) {
  const user = me.value?.user ?? ''
  const look = useSignal<Look>(lookOf(user))
  const take = async (file: File | undefined) => {
    if (file !== undefined) look.value = { ...look.value, picture: await avatarPicture(file) }
  }
  return (
    <Dialog title={t('profile.own')} onClose={close}>
      <Form
        action={t('profile.save')}
        onSubmit={(values) =>
          call('setProfile', { avatar: avatarOf(look.value), about: values.text('about').trim() }).then(close)
        }
      >
        <div class="profile">
          <Avatar name={user} look={look.value} isLarge />
        </div>
        <label class="choice">
          {t('profile.picture')}
          <input
            type="file"
            accept="image/*"
            onChange={({ currentTarget }) => void attempt(take(currentTarget.files?.[0]))}
          />
        </label>
        <div class="dress">
          {art.value?.PARTS.map(({ name, count, canBeNone }) => (
            <label key={name} class="choice">
              {t(`dress.${name}`)}
              <input
                type="range"
                min={canBeNone ? 0 : 1}
                max={count}
                value={look.value.dress[name] ?? (canBeNone ? 0 : 1)}
                onInput={({ currentTarget }) => {
                  // In place of the picture.
                  look.value = { dress: { ...look.value.dress, [name]: Number(currentTarget.value) } }
                }}
              />
            </label>
          ))}
        </div>
        <Field
          label={t('profile.about')}
          name="about"
          maxLength={MAX_ABOUT}
          value={profiles.value.get(user)?.about ?? ''}
        />
      </Form>
      <ActionButton
        kind="link"
        work={async () => {
          look.value = { dress: {} }
        }}
      >
        {t('dress.reset')}
      </ActionButton>
    </Dialog>
  )
}
