import { Dialog } from './dialog.tsx'
import type { DialogContentProps } from './dialog-state.ts'
import { Checkbox, Field, Form, type FormValues } from './form.tsx'
import { t } from './i18n.ts'
import { contacts, open } from './state.ts'
import { call } from './worker.ts'

export function AddFriend({ about, close }: DialogContentProps) {
  const submit = async (values: FormValues) => {
    await call('addFriend', { user: values.text('user').trim(), note: values.text('note').trim() })
    close()
  }
  return (
    <Dialog title={t('friend.add')} onClose={close}>
      <Form action={t('friend.add.action')} onSubmit={submit}>
        <Field label={t('account.user')} name="user" required maxLength={32} value={about} />
        <Field label={t('friend.note')} name="note" maxLength={60} />
      </Form>
    </Dialog>
  )
}

/** Creates a group, or joins one by its name. */
export function NewGroup({ close }: DialogContentProps) {
  const create = async (values: FormValues) => {
    const [open_, allHistory] = [values.isChecked('open'), values.isChecked('allHistory')]
    const { key } = await call('createGroup', { group: values.text('group').trim(), open: open_, allHistory })
    open(key)
    close()
  }
  const join = async (values: FormValues) => {
    await call('joinGroup', { group: values.text('group').trim() })
    close()
  }
  return (
    <Dialog title={t('group.new')} onClose={close}>
      <section>
        <h3>{t('group.create')}</h3>
        <Form action={t('group.create')} onSubmit={create}>
          <Field label={t('group.name')} name="group" required maxLength={30} />
          <Checkbox label={t('group.open')} name="open" checked />
          <Checkbox label={t('group.allHistory')} name="allHistory" />
        </Form>
      </section>
      <section>
        <h3>{t('group.join')}</h3>
        <Form action={t('group.join')} onSubmit={join}>
          <Field label={t('group.name')} name="group" required maxLength={30} />
        </Form>
      </section>
    </Dialog>
  )
}

export function Invite({ about: key, close }: DialogContentProps) {
  const submit = async (values: FormValues) => {
    await call('invite', { key, user: values.text('user').trim() })
    close()
  }
  return (
    <Dialog title={t('group.invite')} onClose={close}>
      <Form action={t('group.invite')} onSubmit={submit}>
        <Field label={t('account.user')} name="user" required maxLength={32} />
      </Form>
    </Dialog>
  )
}

export function RenameGroup({ about: key, close }: DialogContentProps) {
  const submit = async (values: FormValues) => {
    await call('renameGroup', { key, name: values.text('name').trim() })
    close()
  }
  return (
    <Dialog title={t('group.rename')} onClose={close}>
      <Form action={t('group.rename')} onSubmit={submit}>
        <Field
          label={t('group.name')}
          name="name"
          required
          maxLength={30}
          value={contacts.value.get(key)?.name ?? ''}
        />
      </Form>
    </Dialog>
  )
}
