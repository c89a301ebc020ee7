import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { h, render } from 'preact'
import { describe, expect, test } from 'vitest'
import type { File, Transfer } from '../src/api/types'
import { wait } from '../src/lib/backoff'
import { held, unfit } from '../src/lib/code'
import { ago, bytes, duration, goalText, lasts, parseSize, percent, rate, sizeText } from '../src/lib/format'
import { merge } from '../src/lib/merge'
import { cells, count, decode, summary } from '../src/lib/pieces'
import { compare, eta, matcher } from '../src/lib/select'
import { Reader, type Message } from '../src/lib/sse'
import { links, shell, shown } from '../src/lib/text'
import { build, checked, flatten } from '../src/lib/tree'
import { useTyped } from '../src/ui/typed'

describe('format', () => {
  test.each([[0, '0 B'], [999, '999 B'], [1000, '1.00 kB'], [12_345, '12.3 kB'], [999_999, '1.00 MB'], [123_456_789, '123 MB'], [-1, '–'], [NaN, '–']])('%d bytes', (n, want) => expect(bytes(n)).toBe(want))
  test('nothing moving has no rate', () => expect([rate(0), rate(1500)]).toEqual(['', '1.50 kB/s']))
  test.each([[0, '1 s'], [59.5, '60 s'], [61, '2 min'], [3600, '1 h'], [5400, '1 h 30 min'], [259200, '3 days'], [Infinity, '–']])('%d seconds', (s, want) => expect(duration(s)).toBe(want))
  test('only what is complete has 100 percent', () => {
    expect(percent(9999, 10000)).toBe('99.9 %')
    expect(percent(10000, 10000)).toBe('100 %')
    expect(percent(0, 0)).toBe('0 %')
    expect(percent(555, 1000)).toBe('55 %')
  })
  test('ago', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    expect(ago('2026-11-22T11:59:50Z', now)).toBe('just now')
    expect(ago('2026-11-22T11:58:00Z', now)).toBe('2 minutes ago')
    expect(ago('2026-11-21T12:00:00Z', now)).toBe('24 hours ago')
    expect(ago(undefined, now)).toBe('–')
  })
  test.each([['500K', 500_000], ['1.5 MB', 1_500_000], ['1,5 MB/s', 1_500_000], ['2 MiB', 2_097_152], ['7', 7], ['', undefined], ['-1', undefined], ['5 xB', undefined], ['1e9', undefined]])('size %s', (text, want) => expect(parseSize(text)).toBe(want))
  test('what is written is read back', () => {
    for (const n of [500, 500_000, 2_000_000]) expect(parseSize(bytes(n))).toBe(n)
    for (const n of [1, 500_000, 1_048_576, 1_234_567, 1536, 12_345_678_901]) expect(parseSize(sizeText(n))).toBe(n)
    expect([0, 500_000, 1_048_576, 1_234_567].map(sizeText)).toEqual(['', '500 kB', '1 MiB', '1234567'])
  })
  test('what a player has is enough for a while', () => expect([lasts(0, 1000), lasts(5000, 1000), lasts(5000, 0)]).toEqual(['0 B', '5.00 kB, 5 s', '5.00 kB']))
  test('goals', () => {
    expect(goalText({})).toBe('Forever')
    expect(goalText({ none: true })).toBe('Do not seed')
    expect(goalText({ ratio: 2, for: 3600e9 })).toBe('Until the ratio is 2 or 1 h of seeding')
  })
})

describe('what a code holds', () => {
  const id = 'ab12'.repeat(10), key = 'ab12'.repeat(16)
  test.each([
    [`magnet:?xt=urn:btih:${id}&dn=a%20b`, 'content'],
    [` ${id}\n`, 'content'],
    [`magnet:?xs=urn:btpk:${key}`, 'channel'],
    ['https://example.org/a.torrent', 'address'],
    ['http://[::1]:8080/', 'address'],
    [`see magnet:?xt=urn:btih:${id}`, 'other'],
    [`${id} ${id.replaceAll('a', 'c')}`, 'other'],
    ['javascript:alert(1)', 'other'],
    ['WIFI:S:home;P:secret;;', 'other'],
    ['', 'other'],
  ])('%s', (text, kind) => expect(held(text).kind).toBe(kind))
  test('is told without what would hide in it', () => {
    expect(unfit(held('<b>\u202eevil'))).toBe('The QR code is not a link to a share or a channel. It contains this text: “<b>\ufffdevil”')
    expect(unfit(held('x'.repeat(3000))).length).toBeLessThan(500)
    expect(unfit(held(' '))).toBe('The QR code is empty')
  })
})

