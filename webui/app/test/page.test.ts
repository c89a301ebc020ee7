// Every screen in a real browser, against real nodes:
//
//	browser --- near --- far
//
// far shares, near fetches, and the browser looks at near.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import jsQR from 'jsqr'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { PNG } from 'pngjs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Transfer } from '../src/api/types'
import { clean, folder, launch, missing, Node, until, violations, visit } from './lab'

const lacks = missing()

describe.skipIf(lacks)('the page', { timeout: 60_000 }, () => {
  let browser: Browser, near: Node, far: Node, context: BrowserContext, page: Page
  let complaints: string[] = []

  const seeded = (n: Node, id: string): Promise<Transfer> => until('it to be shared', async () => {
    const all = await n.api<Transfer[]>('GET', '/transfers')
    return all.find((t) => t.path === id && t.state === 'seeding')
  })
  const share = async (path: string, name?: string): Promise<Transfer> => {
    await far.api('POST', '/shares', { path, ...(name ? { name } : {}) })
    return seeded(far, path)
  }
  const content = (name: string, size: number): string => {
    const f = join(folder('content'), name)
    writeFileSync(f, randomBytes(size))
    return f
  }
  const open = async (path: string): Promise<void> => {
    await page.goto(near.url + path)
    await page.locator('main h1').first().waitFor()
  }
  const row = (name: string) => page.locator('.grid-body [role=row]', { hasText: name })

  beforeAll(async () => {
    [browser, near, far] = await Promise.all([launch(), new Node('near').start(), new Node('far').start()])
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await Promise.all([near?.stop(), far?.stop()])
    clean()
  })
  beforeEach(async () => {
    complaints = []
    context = await visit(browser, near, { permissions: ['clipboard-read', 'clipboard-write'] })
    page = await context.newPage()
    page.on('pageerror', (e) => complaints.push(e.message))
    // The browser tells of what the policy forbids here, too.
    page.on('console', (m) => { if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) complaints.push(m.text()) })
  })
  afterEach(async () => {
    await context.close()
    for (const t of await near.api<Transfer[]>('GET', '/transfers')) await near.api('DELETE', `/transfers/${t.id}`)
    expect(complaints).toEqual([])
  })

  test('without a sign-in it says how to get one', async () => {
    const stranger = await browser.newContext()
    const p = await stranger.newPage()
    await p.goto(near.url + '/settings')
    await p.getByText('shoal open').waitFor()
    await p.getByLabel(/password/).fill('not the password')
    await p.getByRole('button', { name: 'Sign in' }).click()
    await p.getByText('the password is wrong').waitFor()
    expect(await violations(p)).toEqual([])
    await stranger.close()
  })

  test('a link is fetched to the end without a reload', async () => {
    const t = await share(content('film.mp4', 3_000_000))
    await open('/')
    await page.getByText('Nothing here yet').waitFor()
    await page.keyboard.press('a')
    await page.getByLabel('Link').fill(t.link)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('film.mp4').waitFor()
    await page.getByRole('button', { name: 'Fetch', exact: true }).click()
    await page.getByRole('heading', { name: 'film.mp4' }).waitFor()
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    expect(readFileSync(join(near.downloads, 'film.mp4'))).toEqual(readFileSync(t.path))
  })

  test('a dropped torrent is looked at first, and files are left out', async () => {
    const dir = folder('content', 'Holiday')
    writeFileSync(join(dir, 'keep.txt'), randomBytes(300_000))
    writeFileSync(join(dir, 'leave.txt'), randomBytes(300_000))
    const t = await share(dir)
    await open('/')
    await page.getByText('Nothing here yet').waitFor()
    const torrent = await new Promise<string>((done) => {
      import('node:http').then(({ request }) => request({ socketPath: join(far.state, 'shoal.sock'), path: `/api/v1/transfers/${t.id}/torrent` }, (r) => {
        const chunks: Buffer[] = []
        r.on('data', (d: Buffer) => chunks.push(d))
        r.on('end', () => done(Buffer.concat(chunks).toString('base64')))
      }).end())
    })
    await page.evaluate((b64) => {
      const data = new DataTransfer()
      data.items.add(new File([Uint8Array.from(atob(b64), (c) => c.charCodeAt(0))], 'holiday.torrent'))
      document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))
    }, torrent)
    await page.getByLabel('Fetch leave.txt').uncheck()
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Fetch 1 file' }).click()
    await page.getByRole('heading', { name: 'Holiday' }).waitFor()
    await page.getByRole('tab', { name: 'Files' }).click()
    await page.getByText('1 file of 2 wanted').waitFor()
    // The torrent alone says nothing of who has it: far is told of by hand.
    await page.getByRole('tab', { name: 'Peers' }).click()
    const { listen } = await far.api<{ listen: string[] }>('GET', '/node')
    await page.getByLabel('You know somebody').fill(listen[0]!)
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    expect(existsSync(join(near.downloads, 'Holiday', 'leave.txt'))).toBe(false)
  })

  test('what was removed can be had back, until it cannot', async () => {
    await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + '1'.repeat(40) + '&dn=one', paused: true })
    await open('/')
    await row('one').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Delete')
    await page.getByRole('button', { name: 'Remove', exact: true }).last().click()
    await row('one').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Undo' }).click()
    await row('one').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Delete')
    await page.getByRole('button', { name: 'Remove', exact: true }).last().click()
    await until('it to be gone', async () => (await near.api<Transfer[]>('GET', '/transfers')).length === 0)
  })

  test('keys move, select, pause and resume', async () => {
    for (const d of ['1', '2', '3']) await near.api('POST', '/transfers', { link: `magnet:?xt=urn:btih:${d.repeat(40)}&dn=number ${d}` })
    await open('/?sort=name.asc')
    await row('number 3').waitFor()
    for (const k of ['j', 'Space', 'j', 'Space']) await page.keyboard.press(k)
    await page.getByText('2 selected').waitFor()
    await page.keyboard.press('p')
    await row('number 2').getByText('Paused').waitFor()
    await row('number 1').getByText('Paused').waitFor()
    expect(await row('number 3').getByText('Paused').count()).toBe(0)
    await page.keyboard.press('p')
    await row('number 1').getByText('Finding').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('/')
    await page.keyboard.type('number 3')
    await row('number 1').waitFor({ state: 'detached' })
    expect(new URL(page.url()).searchParams.get('q')).toBe('number 3')
    await page.reload()
    await row('number 3').waitFor()
    expect(await row('number 1').count()).toBe(0)
  })

  test('a shared folder gets a code that scans to its link', async () => {
    const f = content('talk.pdf', 100_000)
    await open('/share')
    await page.getByLabel('Path on the machine').fill(f)
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    const code = page.getByRole('img', { name: /Code of the link/ })
    await code.waitFor()
    const { link } = await seeded(near, f)
    const png = PNG.sync.read(await page.locator('.qr').screenshot())
    expect(jsQR(new Uint8ClampedArray(png.data), png.width, png.height)?.data).toBe(link)
    await page.getByRole('button', { name: 'Copy link' }).click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link)
    expect(await violations(page)).toEqual([])
  })

  test('a node that dies and comes back is followed', async () => {
    await open('/')
    await page.getByText('Nothing here yet').waitFor()
    await near.stop('SIGKILL')
    await page.getByText('What you see may be old').waitFor()
    await near.start()
    await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + '4'.repeat(40) + '&dn=afterwards' })
    await page.getByRole('button', { name: 'Try now' }).click({ timeout: 3000 }).catch(() => { /* it was quicker */ })
    await row('afterwards').waitFor({ timeout: 40_000 })
    await page.getByText('What you see may be old').waitFor({ state: 'detached' })
  })

  test('limits are set and kept', async () => {
    await open('/settings')
    await page.getByLabel('Up, a second').fill('750 kB')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Limits saved').waitFor()
    expect(await near.api('GET', '/limits')).toMatchObject({ up: 750_000 })
    await page.getByRole('button', { name: 'Dark' }).click()
    await page.reload()
    await until('the limit to be shown', async () => (await page.getByLabel('Up, a second').inputValue()) === '750 kB')
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    await near.api('PUT', '/limits', { up: 0, down: 0 })
  })

  test('hostile names are text on every screen', async () => {
    const dir = folder('content', 'evil')
    writeFileSync(join(dir, '<img src=x onerror=alert(1)>.html'), '<script>alert(1)</script>')
    const t = await share(dir, `"><script>alert(1)<script>${'x'.repeat(200)}`)
    await near.api('POST', '/transfers', { link: t.link })
    await near.api('POST', '/transfers', { link: `magnet:?xt=urn:btih:${'5'.repeat(40)}&dn=${encodeURIComponent('inv\u202efdp.exe')}` })
    let alerted = false
    page.on('dialog', (d) => { alerted = true; void d.dismiss() })
    for (const path of ['/', `/t/${t.id}`, ...['files', 'pieces', 'peers', 'discovery', 'log'].map((k) => `/t/${t.id}/${k}`), '/share', `/share/${t.id}`, '/find?q=script']) {
      await open(path)
      await page.waitForTimeout(200)
      expect(await page.locator('main script, main img').count(), path).toBe(0)
      expect(await page.locator('main').innerText(), path).not.toContain('\u202e')
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path).toBe(true)
    }
    expect(alerted).toBe(false)
  })

  test.each([
    ['light', { colorScheme: 'light' as const }],
    ['dark', { colorScheme: 'dark' as const }],
    ['on a phone', { colorScheme: 'light' as const, viewport: { width: 360, height: 740 } }],
  ])('axe finds nothing, %s', async (_name, options) => {
    const t = await share(content('paper.txt', 50_000))
    await near.api('POST', '/transfers', { link: t.link })
    await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + '6'.repeat(40) + '&dn=paused', paused: true })
    const c = await visit(browser, near, options)
    const p = await c.newPage()
    for (const path of ['/', `/t/${t.id}`, ...['files', 'pieces', 'peers', 'discovery', 'log'].map((k) => `/t/${t.id}/${k}`), '/share', `/share/${t.id}`, '/find', '/find?q=paper', '/network', '/settings', '/t/' + '0'.repeat(40), '/nowhere']) {
      await p.goto(near.url + path)
      await p.locator('main h1').first().waitFor()
      await until('the content', async () => (await p.locator('.working').count()) === 0)
      expect(await violations(p), path).toEqual([])
      expect(await p.evaluate(() => document.querySelector('main')!.scrollWidth <= document.querySelector('main')!.clientWidth), `${path} scrolls sideways`).toBe(true)
    }
    await p.goto(near.url + '/')
    await row2(p, 'paused').waitFor()
    for (const k of ['j', 'Space']) await p.keyboard.press(k)
    await p.getByText('1 selected').waitFor()
    expect(await violations(p)).toEqual([])
    await p.keyboard.press('a')
    await p.getByRole('dialog').waitFor()
    expect(await violations(p)).toEqual([])
    await c.close()
  })
})

const row2 = (p: Page, name: string) => p.locator('.grid-body [role=row]', { hasText: name })
