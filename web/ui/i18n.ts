import { computed, effect } from '@preact/signals'
import en from '../i18n/en.json'
import zh from '../i18n/zh-CN.json'
import type { CallFailure } from '../shared/model.ts'
import { settings } from './settings.ts'
import { CallError } from './worker.ts'

export type Text = Extract<keyof typeof en, string>
type Params = Readonly<Record<string, string | number>>

const CATALOGUES: Readonly<Record<'en' | 'zh-CN', Readonly<Partial<Record<Text, string>>>>> = { en, 'zh-CN': zh }

export const language = computed(() => {
  const { language } = settings.value
  if (language !== 'auto') return language
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
})

effect(() => {
  document.documentElement.lang = language.value
})

/** A text of the interface in the user's language. */
export function t(key: Text, params: Params = {}): string {
  return (CATALOGUES[language.value][key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(params[name] ?? whole))
}

const plurals = computed(() => new Intl.PluralRules(language.value))

type Plural = { [K in Text]: K extends `${infer Base}.other` ? Base : never }[Text]

/** A text with a number: `key.one` or `key.other`. */
export function tn(key: Plural, n: number, params: Params = {}): string {
  const one = `${key}.one`
  const form = plurals.value.select(n) === 'one' && one in CATALOGUES[language.value] ? one : `${key}.other`
  return t(form as Text, { ...params, n })
}

const isText = (key: string): key is Text => key in en

/** What happened, in words; failures without a text of their own are shown as the server describes them. */
export function failureText({ code, failure, text }: CallFailure): string {
  const key = `failure.${code === 'refused' ? failure : code}`
  return isText(key) ? t(key) : text
}

export function errorText(error: unknown): string {
  return error instanceof CallError ? failureText(error.failure) : String(error)
}

const formats = computed(() => ({
  time: new Intl.DateTimeFormat(language.value, { hour: '2-digit', minute: '2-digit' }),
  day: new Intl.DateTimeFormat(language.value, { weekday: 'short', month: 'short', day: 'numeric' }),
  date: new Intl.DateTimeFormat(language.value, { dateStyle: 'full' }),
  full: new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' }),
}))

export const timeOf = (ms: number) => formats.value.time.format(ms)
export const dateOf = (ms: number) => formats.value.date.format(ms)
export const fullTimeOf = (ms: number) => formats.value.full.format(ms)

const isToday = (ms: number) => new Date(ms).toDateString() === new Date().toDateString()

/** The time of today, otherwise the day. */
export const shortTimeOf = (ms: number) => (isToday(ms) ? timeOf(ms) : formats.value.day.format(ms))
