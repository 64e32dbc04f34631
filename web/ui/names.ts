/** Characters that change the direction of the text around them. */
const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A name without characters that would make it look like another. */
export const plainName = (name: string) => name.replace(BIDI_CONTROLS, '')

/** How a user or group is called: by nickname, if there is one. The user name is always shown beside it. */
export const titleOf = ({ nickname, name }: { readonly nickname: string; readonly name: string }) =>
  plainName(nickname || name)
