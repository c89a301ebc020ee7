// What the page says, in the reader's language.
//
// A language is one file here, NAME.json, with the keys of en.json: adding the
// file adds the language.
import { computed, signal } from '@preact/signals'
import type { ComponentChild } from 'preact'
import { language } from '../state/prefs'
import en from './en.json'

// A message is a text with {names}, or one text for each plural category of {n}.
type Message = string | Partial<Record<Intl.LDMLPluralRule, string>>
type Catalogue = Record<string, Message>
export type Key = keyof typeof en

const files = import.meta.glob<{ default: Catalogue }>(['./*.json', '!./en.json'])
const codeOf = (path: string): string => path.slice('./'.length, -'.json'.length)

/** languages are the codes of all languages that the page can speak. */
export const languages: readonly string[] = ['en', ...Object.keys(files).map(codeOf)].sort()

const base = (tag: string): string => tag.toLowerCase().split('-')[0]!

/** chosen is the code of the first language of a reader that is to be had; English if none is. */
export const chosen = (readers: readonly string[], has = languages): string => readers.map(base).find((l) => has.includes(l)) ?? 'en'

// What the node says in English is translated by its pattern: node/node-NAME.json has those of a language.
const nodeFiles = import.meta.glob<{ default: Record<string, string> }>('./node/*.json')

const current = signal<{ code: string; words: Catalogue; node: Record<string, string> }>({ code: 'en', words: en, node: {} })

/** locale is what Intl is given: the reader's own variant of the language that the page speaks. */
export const locale = computed(() => {
  const { code } = current.value
  return (typeof navigator === 'undefined' ? [] : navigator.languages).find((tag) => base(tag) === code) ?? code
})

const plurals = computed(() => new Intl.PluralRules(locale.value))
// Making a formatter is slow, and a list needs thousands of figures.
const numbers = computed(() => {
  const made = new Map<number | undefined, Intl.NumberFormat>()
  return (digits: number | undefined): Intl.NumberFormat => {
    let f = made.get(digits)
    if (!f) made.set(digits, f = new Intl.NumberFormat(locale.value, digits === undefined ? {} : { minimumFractionDigits: digits, maximumFractionDigits: digits }))
    return f
  }
})
const times = computed(() => new Intl.RelativeTimeFormat(locale.value))
const dates = computed(() => new Intl.DateTimeFormat(locale.value, { year: 'numeric', month: 'short', day: 'numeric' }))

/** speak loads the language that is set, or that of the browser. If it cannot be loaded the page keeps the one it has. */
export async function speak(): Promise<void> {
  const code = chosen(language.value === 'system' ? navigator.languages : [language.value])
  const load = files[`./${code}.json`]
  try {
    const [words, node] = await Promise.all([load?.(), nodeFiles[`./node/node-${code}.json`]?.()])
    current.value = { code, words: { ...en, ...words?.default }, node: node?.default ?? {} }
  } catch {
    // The node is not there or is another version: the stream says so.
  }
  document.documentElement.lang = current.value.code
}

function find(key: Key, n: unknown): string {
  const m = current.value.words[key]
  if (m === undefined || typeof m === 'string') return m ?? key
  return (typeof n === 'number' && m[plurals.value.select(n)]) || m.other || key
}

/** number writes a number as in the reader's language, with that many digits after the point if given. */
export const number = (n: number, digits?: number): string => numbers.value(digits).format(n)

/** relative writes a time relative to now: -2 minutes is "2 minutes ago". */
export const relative = (n: number, unit: Intl.RelativeTimeFormatUnit): string => times.value.format(n, unit)

/** date writes the day of a time in milliseconds. */
export const date = (t: number): string => dates.value.format(t)

const written = (value: string | number): string => (typeof value === 'number' ? number(value) : value)

/** say is a message with its names filled in. Numbers are written as in the reader's language. It is called while rendering, so that a change of language is seen. */
export function say(key: Key, values: Record<string, string | number> = {}): string {
  return find(key, values.n).replace(/\{(\w+)\}/g, (name, id: string) => (id in values ? written(values[id]!) : name))
}

/** sayParts is say with elements among the values, as children for an element. */
export function sayParts(key: Key, values: Record<string, ComponentChild>): ComponentChild[] {
  return find(key, values.n).split(/\{(\w+)\}/).map((part, i) => {
    if (i % 2 === 0) return part
    const value = values[part]
    return typeof value === 'number' ? written(value) : value
  })
}

/** Text is a sentence of the node: its English pattern, and what is filled in for {0}, {1} and so on. */
export interface Text { pattern: string; args?: readonly unknown[] | null }

const isText = (a: unknown): a is Text => typeof a === 'object' && a !== null && 'pattern' in a
const fill = (pattern: string, t: Text, inner: (t: Text) => string): string => pattern.replace(/\{(\d+)\}/g, (name, i: string) => {
  const a = t.args?.[Number(i)]
  return a === undefined ? name : isText(a) ? inner(a) : String(a)
})
const inEnglish = (t: Text): string => fill(t.pattern, t, inEnglish)
// A pattern without words needs no translation.
const wordless = (pattern: string): boolean => !/\p{L}/u.test(pattern)

function translated(t: Text): string | undefined {
  const pattern = current.value.node[t.pattern] ?? (wordless(t.pattern) ? t.pattern : undefined)
  return pattern === undefined ? undefined : fill(pattern, t, (a) => translated(a) ?? inEnglish(a))
}

/** told is what the node says in the reader's language, as far as it is known in that: else in English, as given. */
export const told = (english: string | undefined, text?: Text): string => (text && translated(text)) ?? english ?? ''

/** within is a label as part of a sentence: without its capital, unless the language writes nouns with one. */
export const within = (label: string): string => (current.value.code === 'de' ? label : label.charAt(0).toLowerCase() + label.slice(1))
