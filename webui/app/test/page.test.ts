// Every screen in a real browser, against real nodes:
//
//	browser --- near --- far
//
// far shares, near fetches, and the browser looks at near.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import jsQR from 'jsqr'
import type { Page } from 'playwright-core'
import { PNG } from 'pngjs'
import { describe, expect, test } from 'vitest'
import type { Transfer } from '../src/api/types'
import { content, copied, cutOff, folder, harmless, launch, looked, missing, Node, publish, seeded, sideways, stage, type Stage, twice, until, violations, visit } from './lab'

const lacks = missing()

describe.skipIf(lacks)('the page', { timeout: 120_000 }, () => {
  let { browser, near, far, page, open } = {} as Stage
  stage((s) => { ({ browser, near, far, page, open } = s) }, async () => {
    const far = await new Node('far').start()
    // A DHT of two, for the channels.
    const { listen } = await far.api<{ listen: string[] }>('GET', '/node')
    return [await new Node('near', ['--bootstrap', listen[0]!, '--listen', '[::1]:0', '--no-lan']).start(), far]
  })

  const share = (path: string, name?: string): Promise<Transfer> => publish(far, path, name)
  const row = (name: string) => page.locator('.grid-body [role=row]', { hasText: name })

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
    await page.getByText('No transfers yet').waitFor()
    await page.keyboard.press('a')
    await page.getByLabel('Link').fill(t.link)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('film.mp4').waitFor()
    await page.getByRole('button', { name: 'Download', exact: true }).click()
    await page.getByRole('heading', { name: 'film.mp4' }).waitFor()
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    expect(readFileSync(join(near.downloads, 'film.mp4')).equals(readFileSync(t.path))).toBe(true)
  })

  test('a dropped torrent is looked at first, and files are left out', async () => {
    const dir = folder('content', 'Holiday')
    writeFileSync(join(dir, 'keep.txt'), randomBytes(300_000))
    writeFileSync(join(dir, 'leave.txt'), randomBytes(300_000))
    const t = await share(dir)
    await open('/')
    await page.getByText('No transfers yet').waitFor()
    const torrent = (await far.torrent(t.id)).toString('base64')
    await page.evaluate((b64) => {
      const data = new DataTransfer()
      data.items.add(new File([Uint8Array.from(atob(b64), (c) => c.charCodeAt(0))], 'holiday.torrent'))
      document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))
    }, torrent)
    await page.getByLabel('Include leave.txt').uncheck()
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Download 1 file' }).click()
    await page.getByRole('heading', { name: 'Holiday' }).waitFor()
    await page.getByRole('tab', { name: 'Files' }).click()
    await page.getByText('1 file of 2 selected').waitFor()
    // The torrent alone says nothing of who has it: far is told of by hand.
    await page.getByRole('tab', { name: 'Peers' }).click()
    const { listen } = await far.api<{ listen: string[] }>('GET', '/node')
    await page.getByLabel('Add a peer by its address').fill(listen[0]!)
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    expect(existsSync(join(near.downloads, 'Holiday', 'leave.txt'))).toBe(false)
    // Later it is wanted after all.
    await page.getByRole('tab', { name: 'Files' }).click()
    await page.getByLabel('Include leave.txt').check()
    await page.getByText('2 files of 2 selected').waitFor()
    await until('the other file', async () => existsSync(join(near.downloads, 'Holiday', 'leave.txt')))
  })

  test('what was removed can be had back, until it cannot', async () => {
    await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + '1'.repeat(40) + '&dn=one', paused: true })
    await page.clock.install()
    await open('/')
    await row('one').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await row('one').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Undo' }).click()
    await row('one').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await row('one').waitFor({ state: 'detached' })
    expect((await near.api<Transfer[]>('GET', '/transfers')).length).toBe(1)
    await page.clock.fastForward(20_000)
    await until('it to be gone', async () => (await near.api<Transfer[]>('GET', '/transfers')).length === 0)
  })

  test('keys move, select, pause and resume', async () => {
    for (const d of ['1', '2', '3']) await near.api('POST', '/transfers', { link: `magnet:?xt=urn:btih:${d.repeat(40)}&dn=number ${d}` })
    await open('/?sort=name.asc')
    await row('number 3').waitFor()
    for (const k of ['j', 'Space', 'j', 'Space']) await page.keyboard.press(k)
    await page.getByText('2 selected').waitFor()
    await page.keyboard.press('p')
    await row('number 2').getByText('Paused', { exact: true }).waitFor()
    await row('number 1').getByText('Paused', { exact: true }).waitFor()
    expect(await row('number 3').getByText('Paused', { exact: true }).count()).toBe(0)
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

  test('a folder is picked on the node, and its code scans to its link', async () => {
    const pictures = join(near.home, 'Pictures', 'Sea <b>side')
    mkdirSync(pictures, { recursive: true })
    writeFileSync(join(pictures, 'one.jpg'), randomBytes(60_000))
    writeFileSync(join(pictures, 'two.jpg'), randomBytes(60_000))
    await open('/share')
    await page.getByRole('button', { name: 'Pictures', exact: true }).click()
    await page.getByText('Parent folder').waitFor()
    expect(await violations(page)).toEqual([])
    await page.locator('.browse li', { hasText: 'Sea <b>side' }).getByRole('button', { name: 'Select' }).click()
    expect(await page.getByLabel('Path on the machine').inputValue()).toBe(pictures)
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    const code = page.getByRole('img', { name: /QR code of the link/ })
    await code.waitFor()
    const { link } = await seeded(near, pictures)
    const png = PNG.sync.read(await page.locator('.qr').screenshot())
    expect(jsQR(new Uint8ClampedArray(png.data), png.width, png.height)?.data).toBe(link)
    await page.getByRole('button', { name: 'Copy link' }).click()
    await copied(page, link)
    expect(await violations(page)).toEqual([])
  })

  test('what is left out of a share is chosen, and named', async () => {
    const dir = folder('content', 'Work <i>in progress')
    for (const name of ['a.txt', '.b', 'c.tmp']) writeFileSync(join(dir, name), randomBytes(5_000))
    for (const name of ['one', 'two']) symlinkSync('a.txt', join(dir, name))
    await open('/share')
    await page.getByLabel('Path on the machine').fill(dir)
    await page.getByText('Options').click()
    await page.getByLabel('Leave out').fill('*.tmp\n*.iso')
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    await page.locator('#main').getByText('matches the excluded pattern *.iso').waitFor()
    await open('/share')
    await page.getByLabel('Path on the machine').fill(dir)
    await page.getByText('Options').click()
    await page.getByLabel('Leave out').fill('*.tmp\n\n')
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    await page.getByText('10.0 kB in 2 files, including 1 hidden file').waitFor()
    await page.getByText('2 files or folders were left out').click()
    await page.getByText('one: a symbolic link').waitFor()
    expect(await violations(page)).toEqual([])
  })

  test('a home directory is shared only when it is confirmed', async () => {
    writeFileSync(join(near.home, 'notes.txt'), randomBytes(5_000))
    await open('/share')
    await page.getByLabel('Path on the machine').fill(near.home)
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    const question = page.getByRole('dialog', { name: 'Share all of this?' })
    await question.getByText('is a home directory').waitFor()
    expect(await violations(page)).toEqual([])
    await question.getByRole('button', { name: 'Cancel' }).click()
    expect((await near.api<Transfer[]>('GET', '/transfers')).some((t) => t.path === near.home)).toBe(false)
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    await question.getByRole('button', { name: 'Share it anyway' }).click()
    await seeded(near, near.home)
  })

  test('a name that is typed at once is kept', async () => {
    await open('/share')
    // Before the browser has painted the field, as on a busy machine.
    await page.evaluate(() => new MutationObserver((_, o) => {
      const field = [...document.querySelectorAll('label')].find((l) => l.textContent.startsWith('Name of the share'))?.querySelector('input')
      if (!field) return
      o.disconnect()
      field.value = 'My name'
      field.dispatchEvent(new InputEvent('input', { bubbles: true }))
    }).observe(document.body, { childList: true, subtree: true }))
    await page.locator('.device input[type=file]').first().setInputFiles(['a.txt', 'b.txt'].map((n) => content(n, 1000)))
    await page.getByRole('button', { name: 'Copy and share' }).click()
    await page.getByRole('heading', { name: 'My name', exact: true }).waitFor()
  })

  test('a share is found that was hashed before the stream began', async () => {
    let begin = (): void => undefined
    const held = new Promise<void>((done) => { begin = done })
    await page.route('**/api/v1/events**', async (r) => { await held; await r.continue() })
    await open('/share')
    const path = content('early.bin', 1000)
    await page.getByLabel('Path on the machine').fill(path)
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    const { id } = await seeded(near, path)
    begin()
    await page.getByRole('img', { name: /QR code of the link/ }).waitFor()
    expect(new URL(page.url()).pathname).toBe(`/share/${id}`)
  })

  test('files of this device are given to the node and shared', async () => {
    const files = ['first.txt', 'second.txt'].map((n) => content(n, 200_000))
    await open('/share')
    await page.locator('.device input[type=file]').first().setInputFiles(files)
    await page.getByLabel('Name of the share').fill('Two files')
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Copy and share' }).click()
    await page.getByRole('heading', { name: 'Two files', exact: true }).waitFor()
    await page.getByRole('img', { name: /QR code of the link/ }).waitFor()
    const at = join(near.downloads, 'Uploads', 'Two files')
    const given = await seeded(near, at)
    for (const f of files) expect(readFileSync(join(at, basename(f))).equals(readFileSync(f))).toBe(true)
    expect(given.files).toBe(2)
    // What was copied for the share can be deleted with it.
    await open('/')
    await row('Two files').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Delete')
    await page.getByLabel(/Also delete/).check()
    await page.getByRole('button', { name: 'Remove and delete files' }).click()
    await page.goto(`${near.url}/share`) // whoever leaves meant it
    await until('the copy to be gone', () => !existsSync(at))
    // One that is dropped on any screen, and a folder with folders in it.
    await open('/')
    await page.evaluate(() => {
      const data = new DataTransfer()
      data.items.add(new File(['hello'], 'dropped.txt'))
      document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))
    })
    await page.getByText('dropped.txt').waitFor()
    await page.getByRole('button', { name: 'Choose others' }).click()
    const deep = folder('content', 'Deep', 'er')
    writeFileSync(join(deep, 'inside.txt'), 'inside')
    writeFileSync(join(deep, '..', 'top.txt'), 'top')
    await page.locator('.device input[type=file]').last().setInputFiles(join(deep, '..'))
    await page.getByRole('button', { name: 'Copy and share' }).click()
    await page.getByRole('heading', { name: 'Deep' }).waitFor()
    await page.getByRole('img', { name: /QR code of the link/ }).waitFor()
    expect(readFileSync(join(near.downloads, 'Uploads', 'Deep', 'er', 'inside.txt'), 'utf8')).toBe('inside')
  })

  test('what is being fetched is played, read from its end, and saved', async () => {
    const dir = folder('content', 'Concert')
    writeFileSync(join(dir, 'concert.mp4'), randomBytes(30_000_000))
    writeFileSync(join(dir, 'notes.txt'), 'the programme')
    const t = await share(dir)
    // Two minutes for all of it: it is not complete before its end was read, however slow the browser is.
    await far.api('PUT', '/limits', { up: 250_000, down: 0 })
    try {
      await near.api('POST', '/transfers', { link: t.link })
      await open(`/t/${t.id}/files`)
      await page.getByRole('button', { name: 'Show concert.mp4' }).click()
      await page.getByText('The part you watch is downloaded first').waitFor()
      expect(await page.locator('video').getAttribute('src')).toContain(`/transfers/${t.id}/files/`)
      expect(await violations(page)).toEqual([])
      await page.keyboard.press('Escape')
      // The last bytes come long before the rest.
      const got = await page.evaluate(async (src) => {
        const r = await fetch(src, { headers: { Range: 'bytes=-1000' } })
        return { status: r.status, range: r.headers.get('content-range'), bytes: [...new Uint8Array(await r.arrayBuffer())] }
      }, `/api/v1/transfers/${t.id}/files/0/content`)
      expect(got.status).toBe(206)
      expect(got.range).toBe('bytes 29999000-29999999/30000000')
      expect(Buffer.from(got.bytes)).toEqual(readFileSync(join(dir, 'concert.mp4')).subarray(-1000))
      const now = await near.api<Transfer>('GET', `/transfers/${t.id}`)
      expect(now.bytes).toBeLessThan(now.total)
      // All of it as one file, from what is not complete yet.
      const saved = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Download everything as one .zip' }).click()
      const download = await saved
      expect(download.suggestedFilename()).toBe('Concert.zip')
      await far.api('PUT', '/limits', { up: 0, down: 0 })
      const zip = readFileSync(await download.path())
      expect(zip.subarray(0, 2).toString()).toBe('PK')
      expect(zip.includes(readFileSync(join(dir, 'concert.mp4')))).toBe(true)
      expect(zip.includes('Concert/notes.txt')).toBe(true)
      await page.locator('.progress-line').getByText('Seeding').waitFor()
      const one = page.waitForEvent('download')
      await page.getByRole('link', { name: 'Download notes.txt' }).click()
      expect(readFileSync(await (await one).path(), 'utf8')).toBe('the programme')
    } finally {
      await far.api('PUT', '/limits', { up: 0, down: 0 })
    }
  })

  test('speed and discovery are told, and a reload keeps them', async () => {
    const t = await share(content('fast.bin', 4_000_000))
    // Long enough to have a rate.
    await near.api('PUT', '/limits', { up: 0, down: 1_000_000 })
    await near.api('POST', '/transfers', { link: t.link })
    await open(`/t/${t.id}`)
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    await near.api('PUT', '/limits', { up: 0, down: 0 })
    for (let i = 0; i < 2; i++) {
      await page.getByRole('img', { name: /^Last hour: now .*at most [1-9].* down/ }).waitFor()
      await page.locator('.chart canvas').waitFor()
      await page.reload()
    }
    await page.getByRole('button', { name: 'Last month' }).click()
    await page.getByRole('img', { name: /^Last month/ }).waitFor()
    await page.getByRole('tab', { name: 'Discovery' }).click()
    const way = (name: string) => page.getByRole('row', { name: new RegExp('^' + name) })
    await way('Link').getByText('Works').waitFor()
    await way('Local network').getByText('Not used for this transfer').waitFor()
    await page.getByRole('tab', { name: 'Log' }).click()
    await page.getByText('Link: 1 peer').waitFor()
  })

  test('a node that dies and comes back is followed', async () => {
    await open('/')
    await page.getByText('No transfers yet').waitFor()
    await near.stop('SIGKILL')
    await page.getByText('The page may be out of date').waitFor()
    await near.start()
    await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + '4'.repeat(40) + '&dn=afterwards' })
    await page.getByRole('button', { name: 'Try now' }).click({ timeout: 3000 }).catch(() => { /* it was quicker */ })
    await row('afterwards').waitFor({ timeout: 40_000 })
    await page.getByText('The page may be out of date').waitFor({ state: 'detached' })
  })

  test('states are filtered, several are acted upon', async () => {
    for (const d of ['7', '8', '9']) await near.api('POST', '/transfers', { link: `magnet:?xt=urn:btih:${d.repeat(40)}&dn=number ${d}`, paused: d === '9' })
    await page.clock.install()
    await open('/')
    await row('number 9').waitFor()
    await page.getByRole('button', { name: /^Paused/ }).click()
    await row('number 8').waitFor({ state: 'detached' })
    expect(new URL(page.url()).searchParams.get('show')).toBe('paused')
    await page.getByRole('button', { name: /^All/ }).click()
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click()
    expect(await page.locator('.grid-body [role=row] a').allInnerTexts()).toEqual(['number 7', 'number 8', 'number 9'])
    await page.getByLabel('Select all shown transfers').check()
    await page.getByText('3 selected').waitFor()
    await page.getByRole('toolbar').getByRole('button', { name: 'Remove' }).click()
    await page.getByRole('dialog').getByText('Remove 3 transfers?').waitFor()
    await page.getByLabel(/Also delete/).check()
    await page.getByRole('button', { name: 'Remove and delete files' }).click()
    await page.getByText('No transfers yet').waitFor()
    await page.clock.fastForward(20_000)
    await until('them to be gone', async () => (await near.api<Transfer[]>('GET', '/transfers')).length === 0)
  })

  test('what is here is found as one types, with its files', async () => {
    const dir = folder('content', 'Sonatas for <i>two')
    writeFileSync(join(dir, 'adagio.flac'), randomBytes(40_000))
    writeFileSync(join(dir, 'presto.flac'), randomBytes(50_000))
    await near.api('POST', '/shares', { path: dir })
    await seeded(near, dir)
    await open('/find')
    const box = page.getByLabel('Search', { exact: true })
    await box.fill('sonat')
    const hit = page.locator('.hits li', { hasText: 'Sonatas for' })
    await hit.getByText('On this node').waitFor()
    await hit.getByText('90.0 kB').waitFor()
    await hit.getByRole('link', { name: 'Already added' }).waitFor()
    await hit.getByRole('button', { name: /Sonatas/ }).click()
    await hit.getByText('presto.flac').waitFor()
    expect(await violations(page)).toEqual([])
    await box.fill('presto')
    await hit.locator('mark', { hasText: 'presto' }).waitFor()
    await box.fill('size:>1T')
    await page.getByText('No results').waitFor()
    await box.fill('size:>much')
    await page.getByRole('alert').waitFor()
    expect(new URL(page.url()).searchParams.get('q')).toBe('size:>much')
  })

  test('on a phone all of it is there', async () => {
    const t = await share(content('song.flac', 400_000))
    const c = await visit(browser, near, { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true })
    const p = await c.newPage()
    await p.goto(near.url + '/')
    await p.getByRole('button', { name: 'Add', exact: true }).tap()
    await p.getByLabel('Link').fill(t.link)
    await p.getByRole('button', { name: 'Preview' }).tap()
    await p.getByRole('button', { name: 'Download', exact: true }).tap()
    await p.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    for (const name of ['Share', 'Find', 'Network', 'Settings']) {
      await p.getByRole('navigation').getByRole('link', { name }).tap()
      await p.getByRole('heading', { name, level: 1 }).waitFor()
      expect(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name).toBe(true)
    }
    await p.getByRole('navigation').getByRole('link', { name: 'Transfers' }).tap()
    await p.getByLabel('Select song.flac').tap()
    await p.getByRole('toolbar').getByRole('button', { name: 'Pause' }).tap()
    await row2(p, 'song.flac').getByText('Paused', { exact: true }).waitFor()
    // What a screen is for is seen without scrolling: the code, the open tab.
    const bottom = (await p.getByRole('navigation').boundingBox())!.y
    await p.goto(`${near.url}/share/${t.id}`)
    await p.locator('.qr svg').waitFor()
    const code = (await p.locator('.qr').boundingBox())!
    expect(code.y + code.height).toBeLessThan(bottom)
    await p.goto(`${near.url}/t/${t.id}/log`)
    const tab = p.getByRole('tab', { name: 'Log' })
    await tab.waitFor()
    await until('the tab to be in sight', async () => { const b = (await tab.boundingBox())!; return b.x >= 0 && b.x + b.width <= 390 })
    await c.close()
  })

  test('the sources are served with a live node behind them', async () => {
    const { createServer } = await import('vite')
    process.env.SHOAL_NODE = near.url
    const server = await createServer({ root: join(import.meta.dirname, '..'), logLevel: 'error', server: { port: 0, host: '::1' } })
    try {
      await server.listen()
      const { port } = server.httpServer!.address() as { port: number }
      const { url } = await near.api<{ url: string }>('POST', '/sign-in')
      await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + 'c'.repeat(40) + '&dn=developed', paused: true })
      const c = await browser.newContext()
      const p = await c.newPage()
      await p.goto(`http://[::1]:${port}/${new URL(url).hash}`)
      await row2(p, 'developed').waitFor()
      await row2(p, 'developed').getByRole('checkbox').check()
      await p.getByRole('button', { name: 'Resume' }).click() // a write, too
      await row2(p, 'developed').getByText('Finding').waitFor()
      await c.close()
    } finally {
      await server.close()
      delete process.env.SHOAL_NODE
    }
  })

  test('a channel is made, filled, followed by its link, and searched', async () => {
    const file = content('nocturne.flac', 120_000)
    await near.api('POST', '/shares', { path: file })
    const t = await seeded(near, file)
    await open('/find')
    await page.getByLabel('Create a channel').fill('Night <i>music')
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: 'Night <i>music' }).waitFor()
    await page.getByText('No entries yet').waitFor()
    expect(await violations(page)).toEqual([])
    await open(`/share/${t.id}`)
    await page.getByRole('button', { name: 'Add to the channel' }).click()
    await page.getByRole('button', { name: 'Show' }).click()
    await page.locator('.hits li', { hasText: 'nocturne.flac' }).waitFor()
    await page.getByRole('button', { name: 'Link' }).click()
    const link = await page.getByRole('dialog').locator('code').first().innerText()
    expect(link).toMatch(/^magnet:\?xs=urn:btpk:[0-9a-f]{64}/)
    const png = PNG.sync.read(await page.locator('dialog .qr').screenshot())
    expect(jsQR(new Uint8ClampedArray(png.data), png.width, png.height)?.data).toBe(link)
    expect(await violations(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Publish' }).click()
    await page.getByText('Published', { exact: true }).waitFor({ timeout: 30_000 })

    // The other side, by the link alone.
    const c = await visit(browser, far)
    const p = await c.newPage()
    await p.goto(far.url + '/find')
    await p.getByLabel('Search', { exact: true }).fill(link)
    await p.getByRole('button', { name: 'Follow' }).click()
    await p.getByRole('heading', { name: 'Night <i>music' }).waitFor({ timeout: 30_000 })
    await p.locator('.hits li', { hasText: 'nocturne.flac' }).waitFor({ timeout: 30_000 })
    await p.goto(far.url + '/find?q=nocturne')
    const hit = p.locator('.hits li', { hasText: 'nocturne.flac' })
    await hit.getByRole('link', { name: 'Night <i>music' }).waitFor()
    await hit.getByRole('button', { name: 'Download' }).click()
    await p.getByRole('button', { name: 'Show' }).click()
    await p.getByRole('heading', { name: 'nocturne.flac' }).waitFor()
    await p.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    await p.goto(far.url + '/find')
    await p.getByRole('link', { name: 'Night <i>music' }).click()
    await p.getByRole('button', { name: 'Unfollow' }).click()
    await p.getByRole('dialog').getByRole('button', { name: 'Unfollow' }).click()
    await p.getByText('No channels yet. A channel is').waitFor()
    await c.close()
    await page.getByRole('button', { name: 'Remove nocturne.flac from the channel' }).click()
    await page.getByText('No entries yet').waitFor()
    await page.getByRole('button', { name: 'Delete the channel', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('No channels yet. A channel is').waitFor()
  })

  test('hostile names are text on every screen', async () => {
    const script = '<img src=x onerror=alert(1)>'
    const long = 'long '.repeat(2048)
    const dir = folder('content', 'evil')
    writeFileSync(join(dir, `${script}.html`), '<script>alert(1)</script>')
    mkdirSync(join(near.home, `${script}\u202efdp`), { recursive: true })
    const t = await share(dir, `"><script>alert(1)<script>${'x'.repeat(200)}`)
    await near.api('POST', '/transfers', { link: t.link })
    await near.api('POST', '/transfers', { link: `magnet:?xt=urn:btih:${'5'.repeat(40)}&dn=${encodeURIComponent('inv\u202efdp.exe')}` })
    const huge = await near.api<Transfer>('POST', '/transfers', { link: `magnet:?xt=urn:btih:${'a'.repeat(40)}&dn=${encodeURIComponent(script + long)}&tr=${encodeURIComponent(`http://[::1]:9/${script}\u202e`)}` })
    const own = join(near.home, 'Mine'), named = `${script}\u202e mine`
    mkdirSync(own, { recursive: true })
    writeFileSync(join(own, `\u202e${script}.svg`), '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
    await near.api('POST', '/shares', { path: own, name: named })
    const mine = await seeded(near, own)
    const tabs = ['', ...['files', 'pieces', 'peers', 'discovery', 'log'].map((k) => '/' + k)]
    for (const path of ['/', ...[t, huge, mine].flatMap((x) => tabs.map((k) => `/t/${x.id}${k}`)), '/share', `/share/${mine.id}`, '/find?q=script', '/network', '/settings']) {
      await open(path)
      await harmless(page, path)
    }
    // What asks before it does something, too.
    await open('/')
    await page.keyboard.press('a')
    await page.getByLabel('Link').fill(`magnet:?xt=urn:btih:${'b'.repeat(40)}&dn=${encodeURIComponent(`\u202e${script}${long}`)}`)
    await page.keyboard.press('Enter')
    await page.getByText('The link does not list the files').waitFor()
    await harmless(page, 'add')
    await page.keyboard.press('Escape')
    await page.keyboard.press('j')
    await page.keyboard.press('Delete')
    await page.getByRole('dialog').waitFor()
    await harmless(page, 'remove')
  })

  test('hostile files are saved, never shown', async () => {
    const dir = folder('content', 'web')
    const files: Record<string, string> = { 'a.html': '<script>alert(1)</script>', 'b.svg': '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'c.xml': '<a/>', 'd.pdf': '%PDF-1.4', 'e.png.html': '<b>' }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
    await near.api('POST', '/shares', { path: dir })
    const t = await seeded(near, dir)
    await open(`/t/${t.id}/files`)
    for (const [i, name] of Object.keys(files).entries()) {
      const saved = page.waitForEvent('download')
      await page.goto(`${near.url}/api/v1/transfers/${t.id}/files/${i}/content`).catch(() => { /* it is a download */ })
      expect((await saved).suggestedFilename()).toBe(name)
    }
    expect(page.url()).toBe(`${near.url}/t/${t.id}/files`)
  })

  test.each([
    ['of a transfer, at the usual size of text', 'transfer', []],
    ['of a transfer, at twice that size', 'transfer', [twice]],
    ['of all others, at the usual size of text', 'others', []],
    ['of all others, at twice that size', 'others', [twice]],
  ])('axe finds nothing, and nothing is cut off, on the screens %s', async (_name, screens, flags) => {
    const t = await share(content('paper.txt', 50_000))
    await near.api('POST', '/transfers', { link: t.link })
    await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + '6'.repeat(40) + '&dn=paused', paused: true })
    const b = await launch(undefined, ...flags)
    try {
      const p = await (await visit(b, near)).newPage()
      const see = (name: string): Promise<void> => looked(p, `${flags.length ? 'twice ' : ''}${name}`, async (where) => {
        await harmless(p, where)
        expect([where, await sideways(p), await cutOff(p)]).toEqual([where, false, []])
      })
      const paths = screens === 'transfer' ? [`/t/${t.id}`, ...['files', 'pieces', 'peers', 'discovery', 'log'].map((k) => `/t/${t.id}/${k}`)]
        : ['/', '/share', `/share/${t.id}`, '/find', '/find?q=paper', '/network', '/settings', '/t/' + '0'.repeat(40), '/nowhere']
      for (const path of paths) {
        await p.goto(near.url + path)
        await p.locator('main h1').first().waitFor()
        await until('the content', async () => (await p.locator('.working').count()) === 0)
        await see(path.replace(t.id, 'ID'))
      }
      if (screens === 'transfer') return
      await p.goto(near.url + '/')
      await row2(p, 'paused').waitFor()
      for (const k of ['j', 'Space']) await p.keyboard.press(k)
      await p.getByText('1 selected').waitFor()
      await see('selected')
      await p.keyboard.press('a')
      await p.getByRole('dialog').waitFor()
      await see('add')
    } finally {
      await b.close()
    }
  }, 120_000)
})

const row2 = (p: Page, name: string) => p.locator('.grid-body [role=row]', { hasText: name })