describe('text', () => {
  test('what turns or hides text is seen', () => {
    expect(shown('a\u202egpj.exe')).toBe('a\ufffdgpj.exe')
    expect(shown('\u0000\n\u200f\u2066')).toBe('\ufffd\ufffd\ufffd\ufffd')
    expect(shown('Grüße 日本 🐟')).toBe('Grüße 日本 🐟')
  })
  test.each(['👨‍👩‍👧‍👦', 'می‌خواهم', 'क्‍ष', 'ภาษา​ไทย'])('%s is written with joiners', (name) => expect(shown(name)).toBe(name))
  test('a long name is not cut within a letter', () => {
    const family = '👨‍👩‍👧‍👦'
    for (let i = 0; i < 12; i++) {
      const cut = shown('x'.repeat(i) + family.repeat(100))
      expect(cut.replaceAll(family, '').replaceAll('x', '')).toBe(' … ')
    }
  })
  test('a long name is cut in the middle', () => {
    const s = shown('a'.repeat(10_000) + '.iso')
    expect(s.length).toBeLessThan(400)
    expect(s.endsWith('.iso')).toBe(true)
    expect(shown('a'.repeat(1000) + '.iso', 80).length).toBeLessThan(80)
  })
  test('shell words', () => {
    expect(shell('plain-1.0')).toBe('plain-1.0')
    expect(shell("it's & $x")).toBe(`'it'\\''s & $x'`)
  })
  test('links among other words', () => {
    const id = 'a'.repeat(40)
    expect(links(`see magnet:?xt=urn:btih:${id}&dn=x and\n${id} ${id} https://example.org/a.torrent ftp://no`))
      .toEqual([`magnet:?xt=urn:btih:${id}&dn=x`, id, 'https://example.org/a.torrent'])
    expect(links('nothing here')).toEqual([])
  })
})

describe('merge patch', () => {
  // The cases of RFC 7396, appendix A, that apply to objects.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }], [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }], [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }], [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }], [{ e: null }, { a: 1 }, { e: null, a: 1 }], [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j + %j', (doc, patch, want) => expect(merge(doc, patch)).toEqual(want))
  test('the old value stays as it is', () => {
    const old = { a: { b: 1 } }
    merge(old, { a: { b: 2 } })
    expect(old).toEqual({ a: { b: 1 } })
  })
  test('no prototype is set', () => {
    const out = merge({}, JSON.parse('{"__proto__":{"x":1}}')) as Record<string, unknown>
    expect(out.x).toBeUndefined()
    expect(Object.getPrototypeOf(out)).toBe(Object.prototype)
  })
})

describe('event stream', () => {
  const stream = 'event: reset\nid: b-1\ndata: {"a":1}\n\n:\n\nevent: patch\r\nid: b-2\r\ndata: x\r\ndata: y\r\n\r\ndata: z\n\nevent: nothing\n\n'
  const want: Message[] = [
    { event: 'reset', id: 'b-1', data: '{"a":1}' }, { event: 'patch', id: 'b-2', data: 'x\ny' }, { event: 'message', id: 'b-2', data: 'z' },
  ]
  test.each([1, 2, 3, 7, 1000])('in pieces of %d', (size) => {
    const got: Message[] = []
    const r = new Reader((m) => got.push(m))
    for (let i = 0; i < stream.length; i += size) r.push(stream.slice(i, i + size))
    expect(got).toEqual(want)
  })
})

test('waits grow to half a minute and never vanish', () => {
  for (let n = 0; n < 20; n++) {
    expect(wait(n, 0)).toBeGreaterThanOrEqual(250)
    expect(wait(n, 1)).toBeLessThanOrEqual(30_000)
  }
  expect(wait(3, 0.5)).toBeGreaterThan(wait(1, 0.5))
})

describe('tree', () => {
  const file = (index: number, path: string, total = 10): File => ({ index, path, bytes: 5, total, priority: 0 })
  const root = build([file(0, 'b/2.txt'), file(1, 'b/10.txt'), file(2, 'a.txt'), file(3, 'b/c/x')])
  test('folders first, numbers as numbers, sums', () => {
    expect(flatten(root, new Set(['b/', 'b/c/'])).map((n) => n.name)).toEqual(['b', 'c', 'x', '2.txt', '10.txt', 'a.txt'])
    expect(root.children[0]).toMatchObject({ total: 30, bytes: 15, indexes: [0, 1, 3] })
    expect(flatten(root, new Set()).length).toBe(2)
  })
  test('three states', () => {
    const b = root.children[0]!
    expect([checked(b, () => true), checked(b, () => false), checked(b, (i) => i === 0)]).toEqual(['all', 'none', 'some'])
  })
})

describe('pieces', () => {
  test('decode and count', () => expect(count(decode(btoa('\x00\x01\x03\x03\x04')))).toEqual([1, 1, 0, 2, 1]))
  test('in words', () => expect(summary(new Uint8Array([3, 3, 0, 1]))).toBe('2 of 4 pieces complete, 1 in progress, 1 missing'))
  test('a group is complete only when all of it is', () => {
    expect(cells(new Uint8Array([3, 3, 3, 0]), 2)).toEqual([{ state: 3, done: 1 }, { state: 1, done: 0.5 }])
    expect(cells(new Uint8Array([4, 4, 3, 4]), 2)).toEqual([{ state: 4, done: 0 }, { state: 3, done: 1 }])
    expect(cells(new Uint8Array(2_000_000), 5000).length).toBeLessThanOrEqual(5000)
  })
})

