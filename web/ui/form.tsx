import { useSignal } from '@preact/signals'
import type { ComponentChildren, TargetedEvent } from 'preact'
import { useId } from 'preact/hooks'
import { errorText } from './i18n.ts'

export interface FieldProps {
  readonly label: string
  readonly name: string
  readonly type?: 'text' | 'password'
  readonly hint?: string
  readonly autocomplete?: string
  readonly required?: boolean
  readonly maxLength?: number
  readonly value?: string
}

export function Field({
  label,
  name,
  type = 'text',
  hint,
  autocomplete = 'off',
  required,
  maxLength,
  value,
}: FieldProps) {
  const id = useId()
  const hintId = `${id}-hint`
  return (
    <p class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        autocomplete={autocomplete}
        aria-describedby={hint === undefined ? undefined : hintId}
        autocapitalize="none"
        spellcheck={false}
        required={required}
        maxLength={maxLength}
        defaultValue={value}
        {...(type === 'password' ? { type } : {})}
      />
      {hint !== undefined && (
        <small id={hintId} class="hint">
          {hint}
        </small>
      )}
    </p>
  )
}

export function Checkbox({ label, name, checked }: { label: string; name: string; checked?: boolean }) {
  return (
    <label class="checkbox">
      <input type="checkbox" name={name} defaultChecked={checked} />
      {label}
    </label>
  )
}

export interface FormProps {
  readonly action: string
  /** Rejects with an error that is shown in the form. */
  readonly onSubmit: (values: FormValues) => Promise<unknown>
  readonly children: ComponentChildren
}

/** Values of a form by the names of its fields. */
export class FormValues {
  readonly #data: FormData

  constructor(data: FormData) {
    this.#data = data
  }

  text(name: string): string {
    const value = this.#data.get(name)
    return typeof value === 'string' ? value : ''
  }

  isChecked(name: string): boolean {
    return this.#data.has(name)
  }
}

/** A form that shows its failure, and is disabled while it is being sent. */
export function Form({ action, onSubmit, children }: FormProps) {
  const failure = useSignal('')
  const isBusy = useSignal(false)
  const submit = async (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (isBusy.value) return
    failure.value = ''
    isBusy.value = true
    try {
      await onSubmit(new FormValues(new FormData(event.currentTarget)))
    } catch (error) {
      failure.value = errorText(error)
    }
    isBusy.value = false
  }
  return (
    <form onSubmit={(event) => void submit(event)} aria-busy={isBusy.value}>
      {children}
      <p class="failure" role="alert">
        {failure.value}
      </p>
      <button type="submit" class="primary" aria-disabled={isBusy.value}>
        {action}
      </button>
    </form>
  )
}
