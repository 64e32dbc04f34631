import { useSignal } from '@preact/signals'
import { Fragment } from 'preact'
import type { Message } from '../shared/model.ts'
import type { Conversation } from './conversation.ts'
import { GrowingRow } from './growing-row.tsx'
import { dateOf, t } from './i18n.ts'
import { Icon } from './icons.tsx'
import { MessageRow } from './message-row.tsx'
import { usePlace } from './place.ts'
import { idOf, rowsOf } from './scrolling.ts'
import { growing, unsent } from './state.ts'
import { UnsentRow } from './unsent-row.tsx'

/** The messages of a conversation: a list that keeps its place while messages come and go above and below. */
export function MessageList({ conversation }: { conversation: Conversation }) {
  /** The message that the Tab key reaches; arrows move it. */
  const active = useSignal(0)
  const messages = conversation.messages.value
  const waiting = unsent.value.filter(({ key }) => key === conversation.key)
  const texts = [...growing.value.values()].filter(({ key }) => key === conversation.key)
  // Changes whenever the rows below the messages change their height.
  const below = texts.reduce((sum, { text }) => sum + text.length, waiting.length + texts.length)
  const { ref, isAtBottom, look, toEnd } = usePlace(conversation, below)
  return (
    <div class="list-frame">
      <ol
        class="messages"
        ref={ref}
        aria-label={t('messages.title')}
        aria-busy={conversation.older.value === 'loading'}
        onScroll={look}
        onKeyDown={(event) => moveActive(event, ref.current)}
        onFocusIn={({ target }) => {
          active.value = idOf(target) || active.value
        }}
      >
        <Rows
          conversation={conversation}
          messages={messages}
          target={conversation.target}
          firstUnread={conversation.firstUnread.value}
          active={active.value}
        />
        {conversation.isAtEnd.value && texts.map((growing) => <GrowingRow key={growing.stream} growing={growing} />)}
        {conversation.isAtEnd.value && waiting.map((message) => <UnsentRow key={message.clientId} message={message} />)}
      </ol>
      {!(isAtBottom.value && conversation.isAtEnd.value) && (
        <button
          type="button"
          class="to-end"
          aria-label={t('messages.toEnd')}
          title={t('messages.toEnd')}
          onClick={() => void toEnd()}
        >
          <Icon name="down" />
        </button>
      )}
    </div>
  )
}

interface RowsProps {
  readonly conversation: Conversation
  readonly messages: readonly Message[]
  readonly firstUnread: number
  readonly target: number
  readonly active: number
}

function Rows({ conversation, messages, firstUnread, target, active }: RowsProps) {
  const reachable = messages.some(({ id }) => id === active) ? active : messages.at(-1)?.id
  return (
    <>
      {messages.map((message, index) => {
        const before = messages[index - 1]
        return (
          <Fragment key={message.id}>
            {isNewDay(before, message) && <li class="divider">{dateOf(message.sentAt)}</li>}
            {message.id === firstUnread && <li class="divider is-unread">{t('messages.unread')}</li>}
            <MessageRow
              conversation={conversation}
              message={message}
              before={before}
              isReachable={message.id === reachable}
              isTarget={message.id === target}
            />
          </Fragment>
        )
      })}
    </>
  )
}

const isNewDay = (before: Message | undefined, { sentAt }: Message) =>
  before === undefined || new Date(before.sentAt).toDateString() !== new Date(sentAt).toDateString()

/** Up, Down, Home and End move between messages. */
function moveActive(event: KeyboardEvent, list: HTMLElement | null) {
  if (list === null || !(event.target instanceof HTMLElement) || !event.target.matches('.message')) return
  const rows = rowsOf(list)
  const at = rows.indexOf(event.target)
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key]
  const row = to === undefined ? undefined : rows[to]
  if (row === undefined) return
  event.preventDefault()
  row.focus()
}