describe('select', () => {
  const t = (id: string, more: Partial<Transfer>): Transfer => ({
    id, name: id, state: 'fetching', bytes: 0, total: 0, size: 0, files: 1, down: 0, up: 0, downloaded: 0, uploaded: 0,
    peers: 0, seeds: 0, path: '', own: false, link: '', added: '2026-01-01T00:00:00Z', limits: { down: 0, up: 0 }, goal: {}, ...more,
  })
  const ids = (ts: Transfer[]): string => ts.map((x) => x.id).join('')
  const all = [t('a', { name: 'file 10', down: 5, added: '2026-01-03T00:00:00Z' }), t('b', { name: 'File 9', down: 7 }), t('c', { name: 'élan', down: 5, added: '2026-01-02T00:00:00Z' })]
  test('orders', () => {
    expect(ids([...all].sort(compare('name', false)))).toBe('cba')
    expect(ids([...all].sort(compare('down', true)))).toBe('bac')
    expect(ids([...all].sort(compare('added', true)))).toBe('acb')
    expect(ids([...all].sort(compare('added', false)))).toBe('bca')
    for (const key of ['nope', 'constructor', '']) expect(ids([...all].sort(compare(key as 'name', true)))).toBe('acb')
  })
  test('finds without case and accents, and by ID', () => {
    expect(ids(all.filter(matcher('FILE')))).toBe('ab')
    expect(ids(all.filter(matcher('elan')))).toBe('c')
    expect(ids(all.filter(matcher('9 file')))).toBe('b')
    expect(ids(all.filter(matcher('c')))).toBe('c')
  })
  test('time left', () => {
    expect(eta(t('a', { total: 100, bytes: 50, down: 10 }))).toBe(5)
    expect(eta(t('a', { total: 100 }))).toBe(Infinity)
  })
})

describe('a click on a notification', () => {
  interface Page { focused: boolean; told: unknown[]; focus(): void; postMessage(m: unknown): void }
  const page = (focused: boolean): Page => {
    const p: Page = { focused, told: [], focus: () => p.told.push('focus'), postMessage: (m) => p.told.push(m) }
    return p
  }
  // The service worker with pages of a browser that has none.
  const click = async (pages: Page[]): Promise<unknown[]> => {
    const opened: unknown[] = []
    const handlers: Record<string, (e: unknown) => void> = {}
    const clients = { matchAll: () => Promise.resolve(pages), openWindow: (path: string) => opened.push(path) }
    runInNewContext(readFileSync(new URL('../public/sw.js', import.meta.url), 'utf8'), { addEventListener: (name: string, f: (e: unknown) => void) => { handlers[name] = f }, clients, location: { origin: 'http://x' } })
    let done: unknown
    handlers.notificationclick!({ notification: { data: '/t/1', close: () => opened.push('closed') }, waitUntil: (p: unknown) => { done = p } })
    await done
    return opened
  }
  test('goes to the page that is open', async () => {
    const [behind, front] = [page(false), page(true)]
    expect(await click([behind, front])).toEqual(['closed'])
    expect([behind.told, front.told]).toEqual([[], [{ show: '/t/1' }, 'focus']])
  })
  test('opens a page where none is', async () => expect(await click([])).toEqual(['closed', '/t/1']))
})

describe('what is typed over a value of the node', () => {
  test('is shown until it is saved or taken back, whatever comes meanwhile', async () => {
    let seed = 11
    const random = (n: number): number => ((seed = (seed * 1103515245 + 12345) % 2147483648) >> 8) % n
    const texts = ['a', 'b', 'A', '']
    for (let round = 0; round < 100; round++) {
      let kept = 'a'
      let field!: ReturnType<typeof useTyped>
      const root = { childNodes: [], firstChild: null, nodeType: 1 } as unknown as Parameters<typeof render>[1]
      const Shown = ({ kept }: { kept: string }): null => { field = useTyped(kept); return null }
      const draw = (): void => render(h(Shown, { kept }), root)
      draw()
      let last: string | undefined // what must be shown, if not what is kept
      const keep = (text: string): void => {
        if (text !== kept && text === last) last = undefined
        kept = text
        draw()
      }
      const saving: (() => void)[] = []
      const history: string[] = []
      for (let i = 0; i < 12; i++) {
        const text = texts[random(texts.length)]!
        const does = random(6)
        history.push(`${does}${text}`)
        if (does < 2) {
          last = text
          field.set(text)
        } else if (does === 2) {
          last = undefined
          field.cancel()
        } else if (does === 3) {
          const sent = field.text
          let done!: (is: boolean) => void
          field.sent(new Promise((d) => { done = d }))
          const ok = random(3) > 0
          saving.push(() => {
            // The node writes it in its own way, and then the page knows.
            if (ok) keep(sent.toLowerCase())
            if (ok && last === sent) last = undefined
            done(ok)
          })
        } else if (does === 4) saving.splice(random(saving.length), 1)[0]?.()
        else keep(text)
        await new Promise((drawn) => { setImmediate(drawn) })
        expect(field.text, history.join(' ')).toBe(last ?? kept)
      }
    }
  })
})
