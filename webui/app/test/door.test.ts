// Web links: the owner's page that makes them, and the pages of the door that strangers see,
// with and without script.
//
//	browser --- near (a page and a door) --- far
//
// SHOTS=DIR takes a picture of every page, light, dark, as on a phone and with large text.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { deflateSync } from 'node:zlib'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import type { Transfer, WebLink } from '../src/api/types'
import { content, folder, harmless, missing, ofColours, publish, stage, until, violations, watched, type Stage } from './lab'

const lacks = missing()
const films = spawnSync('ffmpeg', ['-version']).status === 0
if (!films && process.env.CI === 'true') throw new Error('no ffmpeg to make a film with: apt-get install ffmpeg')

// A picture of one colour that any browser reads.
function bitmap(width: number, height: number): Buffer {
  const b = Buffer.alloc(54 + width * height * 3, 0x90)
  b.fill(0, 0, 54)
  b.write('BM')
  b.writeUInt32LE(b.length, 2)
  b.writeUInt32LE(54, 10)
  b.writeUInt32LE(40, 14)
  b.writeInt32LE(width, 18)
  b.writeInt32LE(height, 22)
  b.writeUInt16LE(1, 26)
  b.writeUInt16LE(24, 28)
  return b
}

/** album is a folder with something of each kind. */
function album(): string {
  const dir = folder('content', 'Harbour')
  const put = (name: string, b: Buffer | string): void => writeFileSync(join(dir, name), b)
  folder('content', 'Harbour', 'A folder with a rather long name that has to be broken on a phone')
  for (let i = 1; i <= 3; i++) put(`dawn ${i}.bmp`, bitmap(480, 320))
  put('A folder with a rather long name that has to be broken on a phone/list.csv', 'a,b\n')
  put('notes.txt', 'Fish market, 6 o’clock.\n'.repeat(40))
  put('tide.wav', Buffer.concat([Buffer.from('524946462408000057415645666d742010000000010001004011000040110000010008006461746100080000', 'hex'), Buffer.alloc(2048, 0x80)]))
  put('data.bin', deflateSync(Buffer.alloc(100_000, 7)))
  return dir
}

