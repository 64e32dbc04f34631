import { Blocked, Devices } from './account-lists.tsx'
import { ActionButton } from './action-button.tsx'
import { Dialog } from './dialog.tsx'
import type { DialogContentProps } from './dialog-state.ts'
import { Field, Form, type FormValues } from './form.tsx'
import { t } from './i18n.ts'
import { change, type Settings, settings } from './settings.ts'
import { status, toast } from './state.ts'
import { call } from './worker.ts'

export function SettingsDialog({ close }: DialogContentProps) {
  return (
    <Dialog title={t('settings.title')} onClose={close}>
      <section>
        <LanguageChoice />
        <ThemeChoice />
        <Switch name="enterSends" label={t('settings.enterSends')} />
        <Switch name="plainStyles" label={t('settings.plainStyles')} />
        <NotifySwitch />
        <Switch name="hideText" label={t('settings.hideText')} />
      </section>
      <section>
        <h3>{t('password.title')}</h3>
        <PasswordForm />
      </section>
      <Devices />
      <Blocked />
      <section>
        <p class="hint">
          {t('key.of')} <code class="key">{status.value?.key}</code>
        </p>
        <ActionButton work={() => call('logout').then(close)}>{t('logout')}</ActionButton>
      </section>
    </Dialog>
  )
}

export function LanguageChoice() {
  return (
    <label class="choice">
      {t('settings.language')}
      <select
        value={settings.value.language}
        onChange={({ currentTarget }) => change({ language: currentTarget.value as Settings['language'] })}
      >
        <option value="auto">{t('settings.auto')}</option>
        <option value="en">English</option>
        <option value="zh-CN">简体中文</option>
      </select>
    </label>
  )
}

function ThemeChoice() {
  return (
    <label class="choice">
      {t('settings.theme')}
      <select
        value={settings.value.theme}
        onChange={({ currentTarget }) => change({ theme: currentTarget.value as Settings['theme'] })}
      >
        <option value="auto">{t('settings.auto')}</option>
        <option value="light">{t('settings.light')}</option>
        <option value="dark">{t('settings.dark')}</option>
      </select>
    </label>
  )
}

function Switch({ name, label }: { name: 'enterSends' | 'plainStyles' | 'hideText'; label: string }) {
  return (
    <label class="checkbox">
      <input
        type="checkbox"
        checked={settings.value[name]}
        onChange={({ currentTarget }) => change({ [name]: currentTarget.checked })}
      />
      {label}
    </label>
  )
}

function NotifySwitch() {
  const turn = async (isOn: boolean) => {
    const isAllowed = isOn && (await Notification.requestPermission()) === 'granted'
    if (isOn && !isAllowed) toast.value = t('settings.notifyDenied')
    change({ notify: isAllowed })
  }
  return (
    <label class="checkbox">
      <input
        type="checkbox"
        checked={settings.value.notify}
        onChange={({ currentTarget }) => void turn(currentTarget.checked)}
      />
      {t('settings.notify')}
    </label>
  )
}

function PasswordForm() {
  const submit = async (values: FormValues) => {
    await call('changePassword', { old: values.text('old'), new: values.text('new') })
    toast.value = t('password.changed')
  }
  return (
    <Form action={t('password.action')} onSubmit={submit}>
      <Field label={t('password.old')} name="old" type="password" required autocomplete="current-password" />
      <Field label={t('password.new')} name="new" type="password" required autocomplete="new-password" />
    </Form>
  )
}
