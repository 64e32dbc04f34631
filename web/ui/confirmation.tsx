import { Dialog } from './dialog.tsx'
import { Form } from './form.tsx'

export interface ConfirmationProps {
  /** Title of the dialog and of its button. */
  readonly title: string
  readonly text: string
  readonly work: () => Promise<unknown>
  readonly close: () => void
}

/** Asks before something that cannot be undone. */
export function Confirmation({ title, text, work, close }: ConfirmationProps) {
  return (
    <Dialog title={title} onClose={close}>
      <Form action={title} onSubmit={() => work().then(close)}>
        <p>{text}</p>
      </Form>
    </Dialog>
  )
}
