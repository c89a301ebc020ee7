// The catalogues: complete, with the same names in each language, and nothing that is not used.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { language } from '../src/state/prefs'
import { chosen, languages, say, sayParts, speak, told } from '../src/words'

type Message = string | Record<string, string>
const folder = new URL('../src/', import.meta.url)
const read = (code: string): Record<string, Message> => JSON.parse(readFileSync(new URL(`words/${code}.json`, folder), 'utf8'))
const en = read('en')
const texts = (m: Message): string[] => (typeof m === 'string' ? [m] : Object.values(m))
const names = (s: string): string[] => [...new Set([...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!))].sort()
const all = (m: Message): string[] => [...new Set(texts(m).flatMap(names))].sort()

test.each(languages)('%s has every message, with its names and plurals', (code) => {
  const words = read(code)
  expect(Object.keys(words)).toEqual(Object.keys(en))
  expect(Object.keys(words)).toEqual(Object.keys(words).sort())
  const categories = new Intl.PluralRules(code).resolvedOptions().pluralCategories
  for (const [key, m] of Object.entries(words)) {
    expect([key, typeof m]).toEqual([key, typeof en[key]])
    expect([key, all(m)]).toEqual([key, all(en[key]!)])
    if (typeof m === 'object') expect([key, Object.keys(m).sort()]).toEqual([key, [...categories].sort()])
    for (const text of texts(m)) expect([key, text.trim()]).toEqual([key, text])
  }
})

test('every message is used', () => {
  const source = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name)).map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n')
  // A key is written out, or its beginning is in a template: `state.${x}`.
  const used = (key: string): boolean => source.includes(`'${key}'`) || [...key.matchAll(/\./g)].some((dot) => source.includes('`' + key.slice(0, dot.index + 1) + '${'))
  expect(Object.keys(en).filter((key) => !used(key))).toEqual([])
})

test('the reader chooses', () => {
  expect(chosen(['de-AT', 'en'], ['de', 'en'])).toBe('de')
  expect(chosen(['fr', 'EN-gb', 'de'], ['de', 'en'])).toBe('en')
  expect(chosen([], ['de', 'en'])).toBe('en')
  expect(languages).toContain('de')
})

test('names are filled in', () => {
  expect(say('shell.lost', { why: 'a {n} $& b' })).toBe('a {n} $& b. The page may be out of date.')
  expect(say('shell.retry', { n: 1234 })).toBe('Trying again in 1,234 s')
  expect(sayParts('shell.retry', { n: 7 }).join('')).toBe('Trying again in 7 s')
})

// A Go test sees to it that what the node says is in it.
test.each(languages.filter((l) => l !== 'en'))('%s has a catalogue of what the node says', (code) => {
  const words = read(`node/node-${code}`) as Record<string, string>
  expect(Object.keys(words).length).toBeGreaterThan(200)
  for (const [pattern, text] of Object.entries(words)) expect([pattern, text.trim()]).toEqual([pattern, text])
})

test('what the node says is said in the language of the page', async () => {
  vi.stubGlobal('document', { documentElement: {} })
  const disk = { pattern: 'no space left on device' }
  const wrote = { pattern: '{0}; next try in {1}', args: [{ pattern: '{0} {1}: {2}', args: ['write', '/srv/{1}', disk] }, '40 s'] }
  const few = { pattern: '{0} peers known, none connected yet', args: [51413] }
  try {
    expect(told('2 peers known', few)).toBe('2 peers known') // English is as the node gave it
    language.value = 'de'
    await speak()
    expect(told('', wrote)).toBe('/srv/{1}: der Datenträger ist voll; nächster Versuch in 40 s')
    expect(told('', few)).toBe('51413 Peers bekannt, noch keiner verbunden')
    // What nobody has translated, and what an older node sends, stays as it is.
    expect(told('as it was', { pattern: 'newer than this page: {0}', args: ['x'] })).toBe('as it was')
    expect(told('older', undefined)).toBe('older')
    expect(told(undefined)).toBe('')
    expect(told('', { pattern: '{0}; next try in {1}', args: [{ pattern: 'something {0}', args: ['new'] }, '5 s'] })).toBe('something new; nächster Versuch in 5 s')
  } finally {
    language.value = 'en'
    await speak()
    vi.unstubAllGlobals()
  }
})
