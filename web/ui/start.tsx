import { useSignal } from '@preact/signals'
import { ActionButton } from './action-button.tsx'
import { Field, Form, type FormValues } from './form.tsx'
import { failureText, t } from './i18n.ts'
import { LanguageChoice } from './settings-dialog.tsx'
import { status } from './state.ts'
import { call } from './worker.ts'

/** What is shown while nobody is logged in. */
export function Start() {
  return (
    <main class="start">
      <h1>{t('app.name')}</h1>
      <StartBody />
      {!isSecureContext && <p class="warning">{t('start.insecure')}</p>}
      <LanguageChoice />
    </main>
  )
}

function StartBody() {
  const { phase, ended } = status.value ?? { phase: 'start', ended: undefined }
  if (phase === 'start') return <p role="status">{t('start.connecting')}</p>
  if (phase === 'key_changed') return <KeyChanged />
  if (phase === 'unreachable')
    return (
      <>
        <p role="alert">{ended === undefined ? t('failure.unreachable') : failureText(ended)}</p>
        <ActionButton kind="primary" work={() => call('reconnect')}>
          {t('start.retry')}
        </ActionButton>
      </>
    )
  return (
    <>
      {ended !== undefined && <p role="alert">{t('start.ended', { reason: failureText(ended) })}</p>}
      <Account />
    </>
  )
}

function KeyChanged() {
  const isSure = useSignal(false)
  const { key = '', pinned = '' } = status.value ?? {}
  return (
    <section class="warning" role="alert">
      <h2>{t('key.changed')}</h2>
      <p>{t('key.changed.explained')}</p>
      <dl class="keys">
        <dt>{t('key.pinned')}</dt>
        <dd>{pinned}</dd>
        <dt>{t('key.shown')}</dt>
        <dd>{key}</dd>
      </dl>
      <label class="checkbox">
        <input
          type="checkbox"
          onChange={({ currentTarget }) => {
            isSure.value = currentTarget.checked
          }}
        />
        {t('key.confirmed')}
      </label>
      <ActionButton disabled={!isSure.value} work={() => call('trustNewKey')}>
        {t('key.trust')}
      </ActionButton>
    </section>
  )
}

/** Log in, or register. */
function Account() {
  const isNew = useSignal(false)
  const submit = async (values: FormValues) => {
    const account = { user: values.text('user').trim(), password: values.text('password') }
    if (isNew.value) await call('register', { ...account, nickname: values.text('nickname').trim() })
    else await call('login', account)
  }
  return (
    <>
      <h2>{t(isNew.value ? 'register.title' : 'login.title')}</h2>
      <Form action={t(isNew.value ? 'register.action' : 'login.action')} onSubmit={submit}>
        <Field
          label={t('account.user')}
          name="user"
          autocomplete="username"
          required
          maxLength={32}
          {...(isNew.value && { hint: t('account.user.hint') })}
        />
        {isNew.value && <Field label={t('account.nickname')} name="nickname" autocomplete="nickname" maxLength={60} />}
        <Field
          label={t('account.password')}
          name="password"
          type="password"
          required
          autocomplete={isNew.value ? 'new-password' : 'current-password'}
        />
      </Form>
      <p>
        <button
          type="button"
          class="link"
          onClick={() => {
            isNew.value = !isNew.value
          }}
        >
          {t(isNew.value ? 'login.instead' : 'register.instead')}
        </button>
      </p>
      <p class="hint">
        {t('key.of')} <code class="key">{status.value?.key}</code>
      </p>
    </>
  )
}
