import { useSignal } from '@preact/signals'
import type { Message } from '../shared/model.ts'
import { Dialog } from './dialog.tsx'
import type { DialogContentProps } from './dialog-state.ts'
import { Field, Form } from './form.tsx'
import { fullTimeOf, t, tn } from './i18n.ts'
import { plainName } from './names.ts'
import { contacts, openAt } from './state.ts'
import { call } from './worker.ts'

interface Found {
  readonly text: string
  readonly messages: readonly Message[]
  /** `before` of the next page; 0 when everything was searched. */
  readonly next: number
}

/** Searches all messages, or those of one conversation. */
export function Search({ about, close }: DialogContentProps) {
  const found = useSignal<Found | undefined>(undefined)
  const search = async (text: string, before: number, earlier: readonly Message[]) => {
    const key = about === '' ? undefined : about
    const { messages, more, searchedTo } = await call('search', { text, key, before })
    found.value = { text, messages: [...messages, ...earlier], next: more ? searchedTo : 0 }
  }
  const name = plainName(contacts.value.get(about)?.name ?? about.slice(1))
  return (
    <Dialog title={about === '' ? t('search.title') : t('search.in', { name })} onClose={close}>
      <Form action={t('search.action')} onSubmit={(values) => search(values.text('text'), 0, [])}>
        <Field label={t('search.text')} name="text" required maxLength={60} />
      </Form>
      {found.value !== undefined && (
        <>
          <p role="status">{tn('search.found', found.value.messages.length)}</p>
          <ul class="entries">
            {found.value.messages.toReversed().map((message) => (
              <FoundRow key={message.id} message={message} close={close} />
            ))}
          </ul>
          {found.value.next > 0 && <Older found={found.value} search={search} />}
        </>
      )}
    </Dialog>
  )
}

interface OlderProps {
  readonly found: Found
  readonly search: (text: string, before: number, earlier: readonly Message[]) => Promise<void>
}

function Older({ found: { text, next, messages }, search }: OlderProps) {
  return (
    <Form action={t('search.older')} onSubmit={() => search(text, next, messages)}>
      <p class="hint">{t('search.more')}</p>
    </Form>
  )
}

function FoundRow({ message: { id, key, from, text, sentAt }, close }: { message: Message; close: () => void }) {
  const place = contacts.value.get(key)?.name ?? key.slice(1)
  return (
    <li>
      <button
        type="button"
        class="entry"
        onClick={() => {
          openAt(key, id)
          close()
        }}
      >
        <span class="who">
          <span class="hint">
            {plainName(place)} · {plainName(from)} · {fullTimeOf(sentAt)}
          </span>
          <span class="found" dir="auto">
            {text}
          </span>
        </span>
      </button>
    </li>
  )
}
