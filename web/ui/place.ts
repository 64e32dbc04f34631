import { useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import type { Conversation } from './conversation.ts'
import { isNearEnd, lastSeen, ScrollAnchor } from './scrolling.ts'

/** Distance from either end at which more messages are loaded, in heights of the list. */
const LOAD_AHEAD = 1

/**
 * Keeps the place in the list of a conversation, loads what comes into view, and marks it as read.
 * @param below changes with the rows below the messages
 */
export function usePlace(conversation: Conversation, below: number) {
  const ref = useRef<HTMLOListElement>(null)
  const anchor = useRef(new ScrollAnchor()).current
  const isAtBottom = useSignal(true)

  const look = () => {
    const list = ref.current
    if (list === null) return
    isAtBottom.value = isNearEnd(list)
    anchor.remember(list)
    const ahead = list.clientHeight * LOAD_AHEAD
    if (list.scrollTop < ahead) void conversation.loadOlder()
    else if (list.scrollHeight - list.scrollTop - list.clientHeight < ahead) void conversation.loadNewer()
    if (document.visibilityState === 'visible' && document.hasFocus()) markSeen(list, conversation)
  }
  const restore = (start: number) => {
    if (ref.current === null) return
    anchor.restore(ref.current, start)
    look()
  }
  useLayoutEffect(
    () => restore(conversation.target || conversation.firstUnread.peek()),
    [conversation.messages.value, below],
  )
  useEffect(() => {
    addEventListener('focus', look)
    const observer = new ResizeObserver(() => restore(0))
    if (ref.current !== null) observer.observe(ref.current)
    return () => {
      removeEventListener('focus', look)
      observer.disconnect()
    }
  }, [])

  const toEnd = async () => {
    anchor.toEnd()
    await conversation.jumpToEnd()
    restore(0)
  }
  return { ref, isAtBottom, look, toEnd }
}

/** A message of others is read once it was in view on a page that the user looks at. */
function markSeen(list: HTMLElement, conversation: Conversation) {
  const seen = lastSeen(list)
  const last = conversation.messages.peek().findLast(({ id, mine }) => !mine && id <= seen)
  if (last !== undefined) conversation.seen(last.id)
}
