// The list of transfers: its figures, its columns, its keys and menus, the details beside
// it, and the one stream that the tabs of a browser share.
import { createServer, type Server, type ServerResponse } from 'node:http'
import { readFileSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { shortcuts } from '../src/lib/keys'
import type { Transfer } from '../src/api/types'
import { content, harmless, launch, looked, missing, publish, stage, twice, until, violations, visit, whole, type Stage } from './lab'

const lacks = missing()
const dist = resolve(import.meta.dirname, '../../dist')
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
const id = (i: number): string => i.toString(16).padStart(40, '0')

// Figures of every length, in all states.
function row(i: number): object {
  const state = ['fetching', 'seeding', 'paused', 'waiting', 'error', 'finding', 'queued', 'checking'][i % 8]!
  const n = [1, 27, 888, 8_888, 88_888, 888_888, 8_888_888, 88_888_888, 888_888_888, 8_888_888_888][i % 10]!
  return {
    id: id(i), name: `Transfer ${i} with a long name that says what is in it, at length`, state, total: n * 1000, size: n * 1000, bytes: Math.floor(n * (i % 11) * 90), files: 3,
    down: state === 'fetching' ? n : 0, up: n, downloaded: n * 999, uploaded: n * 88_888, peers: i * 37, seeds: i * 9, availability: i * 3.37, priority: (i % 3) - 1,
    reason: state === 'finding' ? 'no peers reachable, next try in 40 s' : state === 'waiting' ? 'waits until the disk has 2.5 GiB free' : undefined,
    path: `/srv/downloads/a long folder/Transfer ${i}`, own: false, link: `magnet:?xt=urn:btih:${id(i)}`,
    added: new Date(Date.now() - [5, 90, 27 * 60, 89 * 60, 20 * 3600, 30 * 86400, 400 * 86400][i % 7]! * 1000).toISOString(), limits: { down: 0, up: 0 }, goal: {},
  }
}
const every = 'progress size down up eta peers seeds availability ratio downloaded uploaded priority added channel path'.split(' ')

/** clipped lists the figures that are not wholly within their cells. */
const clipped = (p: Page): Promise<string[]> => p.evaluate(() => {
  const bad: string[] = []
  const head = document.querySelectorAll('.grid-head [role=columnheader]:not(.pick, .start, .h-name) button')
  for (const cell of [...document.querySelectorAll('.grid-body [role=gridcell]:not(.pick, .c-name, .start), .compact'), ...head]) {
    const box = cell.getBoundingClientRect()
    const range = document.createRange()
    range.selectNodeContents(cell)
    for (const r of range.getClientRects()) {
      if (r.left < box.left - 0.5 || r.right > box.right + 0.5) bad.push(`${cell.className || cell.parentElement!.className}: ${cell.textContent}`)
    }
  }
  return [...new Set(bad)]
})

describe.skipIf(lacks)('with figures of every length', { timeout: 120_000 }, () => {
  let server: Server, browser: Browser, base: string
  let links = 0 // answers of /web-links
  const streams = new Set<ServerResponse>()
  const address = { address: '2001:db8::1', port: 1, published: true, kind: 'stable', scope: 'global', tcp: 'reachable', udp: 'reachable', evidence: '', interface: 'eth0' }
  const web = { certificate: { state: 'issued', addresses: [] }, doors: [{ address: address.address, port: 443, tcp: 'reachable', evidence: '', time: new Date().toISOString() }] }
  const network = { answer: '', next: '', verdict: 'reachable', addresses: [address], web, pinholes: [], gateways: [], seen: [] }
  const tell = (patch: object): void => streams.forEach((s) => s.write(`event: patch\ndata: ${JSON.stringify(patch)}\n\n`))
  beforeAll(async () => {
    const all = JSON.stringify({ transfers: Object.fromEntries(Array.from({ length: 80 }, (_, i) => [id(i), row(i)])), stats: { down: 1_200_000, up: 2000, free: 1e12, states: {}, limits: {} }, network })
    server = createServer((req, res) => {
      const path = new URL(req.url!, 'http://x').pathname
      if (path === '/api/v1/events') {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' })
        res.write(`event: reset\nid: boot-1\ndata: ${all}\n\n`)
        if (req.url!.includes('node')) res.write(`event: node\ndata: ${JSON.stringify({ info: { version: '', listen: [] }, health: { problems: [] } })}\n\n`)
        streams.add(res)
        res.on('close', () => streams.delete(res))
      } else if (path === '/api/v1/openapi.json') {
        res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ paths: { '/api/v1/transfers/{id}/web-links': { post: {} } } }))
      } else if (path === '/api/v1/web-links') {
        links++
        res.writeHead(200, { 'Content-Type': 'application/json' }).end('[]')
      } else if (path.startsWith('/api/')) res.writeHead(404, { 'Content-Type': 'application/json' }).end('{}')
      else {
        const name = extname(path) ? path : '/index.html'
        res.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'text/plain', 'Content-Encoding': 'gzip' }).end(gzipSync(readFileSync(dist + name)))
      }
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
    browser = await launch()
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
  })

  for (const font of ['', 'DejaVu Serif']) {
    for (const width of [1024, 1280, 1680]) {
      test(`no figure is clipped at ${width} px in ${font || 'the usual font'}`, async () => {
        for (const [columns, dense, locale] of [[null, false, 'en'], [every, true, 'de']] as const) {
          const c = await browser.newContext({ viewport: { width, height: 820 }, locale })
          const p = await c.newPage()
          await p.addInitScript(({ font, columns, dense }) => {
            localStorage.setItem('shoal.columns', JSON.stringify(columns))
            localStorage.setItem('shoal.dense', JSON.stringify(dense))
            if (font) document.addEventListener('DOMContentLoaded', () => { document.body.style.fontFamily = font })
          }, { font, columns, dense })
          await p.goto(base + '/')
          await p.locator('.grid-body [role=row]').first().waitFor()
          for (const top of [0, 900, 1800, 2700, 99_999]) {
            await p.locator('.grid').evaluate((g, y) => g.scrollTo(0, y), top)
            await p.waitForFunction(() => document.querySelectorAll('.grid-body [role=row]').length > 10)
            expect(await clipped(p)).toEqual([])
          }
          const shown = await p.locator('.grid-head [role=columnheader]').count()
          expect(shown).toBe(columns ? every.length + 2 : shown)
          if (!columns) {
            expect(shown).toBeGreaterThan(4)
            // The usual columns never make the list scroll sideways, and the reasons are read whole.
            expect(await p.locator('.grid').evaluate((g) => g.scrollWidth <= g.clientWidth)).toBe(true)
            await p.locator('.grid').evaluate((g) => g.scrollTo(0, 0))
            expect(await p.locator('.c-name .reason').evaluateAll((all) => all.filter((r) => r.scrollWidth > r.clientWidth + 1).map((r) => r.textContent))).toEqual([])
          } else await until('rows of 32 px', async () => (await p.locator('.grid-body [role=row]').first().evaluate((r) => r.getBoundingClientRect().height)) === 32)
          expect(await p.title()).toMatch(/^↓ 1[.,]20 MB\/s ↑ 2[.,]00 kB\/s · /)
          if (process.env.SHOTS) await p.screenshot({ path: join(process.env.SHOTS, `figures-${width}-${font || 'usual'}-${locale}.png`) })
          await c.close()
        }
      })
    }
  }

  // The title of the page changes with the last of the patches: then all have been taken.
  test.each([[`/t/${id(1)}`, '.weblinks'], ['/network', '.table-box']])('web links are asked again when addresses change, not when peers call: %s', async (path, card) => {
    const start = links
    const p = await (await browser.newContext()).newPage()
    await p.goto(base + path)
    await p.locator(card).waitFor()
    let up = 10_000
    const after = async (patch: object): Promise<void> => {
      up += 10_000
      tell(patch)
      tell({ stats: { up } })
      await p.waitForFunction((up) => document.title.includes(`↑ ${up / 1000}`), up)
      await p.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))))
    }
    await until('the links', () => Promise.resolve(links > start))
    await after({})
    const before = links
    const now = new Date().toISOString()
    await after({ network: { addresses: [{ ...address, time: now, evidence: 'a peer called' }], dht: { nodes: 7, answering: 5 }, web: { ...web, doors: [{ ...web.doors[0], time: now, evidence: 'a browser called' }] } } })
    expect(links).toBe(before)
    await after({ network: { addresses: [{ ...address, address: '2001:db8::2' }] } })
    await until('the links at the new address', () => Promise.resolve(links > before))
    await after({})
    expect(links).toBe(before + 1)
    await p.context().close()
  })

  test.each([[1680, 1050], [1280, 820], [360, 740]])('with text of twice the size nothing is clipped at %i x %i', async (width, height) => {
    const b = await launch(undefined, twice)
    try {
      const p = await (await b.newContext({ viewport: { width, height }, locale: 'de', reducedMotion: 'reduce' })).newPage()
      await p.addInitScript(() => localStorage.setItem('shoal.dense', JSON.stringify(true)))
      await p.goto(base + '/')
      const first = p.locator('.grid-body [role=row]').first()
      await first.waitFor()
      const high = await first.evaluate((r) => r.getBoundingClientRect().height)
      expect(high).toBe(width === 1680 ? 64 : width === 1280 ? 120 : 184)
      for (const top of [0, 20 * high, 99_999]) {
        await p.locator('.grid').evaluate((g, y) => g.scrollTo(0, y), top)
        await until('the rows', () => p.evaluate(() => {
          const g = document.querySelector('.grid')!.getBoundingClientRect()
          return [...document.querySelectorAll('.grid-body [role=row]')].some((r) => r.getBoundingClientRect().bottom >= g.bottom - 1)
        }))
        expect(await clipped(p)).toEqual([])
      }
      // Each row is drawn where it belongs, and none covers the next.
      expect(await p.evaluate((high) => [...document.querySelectorAll<HTMLElement>('.grid-body [role=row]')].filter((r) =>
        Math.abs((r.getBoundingClientRect().top - r.parentElement!.getBoundingClientRect().top) - (Number(r.ariaRowIndex) - 2) * high) > 1 || r.scrollHeight > r.clientHeight + 1).map((r) => r.textContent), high)).toEqual([])
      await harmless(p, `${width}`)
      for (const colorScheme of ['light', 'dark'] as const) {
        await p.emulateMedia({ colorScheme })
        expect(await violations(p), colorScheme).toEqual([])
        if (process.env.SHOTS) await p.screenshot({ path: join(process.env.SHOTS, `twice-${width}-${colorScheme}.png`) })
      }
    } finally {
      await b.close()
    }
  })
})