describe.skipIf(lacks)('web links', { timeout: 240_000 }, () => {
  let { browser, near, far, page, open } = {} as Stage
  stage((s) => { ({ browser, near, far, page, open } = s) })

  const link = (t: Transfer, more: object = {}): Promise<WebLink> => near.api<WebLink>('POST', `/transfers/${t.id}/web-links`, more)
  const links = (t: Transfer): Promise<WebLink[]> => near.api<WebLink[]>('GET', `/web-links?transfer=${t.id}`)

  /** stranger is a browser that has nothing but a link. What its page complains of is a failure. */
  async function stranger(look: (p: Page) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
    const c = await browser.newContext({ viewport: { width: 1000, height: 800 }, acceptDownloads: true, ...options })
    const p = await c.newPage()
    const complaints = watched(p)
    await look(p)
    await c.close()
    expect(complaints).toEqual([])
  }

  const looks = [['light', 'light', 1000, ''], ['dark', 'dark', 1000, ''], ['phone', 'light', 360, ''], ['phone-dark', 'dark', 360, ''], ['large', 'light', 360, '200%']] as const
  /** looked checks a page in every look; one that is much like another, in one. */
  async function looked(p: Page, name: string, fits: (where: string) => Promise<void>, alike = false): Promise<void> {
    const size = p.viewportSize()!
    for (const [look, colours, width, text] of looks) {
      if (!process.env.SHOTS && (alike ? look !== 'phone-dark' : look === 'phone-dark')) continue
      // The owner's page follows the text size of the browser: page.test.ts looks at it so.
      if (text && name.startsWith('owner')) continue
      await p.emulateMedia({ colorScheme: colours })
      await p.setViewportSize({ width, height: 800 })
      await p.evaluate((s) => { document.documentElement.style.fontSize = s }, text)
      await fits(`${name}, ${look}`)
      // Rules do not depend on the size of the text.
      if (!text) expect(await violations(p, look === 'dark' ? ofColours : undefined), `${name}, ${look}`).toEqual([])
      if (process.env.SHOTS) await p.screenshot({ path: join(process.env.SHOTS, `door-${name}-${look}.png`), fullPage: true })
    }
    await p.evaluate(() => { document.documentElement.style.fontSize = '' })
    await p.emulateMedia({ colorScheme: 'light' })
    await p.setViewportSize(size)
  }
  const narrow = (p: Page) => async (where: string): Promise<void> => {
    expect(await p.evaluate(() => [document.documentElement.scrollWidth - innerWidth, ...[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.unseen')).map((e) => e.outerHTML.slice(0, 100))]), where).toEqual([0])
  }

  test('the owner makes a link on the Share screen, sees what it does, and ends it', async () => {
    const t = await publish(near, content('song.ogg', 300_000))
    await link(await publish(near, content('other.ogg', 3000))) // or the port would not answer browsers at the end
    await open(`/share/${t.id}`)
    const turn = page.getByRole('switch', { name: /Web link/ })
    await until('the switch', () => turn.isEnabled())
    expect(await turn.isChecked()).toBe(false)
    await turn.check()
    await looked(page, 'owner-form', (where) => harmless(page, where), true)
    await page.getByLabel('Maximum of downloads').fill('none')
    await page.getByRole('button', { name: 'Make the link' }).click()
    await page.getByRole('alert').getByText('must be a whole number above 0').waitFor()
    await page.getByLabel('Maximum of downloads').fill('3')
    await page.getByLabel('Ends').selectOption({ label: 'After one week' })
    await page.getByLabel('Password').fill('sesame')
    await page.getByRole('button', { name: 'Make the link' }).click()
    const one = page.getByRole('article', { name: 'Web link' })
    await one.waitFor()
    const [made] = await links(t)
    expect([made!.max_downloads, made!.password, Math.round((Date.parse(made!.expires!) - Date.now()) / 3600_000)]).toEqual([3, true, 168])
    for (const says of [made!.url, 'Everyone who has the link and its password', '0 of 3', 'in 7 days', 'without viewing it', 'Not known yet whether they can reach', 'Plain HTTP, not encrypted']) {
      await one.getByText(says).first().waitFor()
    }
    await one.getByRole('img', { name: 'QR code of the web link' }).waitFor()
    await looked(page, 'owner-link', (where) => harmless(page, where))
    await one.getByRole('button', { name: 'Copy the web link' }).click()
    await until('the link to be copied', async () => await page.evaluate(() => navigator.clipboard.readText()) === made!.url)

    await one.getByRole('button', { name: 'End this link' }).click()
    await page.getByText('The web link has ended').waitFor()
    expect(await links(t)).toEqual([])
    await until('the switch to be off', async () => !(await turn.isChecked()))
    await stranger(async (p) => {
      await p.goto(made!.url)
      await p.getByRole('heading', { name: 'There is nothing here' }).waitFor()
    })
  })

  test('a transfer shows how often its links were used, where they were, and which are dead', async () => {
    const t = await publish(near, content('poem.txt', 3000))
    const [used, open2] = [await link(t, { max_downloads: 1 }), await link(t)]
    await open(`/t/${t.id}`)
    const articles = page.getByRole('article', { name: 'Web link' })
    await until('both', async () => await articles.count() === 2)
    const answer = await fetch(`${used.url}/file/poem.txt`)
    expect((await answer.arrayBuffer()).byteLength).toBe(3000)
    await page.getByText('Ended after 1 download').waitFor()
    await fetch(`${open2.url}/file/poem.txt`).then((r) => r.arrayBuffer())
    const live = articles.filter({ has: page.getByRole('button', { name: 'Copy the web link' }) })
    await until('the download to be counted', async () => /Downloads so far\s*1\b/.test(await live.innerText()))

    // As if the host had been renumbered: the lab does it.
    const former = [{ url: 'http://[2001:db8:1::5]:7000/s/x', works: true }, { url: 'http://[2001:db8:2::5]:7000/s/x' }]
    await page.route('**/api/v1/web-links?*', async (route) => {
      const all = (await links(t)).map((l) => (l.ended ? l : { ...l, url: 'https://files.example.org/s/x', encrypted: true, reachable: 'reachable', others: ['https://[2001:db8::5]/s/x'], former }))
      await route.fulfill({ json: all })
    })
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange'))) // it asks when somebody looks
    await live.getByText('dead: send the new link').waitFor()
    for (const says of ['works until this node loses the address', 'Can reach it at files.example.org', 'Encrypted (https)', 'https://[2001:db8::5]/s/x', 'http://[2001:db8:2::5]:7000/s/x']) await live.getByText(says).waitFor()
    await looked(page, 'owner-transfer', (where) => harmless(page, where))
    await page.unroute('**/api/v1/web-links?*')
    await page.getByRole('button', { name: 'Remove from the list' }).click()
    await until('the ended one to be gone', async () => (await links(t)).length === 1)
    // The switch ends what there is.
    await page.getByRole('switch', { name: /Web link/ }).uncheck()
    await until('none', async () => (await links(t)).length === 0)
  })

  test('every page of the door, in every look', async () => {
    const t = await publish(near, album())
    const [all, few, locked] = [await link(t), await link(t, { max_downloads: 1200, expires: new Date(Date.now() + 7 * 86400_000).toISOString() }), await link(t, { password: 'sesame' })]
    await stranger(async (p) => {
      const see = async (name: string, url: string, alike = false): Promise<void> => {
        await p.goto(url)
        await looked(p, name, narrow(p), alike)
      }
      await see('folder', all.url)
      await p.getByText('Everyone').or(p.getByText('everyone who has this link')).first().waitFor()
      await p.getByRole('link', { name: 'Open the magnet link' }).waitFor()
      await p.getByRole('link', { name: /A folder with a rather long name/ }).first().click()
      await looked(p, 'subfolder', narrow(p), true)
      await p.getByRole('link', { name: 'Harbour' }).click()
      await p.getByRole('link', { name: 'dawn 1.bmp', exact: true }).click()
      await p.getByRole('img', { name: 'dawn 1.bmp' }).waitFor()
      await until('the picture', () => p.evaluate(() => document.querySelector('img')!.naturalWidth === 480))
      await p.getByRole('link', { name: /^Next/ }).click()
      await p.getByRole('heading', { name: 'dawn 2.bmp' }).waitFor()
      await looked(p, 'picture', narrow(p))
      await see('text', `${all.url}/view/notes.txt`)
      await p.getByText('Fish market').first().waitFor()
      await see('sound', `${all.url}/view/tide.wav`, true)
      await see('limited', few.url, true)
      await p.getByText('1,200 of 1,200').waitFor()
      await p.getByText('(in 7 days)').waitFor()
      expect(await p.getByRole('link', { name: 'Open the magnet link' }).count()).toBe(0)
      await see('password', locked.url)
      await p.getByLabel('Password').fill('open')
      await p.keyboard.press('Enter')
      await p.getByRole('alert').getByText('This is not the password').waitFor()
      await looked(p, 'wrong-password', narrow(p), true)
      await see('nothing', all.url + 'x', true)
      await see('missing', `${all.url}/file/nothing`, true)
    })
    const film = await publish(near, content('film.mp4', 70_000))
    const one = await link(film)
    await stranger(async (p) => {
      await p.goto(one.url)
      await looked(p, 'file', narrow(p))
      await p.getByRole('link', { name: 'film.mp4', exact: true }).click()
      await looked(p, 'film', narrow(p), true)
    })
    await stranger(async (p) => {
      await p.goto(few.url)
      await p.getByText('Wer es sehen kann').waitFor()
      await p.getByText('1.200 von 1.200').waitFor()
      expect(await p.evaluate(() => document.documentElement.lang)).toBe('de')
    }, { locale: 'de-DE' })
  })

  test('a share that is still being fetched shows how far it is', async () => {
    const dir = folder('content', 'Archive')
    writeFileSync(join(dir, 'large.bin'), Buffer.alloc(24_000_000, 3))
    writeFileSync(join(dir, 'second.bin'), Buffer.alloc(1_000_000, 4))
    const t = await publish(far, dir)
    await near.api('POST', '/transfers', { link: t.link })
    await near.api('PATCH', `/transfers/${t.id}`, { limits: { down: 100_000, up: 0 } })
    const here = await until('some of it', async () => (await near.api<Transfer[]>('GET', '/transfers')).find((o) => o.id === t.id && o.bytes > 0))
    expect(here.state).toBe('fetching')
    const l = await link(here)
    await stranger(async (p) => {
      await p.goto(l.url)
      await p.getByRole('progressbar', { name: /still downloading this/ }).waitFor()
      await looked(p, 'fetching', narrow(p))
      expect(await p.getByRole('link', { name: /as zip/ }).count()).toBe(0)
    })
    await near.api('POST', `/transfers/${t.id}/pause`)
    await stranger(async (p) => {
      await p.goto(l.url)
      await p.getByText('The sharer paused it').waitFor()
      await looked(p, 'paused', narrow(p), true)
    })
  })

  test('everything works without script', async () => {
    const dir = album()
    const t = await publish(near, dir)
    const l = await link(t, { password: 'sesame' })
    await stranger(async (p) => {
      await p.goto(l.url)
      await p.getByLabel('Password').fill('sesame')
      await p.getByRole('button', { name: 'Open' }).click()
      await p.getByRole('heading', { name: 'Harbour' }).waitFor()
      const [saved] = await Promise.all([p.waitForEvent('download'), p.getByRole('link', { name: 'Save data.bin' }).click()])
      expect(saved.suggestedFilename()).toBe('data.bin')
      expect(readFileSync((await saved.path())!).equals(readFileSync(join(dir, 'data.bin')))).toBe(true)
      const [zip] = await Promise.all([p.waitForEvent('download'), p.getByRole('link', { name: /^Download all as zip/ }).click()])
      expect(zip.suggestedFilename()).toBe('Harbour.zip')
      expect(readFileSync((await zip.path())!).includes(readFileSync(join(dir, 'notes.txt')))).toBe(true)
      await p.getByRole('link', { name: 'notes.txt', exact: true }).click()
      await p.getByText('Fish market').first().waitFor()
      await p.getByRole('link', { name: 'Harbour' }).click()
      await p.getByRole('link', { name: 'dawn 1.bmp', exact: true }).click()
      await p.getByRole('img', { name: 'dawn 1.bmp' }).waitFor()
      await until('the picture', () => p.evaluate(() => document.querySelector('img')!.naturalWidth === 480))
    }, { javaScriptEnabled: false })
    await until('two downloads to be counted', async () => (await links(t))[0]!.downloads === 2)
  })

  test('a page that is open shows where its link has moved to, and that nobody answers', async () => {
    const t = await publish(near, content('clock.bin', 2000))
    const l = await link(t)
    await stranger(async (p) => {
      await p.clock.install()
      await p.goto(`${l.url}/?from=0`)
      const at = 'http://[2001:db8:1:2::5]:7000'
      const moved = p.getByText('This address stops working soon')
      const lost = p.getByText('does not answer at this address')
      const tick = async (): Promise<void> => { await Promise.all([p.waitForEvent('requestfinished').catch(() => undefined), p.clock.runFor(15_000)]) }
      await tick()
      expect([await moved.isVisible(), await lost.isVisible()]).toEqual([false, false])
      await p.route('**/where', (r) => r.fulfill({ json: { at } }))
      await tick()
      await moved.waitFor()
      const path = new URL(l.url).pathname
      expect(await moved.getByRole('link').getAttribute('href')).toBe(`${at}${path}/?from=0`)
      expect(await moved.getByRole('link').innerText()).toBe(at + path)
      await looked(p, 'moved', narrow(p))
      // It came back: the news is withdrawn.
      await p.unroute('**/where')
      await tick()
      await moved.waitFor({ state: 'hidden' })
      await p.route('**/where', (r) => r.abort())
      for (let i = 0; i < 3; i++) await Promise.all([p.waitForEvent('requestfailed'), p.clock.runFor(15_000)])
      await lost.waitFor()
      await looked(p, 'lost', narrow(p), true)
    })
  })

  test.skipIf(!films)('a film is played and sought, by ranges', async () => {
    const f = join(folder('content'), 'harbour.mp4')
    const made = spawnSync('sh', [resolve(import.meta.dirname, 'film.sh'), f, '3'], { encoding: 'utf8' })
    expect(made.stderr).toBe('')
    const t = await publish(near, f)
    const l = await link(t)
    for (const javaScriptEnabled of [true, false]) {
      await stranger(async (p) => {
        const ranges: string[] = []
        p.on('response', (r) => { if (r.url().includes('/inline/')) ranges.push(`${r.status()} ${r.headers()['content-range'] ?? ''}`) })
        await p.goto(l.url)
        await p.getByRole('link', { name: 'harbour.mp4', exact: true }).click()
        for (const [part, colour] of [[0.9, 'blue'], [0.05, 'red'], [0.5, 'green']] as const) expect(await shownAt(p, part), `at ${part}`).toBe(colour)
        expect(ranges.length).toBeGreaterThan(1)
        expect(ranges.filter((r) => !/^206 bytes \d+-/.test(r))).toEqual([])
        expect(ranges.some((r) => !r.startsWith('206 bytes 0-'))).toBe(true)
        if (process.env.SHOTS) await p.screenshot({ path: join(process.env.SHOTS, `door-played-${javaScriptEnabled}.png`) })
      }, { javaScriptEnabled })
    }
    expect((await links(t))[0]!.downloads).toBe(0)
  })
})

/** shownAt seeks the film of a page to a part of its length and returns the colour of the picture there. It waits for no event: none is told where script is off. */
async function shownAt(p: Page, part: number): Promise<string> {
  await until('the film', () => p.evaluate(() => (document.querySelector('video')?.readyState ?? 0) >= 1))
  await p.evaluate((part) => { const v = document.querySelector('video')!; v.currentTime = v.duration * part }, part)
  await until('the picture', () => p.evaluate(() => { const v = document.querySelector('video')!; return !v.seeking && v.readyState >= 2 }))
  return p.evaluate(() => {
    const c = document.createElement('canvas')
    c.width = c.height = 1
    const g = c.getContext('2d')!
    g.drawImage(document.querySelector('video')!, 0, 0, 1, 1)
    const [red, green, blue] = g.getImageData(0, 0, 1, 1).data
    const most = Math.max(red!, green!, blue!)
    return most === red ? 'red' : most === green ? 'green' : 'blue'
  })
}
