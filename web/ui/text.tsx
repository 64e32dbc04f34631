import type { ComponentChildren } from 'preact'

/** Ends at white space, quotes, brackets of markup, and Chinese punctuation. */
const LINK = /https?:\/\/[^\s<>"'`，。；：！？、（）【】《》「」『』“”]+/gi
const TRAILING = /[.,;:!?\]}]$/

/** Without punctuation of the sentence, and brackets that open before the address. */
function addressOf(found: string): { text: string; url: URL } | undefined {
  let text = found
  while (TRAILING.test(text) || (text.endsWith(')') && !text.includes('('))) text = text.slice(0, -1)
  return URL.canParse(text) ? { text, url: new URL(text) } : undefined
}

/** A text with its http and https addresses as links. The host is shown as it is resolved, not as it looks. */
export function Linked({ text }: { text: string }) {
  const parts: ComponentChildren[] = []
  let done = 0
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const address = addressOf(found)
    if (address === undefined) continue
    const { url, text: shown } = address
    parts.push(text.slice(done, index))
    parts.push(
      <a href={url.href} target="_blank" rel="noopener noreferrer nofollow">
        {shown.toLowerCase().includes(url.hostname) ? shown : url.href}
      </a>,
    )
    done = index + shown.length
  }
  return <>{[...parts, text.slice(done)]}</>
}
