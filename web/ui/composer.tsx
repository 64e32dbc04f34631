import { useSignal } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Key } from '../shared/model.ts'
import type { NewMessage } from '../shared/protocol.ts'
import { AttachButtons } from './attach-buttons.tsx'
import type { Conversation } from './conversation.ts'
import { loadDraft, saveDraft } from './drafts.ts'
import { EmojiButton } from './emoji-button.tsx'
import { t } from './i18n.ts'
import { Icon, IconButton } from './icons.tsx'
import { isShrinkable, shrunk } from './picture-drawing.ts'
import { isDark, settings } from './settings.ts'
import { type PictureChoices, StagedFiles } from './staged-files.tsx'
import { stage, takeStaged } from './staging.ts'
import { attempt, me, status } from './state.ts'
import { styleOf } from './style.ts'
import { StyleBar } from './style-bar.tsx'
import { SubjectBar } from './subject-bar.tsx'
import { call } from './worker.ts'

/** Longest text of the protocol, in bytes. */
const MAX_BYTES = 16_384
/** Time between two notices that the user is writing; they hold for 6 s. */
const TYPING_REPEAT_MS = 3500
/** Key code of a key press that an input method handles, in browsers that do not set `isComposing` for Enter. */
const COMPOSING_KEY_CODE = 229

export function Composer({ conversation }: { conversation: Conversation }) {
  const { key, subject } = conversation
  const user = me.value?.user ?? ''
  const input = useRef<HTMLTextAreaElement>(null)
  const { text, write, type, wasSent } = useDraft(user, key)
  const isStyling = useSignal(false)
  const excess = new TextEncoder().encode(text.value).length - MAX_BYTES
  const choices = useSignal<PictureChoices>({ shrink: false, keepMetadata: false })
  const send = async () => {
    const sent = text.value
    const about = subject.value
    const files = about?.kind === 'edit' ? [] : takeStaged(key)
    if (excess > 0 || (sent.trim() === '' && files.length === 0)) return
    subject.value = undefined
    write('')
    wasSent()
    const id = about?.message.id ?? 0
    const work =
      about?.kind === 'edit'
        ? call('edit', { id, text: sent })
        : sendAll({ key, text: sent, style: settings.value.style, replyTo: id || undefined }, files, choices.value)
    // For these pictures only: it tells where somebody was.
    choices.value = { ...choices.value, keepMetadata: false }
    if (await attempt(work)) return
    write(sent + text.value)
    stage(key, files)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.isComposing || event.keyCode === COMPOSING_KEY_CODE || event.shiftKey) return
    event.preventDefault()
    const isPlain = !(event.ctrlKey || event.metaKey)
    if (isPlain === settings.value.enterSends) void send()
    else insert(input.current, '\n')
  }
  useLayoutEffect(() => {
    if (subject.value?.kind === 'edit') write(subject.value.message.text)
    input.current?.focus()
  }, [subject.value])
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
    >
      {isStyling.value && <StyleBar />}
      {subject.value !== undefined && <SubjectBar conversation={conversation} subject={subject.value} />}
      <StagedFiles conversationKey={key} choices={choices} />
      {excess > 0 && (
        <p class="failure" role="alert">
          {t('composer.tooLong', { n: excess })}
        </p>
      )}
      <div class="composer-line">
        <AttachButtons onFiles={(files) => stage(key, files ?? [])} />
        <EmojiButton onPick={(emoji) => insert(input.current, emoji)} />
        <IconButton
          icon="style"
          label={t('style.title')}
          pressed={isStyling.value}
          onClick={() => {
            isStyling.value = !isStyling.value
          }}
        />
        <textarea
          ref={input}
          rows={1}
          dir="auto"
          aria-label={t('composer.label')}
          placeholder={t(settings.value.enterSends ? 'composer.enterSends' : 'composer.ctrlEnterSends')}
          style={styleOf(settings.value.style, { isDark: isDark(), mine: true })}
          value={text.value}
          onInput={({ currentTarget }) => type(currentTarget.value)}
          onKeyDown={onKeyDown}
          onPaste={(event) => {
            if (stage(key, event.clipboardData?.files)) event.preventDefault()
          }}
        />
        <button type="submit" class="icon-button primary" aria-label={t('composer.send')} title={t('composer.send')}>
          <Icon name="send" />
        </button>
      </div>
    </form>
  )
}

/** One message, or one for each file; the text goes with the first. */
async function sendAll(message: NewMessage, files: readonly File[], { shrink, keepMetadata }: PictureChoices) {
  if (files.length === 0) return call('send', message)
  for (const [index, file] of files.entries()) {
    const content = shrink && isShrinkable(file) ? await shrunk(file) : file
    const attached = { name: content.name, content, keepMetadata }
    await call('send', { ...message, text: index === 0 ? message.text.trim() : '', file: attached })
  }
}

/** The text that is being written: kept over reloads, and others are told that it is being written. */
function useDraft(user: string, key: Key) {
  const text = useSignal(loadDraft(user, key))
  const noticeAt = useRef(-TYPING_REPEAT_MS)
  const write = (value: string) => {
    text.value = value
    saveDraft(user, key, value)
  }
  const type = (value: string) => {
    write(value)
    if (value === '' || !status.value?.online || performance.now() - noticeAt.current < TYPING_REPEAT_MS) return
    noticeAt.current = performance.now()
    // A hint: if the server refuses it, the message itself tells why.
    call('typing', { key, state: true }).catch(() => undefined)
  }
  /** The message ended the notice. */
  const wasSent = () => {
    noticeAt.current = -TYPING_REPEAT_MS
  }
  return { text, write, type, wasSent }
}

/** Writes at the cursor, as if it was typed. */
function insert(input: HTMLTextAreaElement | null, text: string) {
  if (input === null) return
  input.focus()
  input.setRangeText(text, input.selectionStart, input.selectionEnd, 'end')
  input.dispatchEvent(new InputEvent('input', { bubbles: true }))
}