describe.skipIf(lacks)('the list', { timeout: 90_000 }, () => {
  let { browser, near, far, page, open, context } = {} as Stage
  stage((s) => { ({ browser, near, far, page, open, context } = s) })
  const rowOf = (name: string) => page.locator('.grid-body [role=row]', { hasText: name })
  const add = async (...names: string[]): Promise<void> => {
    for (const n of names) await near.api('POST', '/transfers', { link: `magnet:?xt=urn:btih:${n.repeat(40)}&dn=number ${n}` })
  }
  const states = async (): Promise<string[]> => (await near.api<Transfer[]>('GET', '/transfers')).map((t) => t.state)
  const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || '')

  test('one request acts on all that are selected', async () => {
    await add('1', '2', '3')
    await open('/?sort=name.asc')
    await rowOf('number 3').waitFor()
    const sent: string[] = []
    page.on('request', (r) => { if (r.method() !== 'GET') sent.push(`${r.method()} ${new URL(r.url()).pathname}`) })
    await page.keyboard.press('Control+a')
    await page.getByRole('button', { name: 'Pause' }).click()
    await until('all to be paused', async () => (await states()).every((s) => s === 'paused'))
    await page.getByRole('button', { name: 'More actions' }).click()
    expect(await violations(page)).toEqual([])
    await page.getByRole('menuitem', { name: 'Limits' }).click()
    await page.getByLabel('Upload per second').fill('500 kB')
    await page.keyboard.press('Enter')
    await until('the limits', async () => (await near.api<Transfer[]>('GET', '/transfers')).every((t) => t.limits.up === 500_000))
    await rowOf('number 2').click({ button: 'right' })
    await page.getByRole('menuitemradio', { name: 'High' }).click()
    await until('the priority', async () => (await near.api<Transfer[]>('GET', '/transfers')).every((t) => t.priority === 1))
    await page.keyboard.press('Escape')
    await page.keyboard.press('m')
    await page.getByRole('menuitem', { name: 'Copy 3 links' }).click()
    await until('three links', async () => (await page.evaluate(() => navigator.clipboard.readText())).split('\n').length === 3)
    await page.keyboard.press('m')
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Save links' }).click()])
    expect(readFileSync(await saved.path(), 'utf8')).toContain('2'.repeat(40))
    await page.keyboard.press('Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await page.close({ runBeforeUnload: true })
    await until('them to be gone', async () => (await states()).length === 0)
    expect(sent.filter((s) => s !== 'POST /api/v1/transfers/bulk')).toEqual([])
    expect(sent.length).toBeLessThan(6)
  })

  test('the focus goes into what opens, and back', async () => {
    await add('1', '2')
    await open('/?sort=name.asc')
    await rowOf('number 2').waitFor()
    await page.keyboard.press('j')
    const name = await focused()
    await page.keyboard.press('m')
    await page.getByRole('menu').waitFor()
    expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('menuitem')
    await page.keyboard.press('Escape')
    expect(await focused()).toBe(name)
    await page.keyboard.press('?')
    await page.getByRole('dialog').waitFor()
    expect(await page.evaluate(() => !!document.activeElement?.closest('dialog'))).toBe(true)
    // The help is the table that the handlers use.
    expect(await page.locator('.keys dd').count()).toBe(Object.keys(shortcuts).length)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await until('the focus to be back', async () => (await focused()) === name)
    await page.keyboard.press('Enter')
    await page.locator('.progress-line').waitFor()
    await until('the heading to have the focus', async () => (await focused()) === 'number 1')
    expect(new URL(page.url()).search).toBe('?sort=name.asc')
    await page.keyboard.press('Escape')
    await rowOf('number 2').waitFor()
    await until('the focus', async () => (await focused()) === name)
    // The grips are one stop.
    expect(await page.locator('.grip[tabindex="0"]').count()).toBe(1)
    await page.locator('.grip[tabindex="0"]').focus()
    await page.keyboard.press('ArrowDown')
    const at = page.locator('#grip-progress')
    await until('the next grip', async () => (await focused()) === 'grip-progress')
    const before = Number(await at.getAttribute('aria-valuenow'))
    await page.keyboard.press('ArrowRight')
    await until('it to be wider', async () => Number(await at.getAttribute('aria-valuenow')) > before)
    expect(await page.locator('.grip[tabindex="0"]').count()).toBe(1)
  })

  test('letters typed into a form are no shortcuts', async () => {
    await add('1')
    for (const path of ['/share', '/settings', '/find', `/t/${'1'.repeat(40)}/peers`, '/']) {
      await open(path)
      await until('the content', async () => (await page.locator('.working').count()) === 0)
      for (const field of await page.locator('main input:visible, main select:visible, main textarea:visible').all()) {
        if (!(await field.isVisible()) || await field.evaluate((f) => !!f.closest('.grid') || (f as HTMLInputElement).type === 'file' || (f as HTMLInputElement).disabled)) continue
        await field.focus()
        for (const k of ['a', 's', 'p', 'j', 'm', '?']) await page.keyboard.press(k)
        expect(await page.locator('dialog[open], [role=menu]').count(), path).toBe(0)
        expect(new URL(page.url()).pathname, path).toBe(path)
      }
    }
    expect(await states()).not.toContain('paused')
  })

  test('a key that is pressed as the list goes away does nothing', async () => {
    await add('1')
    await open('/')
    await rowOf('number 1').waitFor()
    const field = page.locator('main input[type=search]').first()
    const pressed = page.evaluate(() => new Promise<boolean>((done) => {
      new MutationObserver((_, self) => {
        if (document.querySelector('.grid')) return
        self.disconnect()
        // Before the next frame, after which effects have ended.
        done(document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true, cancelable: true })))
      }).observe(document.body, { childList: true, subtree: true })
    }))
    await field.fill('nothing is called so')
    expect(await pressed).toBe(true) // nobody took it
  })

  test('details open beside the list where there is room', async () => {
    await add('1', '2')
    await page.setViewportSize({ width: 1500, height: 860 })
    await open('/?sort=name.asc')
    await rowOf('number 1').click()
    await page.locator('.side').getByRole('heading', { name: 'number 1' }).waitFor()
    await rowOf('number 2').waitFor()
    expect(await violations(page)).toEqual([])
    await harmless(page, 'beside')
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, 'side.png') })
    await rowOf('number 2').click()
    await page.locator('.side').getByRole('heading', { name: 'number 2' }).waitFor()
    await page.locator('.side').getByRole('tab', { name: 'Peers' }).click()
    expect(new URL(page.url()).pathname).toBe(`/t/${'2'.repeat(40)}/peers`)
    await page.setViewportSize({ width: 1100, height: 860 })
    await rowOf('number 1').waitFor({ state: 'detached' })
    await page.setViewportSize({ width: 1500, height: 860 })
    await page.getByRole('button', { name: 'Close the details' }).click()
    await page.locator('.side').waitFor({ state: 'detached' })
    await until('the focus', async () => (await focused()) === `row-${'2'.repeat(40)}`)
  })

  test('columns are chosen, and phones sort', async () => {
    await add('1', '2')
    await open('/')
    await page.getByRole('button', { name: 'View' }).click()
    await page.getByRole('menuitemcheckbox', { name: 'Compact rows' }).click()
    await page.getByRole('menuitemcheckbox', { name: 'Path' }).click()
    expect(await violations(page)).toEqual([])
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, 'view.png') })
    await page.keyboard.press('Escape')
    await page.locator('.h-path').waitFor()
    await page.reload()
    await page.locator('.h-path').waitFor()
    await page.locator('.grid.dense').waitFor()
    await page.setViewportSize({ width: 360, height: 740 })
    await page.getByRole('button', { name: 'Sort' }).click()
    await page.getByRole('menuitemradio', { name: 'Name' }).click()
    expect(new URL(page.url()).searchParams.get('sort')).toBe('name.asc')
    expect(await violations(page)).toEqual([])
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, 'phone-sort.png') })
  })

  test('it is accessible in light, dark and on a phone', async () => {
    await add('1', '2')
    for (const path of ['/', `/t/${'1'.repeat(40)}`]) {
      await open(path)
      await page.getByText('number 1').first().waitFor()
      await until('the content', async () => (await page.locator('.working').count()) === 0)
      await page.keyboard.press('Control+a')
      await looked(page, `list ${path.length > 1 ? 'detail' : 'rows'}`, (where) => harmless(page, where))
    }
  })

  test('notifications are asked for on a click, and only where they can be', async () => {
    const c = await visit(browser, near, { permissions: ['notifications'], serviceWorkers: 'block' })
    const p = await c.newPage()
    await p.addInitScript(() => {
      const told: string[] = []
      Object.assign(window, { told, asked: 0 })
      class Fake { static permission = 'default'; constructor(title: string, o: { body: string }) { told.push(`${title}: ${o.body}`) } static requestPermission(): Promise<string> { Object.assign(window, { asked: 1 }); Fake.permission = 'granted'; return Promise.resolve('granted') } }
      Object.assign(window, { Notification: Fake })
    })
    await p.goto(near.url + '/')
    await p.getByText('No transfers yet').waitFor()
    await add('1')
    await p.getByText('number 1').waitFor()
    const told = (): Promise<string[]> => p.evaluate(() => (window as unknown as { told: string[] }).told)
    expect(await p.evaluate(() => (window as unknown as { asked: number }).asked)).toBe(0)
    await p.getByRole('button', { name: 'View' }).click()
    await p.getByRole('menuitemcheckbox', { name: /completes or fails/ }).click()
    await p.keyboard.press('Escape')
    const shared = await publish(far, content('told.txt', 40_000))
    await near.api('POST', '/transfers', { link: shared.link })
    await until('to be told', async () => (await told()).includes('Download complete: told.txt'))
    await c.close()
    // Over plain HTTP from elsewhere the browser has none: the menu says why.
    const insecure = await visit(browser, near)
    const q = await insecure.newPage()
    await q.addInitScript(() => Object.defineProperty(window, 'isSecureContext', { value: false }))
    await q.goto(near.url + '/')
    await q.getByText('number 1').waitFor()
    await q.getByRole('button', { name: 'View' }).click()
    await q.getByText('only over HTTPS').waitFor()
    expect(await q.getByRole('menuitemcheckbox', { name: /completes or fails/ }).count()).toBe(0)
    await insecure.close()
  })

  test('with a service worker, notifications are its own, and a click shows the transfer', async () => {
    const own = await whole()
    try {
      const c = await visit(own, near, { permissions: ['notifications'] })
      const p = await c.newPage()
      await p.addInitScript(() => {
        localStorage.setItem('shoal.notify', 'true')
        // As in Chrome for Android.
        Object.assign(window, { Notification: Object.assign(class { constructor() { throw new TypeError('Illegal constructor') } }, { permission: 'granted' }) })
      })
      await p.goto(near.url + '/')
      await p.getByText('No transfers yet').waitFor()
      await p.evaluate(async () => { await navigator.serviceWorker.ready })
      const shared = await publish(far, content('by the worker.txt', 40_000))
      await near.api('POST', '/transfers', { link: shared.link })
      const told = (): Promise<unknown[]> => p.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map((n) => [n.title, n.body, n.tag, n.data]))
      await until('to be told', async () => (await told()).length > 0)
      expect(await told()).toEqual([['Download complete', 'by the worker.txt', shared.id, `/t/${shared.id}`]])
      // What the worker sends to the page when the notification is clicked; the click itself is tried in lib.test.ts.
      await c.serviceWorkers()[0]!.evaluate((show) => (globalThis as unknown as { clients: { matchAll(): Promise<{ postMessage(m: unknown): void }[]> } }).clients.matchAll().then((all) => all.forEach((a) => a.postMessage({ show }))), `/t/${shared.id}`)
      await p.getByRole('heading', { name: 'by the worker.txt' }).waitFor()
    } finally {
      await own.close()
    }
  })

  test('the tabs of a browser share one stream, and the next takes over', async () => {
    const streams = async (): Promise<number> => Number(/shoal_event_streams (\d+)/.exec(await near.metrics())?.[1])
    await add('1')
    await open('/')
    await rowOf('number 1').waitFor()
    await until('one stream, those of the tests before having ended', async () => (await streams()) === 1)
    const second = await context.newPage()
    await second.goto(near.url + `/t/${'1'.repeat(40)}/peers`)
    await second.getByText('No peers connected').waitFor()
    const third = await context.newPage()
    await third.goto(near.url + '/')
    await third.getByText('number 1').waitFor()
    await until('one stream', async () => (await streams()) === 1)
    // All of them see what happens, the second also the topics that only it asked for.
    await add('2')
    for (const p of [page, third]) await p.getByText('number 2').waitFor()
    await second.getByRole('tab', { name: 'Log' }).click()
    await near.api('POST', `/transfers/${'1'.repeat(40)}/pause`)
    await second.locator('.progress-line').getByText('Paused', { exact: true }).waitFor()
    await until('still one stream', async () => (await streams()) === 1)
    await page.close()
    await add('3')
    await third.getByText('number 3').waitFor()
    await until('one stream again', async () => (await streams()) === 1)
    await near.stop()
    for (const p of [second, third]) await p.getByText('may be out of date').waitFor()
    await near.start()
    await add('4')
    await third.getByText('number 4').waitFor()
    await until('one stream after the restart', async () => (await streams()) === 1)
  })

  test('nothing is asked again and again while the stream is there', async () => {
    await add('1')
    await page.setViewportSize({ width: 1680, height: 900 })
    await page.clock.install()
    const asked: string[] = []
    const under = new Set<Request>()
    const over = (r: Request): void => { under.delete(r) }
    let streams = 0
    page.on('request', (r) => {
      if (r.url().includes('/events')) return streams++
      asked.push(r.url())
      under.add(r)
    })
    page.on('requestfinished', over)
    page.on('requestfailed', over)
    /** idle waits until the page has nothing to do, on its own clock. */
    const idle = (): Promise<unknown> => page.evaluate(() => (window as unknown as { scheduler: { postTask(f: () => void, o: object): Promise<void> } }).scheduler.postTask(() => undefined, { priority: 'background' }))
    for (const path of ['/', `/t/${'1'.repeat(40)}`, `/t/${'1'.repeat(40)}/peers`, '/share', '/find', '/network', '/settings']) {
      // The page takes a stream that is silent for 40 s for lost. Its clock is ahead of the
      // node's, and where it was too far ahead, that was no try.
      await until(path, async () => {
        await open(path)
        await until('the content', async () => { await page.clock.runFor(50); return (await page.locator('h1').count()) > 0 && (await page.locator('.working').count()) === 0 })
        // All is loaded once nothing is on its way and two turns of the timers bring nothing more.
        for (let quiet = 0; quiet < 2;) {
          asked.length = 0
          await page.clock.runFor(300)
          await idle()
          await until('the answers', () => under.size === 0)
          quiet = asked.length === 0 ? quiet + 1 : 0
        }
        const before = streams
        await page.clock.runFor(32_000)
        await idle()
        return streams === before
      })
      expect(asked, path).toEqual([])
    }
  })

  test('what is said of times is true while the page is open', async () => {
    await page.setViewportSize({ width: 1680, height: 900 })
    await page.clock.install()
    await add('5')
    await open('/')
    const added = rowOf('number 5').locator('.c-added')
    await added.getByText('just now').waitFor()
    await page.clock.fastForward(20 * 60_000)
    await added.getByText('20 minutes ago').waitFor()
  })

  test('nothing is done to what a search hides', async () => {
    await add('5', '6', '7')
    await open('/')
    for (const n of ['5', '6']) await rowOf(`number ${n}`).getByRole('checkbox').check()
    const bar = page.getByRole('toolbar')
    await bar.getByText('2 selected').waitFor()
    await page.getByLabel('Search transfers').fill('number 6')
    await bar.getByText('1 selected').waitFor()
    await bar.getByRole('button', { name: 'Pause' }).click()
    await rowOf('number 6').getByText('Paused', { exact: true }).waitFor()
    await page.getByLabel('Search transfers').fill('')
    await bar.getByText('2 selected').waitFor()
    expect((await near.api<Transfer[]>('GET', '/transfers')).filter((t) => t.state === 'paused').map((t) => t.name)).toEqual(['number 6'])
  })

  test('of a transfer without a chosen file no part is told', async () => {
    const t = await publish(far, content('left out.bin', 50_000))
    await near.api('POST', '/transfers', { link: t.link })
    await until('it to arrive', async () => (await near.api<Transfer>('GET', `/transfers/${t.id}`)).state === 'seeding')
    await near.api('PATCH', `/transfers/${t.id}/files`, { priorities: { 0: -1 } })
    await open('/')
    const cell = rowOf('left out.bin').locator('.c-progress')
    await cell.getByText('–', { exact: true }).waitFor()
    expect(await cell.locator('.bar > div').evaluate((e) => e.getBoundingClientRect().width)).toBe(0)
    await open(`/t/${t.id}`)
    await page.locator('.progress-line').getByText('nothing chosen').waitFor()
  })

  test('on a tablet and beside the list every figure of a peer is seen', async () => {
    const t = await publish(far, content('watched.bin', 30_000_000))
    await far.api('PUT', '/limits', { up: 300_000, down: 0 })
    try {
      await near.api('POST', '/transfers', { link: t.link })
      await page.setViewportSize({ width: 1024, height: 768 })
      await open(`/t/${t.id}/peers`)
      const wide = page.locator('main .table-box')
      await wide.locator('td[data-label=Down]').getByText('kB/s').first().waitFor()
      expect(await wide.evaluate((e) => e.scrollWidth <= e.clientWidth)).toBe(true)
      await page.setViewportSize({ width: 1440, height: 900 })
      const table = page.locator('.side .table-box')
      await table.getByText('kB/s').first().waitFor()
      // To who gives and takes nothing, nothing is given: requests are not counted.
      expect(await table.locator('td[data-label=Up]').textContent()).toBe('0 B in all')
      expect(await table.evaluate((e) => [...e.querySelectorAll('td')].filter((d) => d.getBoundingClientRect().right > e.getBoundingClientRect().right).map((d) => d.textContent))).toEqual([])
      expect(await table.evaluate((e) => e.scrollWidth <= e.clientWidth)).toBe(true)
      await page.getByRole('tab', { name: 'Discovery' }).click()
      await table.getByText('Works').waitFor()
      expect(await table.evaluate((e) => e.scrollWidth <= e.clientWidth)).toBe(true)
      expect(await violations(page)).toEqual([])
    } finally {
      await far.api('PUT', '/limits', { up: 0, down: 0 })
    }
  })
})
