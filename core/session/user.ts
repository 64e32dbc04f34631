export const ROLES = ['user', 'bot', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface User {
  readonly id: number
  readonly name: string
  readonly nickname: string
  readonly role: Role
}
