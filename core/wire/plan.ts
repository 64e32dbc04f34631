import { type AnyField, type Field, type Fields, LETTERS, type ListField } from './field.ts'
import { SIZES } from './scalar.ts'

/** One value of a message, with what the codec has to know of it at hand. */
export interface Step {
  readonly name: string
  readonly field: Field
  /** Bytes on the wire; undefined for `Ns`, whose length is in the format. */
  readonly size: number | undefined
  /** Character code of the letter in the format. */
  readonly letter: number
}

/** The values of a message in their order: made once for each definition, walked for each message. */
export interface Plan {
  readonly steps: readonly Step[]
  readonly list: { readonly name: string; readonly field: ListField; readonly plan: Plan } | undefined
}

const plans = new WeakMap<object, Plan>()

export function planOf(message: { readonly fields: Fields }): Plan {
  let plan = plans.get(message)
  if (plan === undefined) {
    plan = planFor(message.fields)
    plans.set(message, plan)
  }
  return plan
}

function planFor(fields: Fields): Plan {
  const steps: Step[] = []
  let list: Plan['list']
  for (const [name, field] of Object.entries(fields)) {
    if (isList(field)) list = { name, field, plan: planFor(field.fields) }
    else steps.push({ name, field, size: SIZES[field.kind], letter: LETTERS[field.kind].charCodeAt(0) })
  }
  return { steps, list }
}

const isList = (field: AnyField): field is ListField => field.kind === 'list'
