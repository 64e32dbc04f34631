import type { FriendRequest, Invitation } from '../shared/model.ts'
import { ActionButton } from './action-button.tsx'
import { Avatar } from './avatar.tsx'
import { Dialog } from './dialog.tsx'
import type { DialogContentProps } from './dialog-state.ts'
import { fullTimeOf, t } from './i18n.ts'
import { titleOf } from './names.ts'
import { invitations, requests } from './state.ts'
import { call } from './worker.ts'

/** Friend requests and invitations to groups. */
export function Requests({ close }: DialogContentProps) {
  const isEmpty = requests.value.length === 0 && invitations.value.length === 0
  return (
    <Dialog title={t('requests.title')} onClose={close}>
      {isEmpty && <p class="empty">{t('requests.none')}</p>}
      <ul class="entries">
        {requests.value.map((request) => (
          <RequestRow key={`${request.incoming} ${request.user}`} request={request} />
        ))}
        {invitations.value.map((invitation) => (
          <InvitationRow key={invitation.group} invitation={invitation} />
        ))}
      </ul>
    </Dialog>
  )
}

function RequestRow({ request: { user, nickname, incoming, note, sentAt } }: { request: FriendRequest }) {
  const answer = (accept: boolean) => () => call('answerFriend', { user, accept })
  return (
    <li class="entry">
      <Avatar name={user} />
      <span class="who">
        <bdi class="name">{titleOf({ name: user, nickname })}</bdi>
        <span class="hint">
          @{user} · {fullTimeOf(sentAt)}
        </span>
        {note !== '' && <span dir="auto">{note}</span>}
      </span>
      {incoming ? (
        <span class="actions">
          <ActionButton kind="primary" label={t('requests.acceptOf', { user })} work={answer(true)}>
            {t('requests.accept')}
          </ActionButton>
          <ActionButton label={t('requests.rejectOf', { user })} work={answer(false)}>
            {t('requests.reject')}
          </ActionButton>
        </span>
      ) : (
        <span class="hint">{t('requests.sent')}</span>
      )}
    </li>
  )
}

function InvitationRow({ invitation: { group, by, invitedAt } }: { invitation: Invitation }) {
  return (
    <li class="entry">
      <Avatar name={group} isGroup />
      <span class="who">
        <bdi class="name">{group}</bdi>
        <span class="hint">
          {by !== '' && `${t('requests.invitedBy', { user: by })} · `}
          {fullTimeOf(invitedAt)}
        </span>
      </span>
      <span class="actions">
        <ActionButton kind="primary" label={t('requests.joinOf', { group })} work={() => call('joinGroup', { group })}>
          {t('group.join')}
        </ActionButton>
        <ActionButton label={t('requests.declineOf', { group })} work={() => call('declineInvitation', { group })}>
          {t('requests.reject')}
        </ActionButton>
      </span>
    </li>
  )
}
