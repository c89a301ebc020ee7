// What is added by a file or by the picture of a code, in a real browser:
//
//	browser --- near --- far
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PNG } from 'pngjs'
import type { Page } from 'playwright-core'
import { encode } from 'uqr'
import { describe, expect, test } from 'vitest'
import { content, folder, harmless, missing, publish, stage, type Stage, until, violations, visit } from './lab'

const lacks = missing()

/** code is a picture of text as a code; of none it is plain. */
function code(text?: string): Buffer {
  const { data, size } = text === undefined ? { data: [], size: 40 } : encode(text, { ecc: 'L', border: 4 })
  const png = new PNG({ width: 4 * size, height: 4 * size })
  for (let i = 0; i < png.width * png.height; i++) {
    const dark = data[Math.floor(i / png.width / 4)]?.[Math.floor((i % png.width) / 4)]
    png.data.set(dark ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * i)
  }
  return PNG.sync.write(png)
}

describe.skipIf(lacks)('adding', { timeout: 120_000 }, () => {
  let { browser, near, far, page, open } = {} as Stage
  stage((s) => { ({ browser, near, far, page, open } = s) })

  const choose = async (button: string, name: string, mimeType: string, buffer: Buffer): Promise<void> => {
    const asked = page.waitForEvent('filechooser')
    await page.getByText(button).click()
    await (await asked).setFiles({ name, mimeType, buffer })
  }

  const scan = (b: Buffer, name = 'code.png'): Promise<void> => choose('Scan a QR code', name, 'image/png', b)
  /** on is a page of far, with what it complains of. */
  const onFar = async (path: string): Promise<Page> => {
    const p = await (await visit(browser, far)).newPage()
    await p.goto(far.url + path)
    return p
  }
  const dialog = () => page.getByRole('dialog')
  const focused = (): Promise<string | null | undefined> => page.evaluate(() => document.activeElement?.textContent)

  test('what is there already is compared, and completed in place', async () => {
    const t = await publish(far, content('there.bin', 500_000))
    const mine = readFileSync(t.path)
    mine.fill(0, 0, 1000)
    mkdirSync(near.downloads, { recursive: true })
    writeFileSync(join(near.downloads, 'there.bin'), mine)
    await open('/')
    await page.keyboard.press('a')
    await choose('Choose a .torrent file', 'there.torrent', 'application/x-bittorrent', await far.torrent(t.id))
    await page.getByLabel('Complete files that are already there').check()
    await dialog().getByText('The folder has 1 file with these names (500 kB): 96 % of the data is right').waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByLabel('Folder on the node').fill(near.home)
    await dialog().getByText('The folder has no files with these names').waitFor()
    await page.getByLabel('Folder on the node').fill(near.downloads)
    await dialog().getByText('96 % of the data is right').waitFor()
    await page.getByRole('button', { name: 'Download', exact: true }).click()
    await page.getByRole('heading', { name: 'there.bin' }).waitFor()
    const { listen } = await far.api<{ listen: string[] }>('GET', '/node')
    await near.api('POST', `/transfers/${t.id}/peers`, { addresses: listen })
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    expect(readFileSync(join(near.downloads, 'there.bin')).equals(readFileSync(t.path))).toBe(true)
    expect(readdirSync(near.downloads).filter((n) => n.startsWith('there'))).toEqual(['there.bin'])
    await page.getByRole('tab', { name: 'Log' }).click()
    await page.getByText(/there\.bin is completed in place: 96 % of it is right/).waitFor()
  })

  test('a key that is pressed as soon as the page is seen counts', async () => {
    await page.addInitScript(() => {
      new MutationObserver((_, self) => {
        if (!document.querySelector('.shell')) return
        self.disconnect()
        // Before the next frame, after which effects begin.
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', bubbles: true, cancelable: true }))
      }).observe(document, { childList: true, subtree: true })
    })
    await open('/')
    await dialog().getByText('Add a transfer').waitFor()
  })

  test('one dialog follows the other at once, and the focus goes back to where it was before both', async () => {
    const t = await publish(far, content('followed.bin', 1000))
    await near.api('POST', '/transfers', { link: 'magnet:?xt=urn:btih:' + '1'.repeat(40) + '&dn=one', paused: true })
    await open('/')
    await page.getByRole('link', { name: 'one' }).waitFor()
    await page.keyboard.press('j')
    await until('the row to have the focus', async () => (await focused()) === 'one')
    // A key that is pressed while a dialog is not open yet would go to the screen below.
    await page.evaluate(() => {
      const seen = Object.assign(window, { seen: [] as string[] }).seen
      new MutationObserver(() => { for (const d of document.querySelectorAll('dialog')) seen.push(`${d.open ? 'open' : 'not yet open'}: ${d.querySelector('h2')!.innerText}`) }).observe(document.body, { childList: true, subtree: true })
    })
    await page.keyboard.press('a')
    await page.getByLabel('Link').fill(t.link)
    await page.keyboard.press('Enter')
    await dialog().getByText('followed.bin').waitFor()
    const seen = await page.evaluate(() => (window as unknown as { seen: string[] }).seen)
    expect([...new Set(seen)]).toEqual(['open: Add a transfer', 'open: Download this?'])
    expect(await focused()).toBe('followed.bin')
    await page.keyboard.press('Escape')
    await dialog().waitFor({ state: 'detached' })
    expect(await focused()).toBe('one')
  })

  test('names that are others on disk, or on Windows, are listed', async () => {
    const dir = folder('content', 'Named')
    writeFileSync(join(dir, 'aux.c'), 'aux')
    writeFileSync(join(dir, 'gpj\u202eexe'), 'hidden')
    writeFileSync(join(dir, 'taken.txt'), randomBytes(40_000))
    const t = await publish(far, dir)
    const p = await onFar(`/share/${t.id}`)
    await p.getByText('Names that will change on Windows (1 file)').click()
    await p.getByText('aux.c → _aux.c').waitFor()
    expect(await violations(p)).toEqual([])
    await p.context().close()
    mkdirSync(join(near.downloads, 'Named'), { recursive: true })
    writeFileSync(join(near.downloads, 'Named', 'taken.txt'), randomBytes(40_000)) // of somebody else
    await near.api('POST', '/transfers', { link: t.link })
    await open(`/t/${t.id}/files`)
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    await page.getByText('Names that are different on disk (2 files)').click()
    await page.getByText('taken.txt → taken (2).txt').waitFor()
    await page.getByText('gpj_exe', { exact: true }).first().waitFor()
    expect(await violations(page)).toEqual([])
  })

  test('a torrent is chosen as a file, after one of the same name that is none', async () => {
    const t = await publish(far, content('chosen.bin', 500_000))
    await open('/')
    await page.keyboard.press('a')
    const torrent = (b: Buffer): Promise<void> => choose('Choose a .torrent file', 'chosen.torrent', 'application/x-bittorrent', b)
    await torrent(Buffer.from('nothing of the kind'))
    await page.getByText('“chosen.torrent” is not a .torrent file').waitFor()
    // A browser tells of a choice only if it is another than before; the debugger's always.
    expect(await page.locator('dialog input[type=file]').first().inputValue()).toBe('')
    await torrent(await far.torrent(t.id))
    await page.getByRole('dialog').getByText('chosen.bin').first().waitFor()
    await page.getByRole('button', { name: 'Download', exact: true }).click()
    await page.getByRole('heading', { name: 'chosen.bin' }).waitFor()
    const { listen } = await far.api<{ listen: string[] }>('GET', '/node')
    await near.api('POST', `/transfers/${t.id}/peers`, { addresses: listen })
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    expect(readFileSync(join(near.downloads, 'chosen.bin')).equals(readFileSync(t.path))).toBe(true)
  })

  test('a code on the other screen is scanned, and what it names is fetched', async () => {
    const t = await publish(far, content('scanned <i>song.flac', 300_000))
    const p = await onFar(`/share/${t.id}`)
    await p.getByRole('img', { name: /QR code of the link/ }).waitFor()
    const shot = await p.screenshot()
    await p.context().close()
    await open('/')
    await page.keyboard.press('a')
    await scan(shot, 'screenshot.png')
    await dialog().getByText('scanned <i>song.flac').first().waitFor()
    await page.getByRole('button', { name: 'Download', exact: true }).click()
    await page.locator('.progress-line').getByText('Seeding').waitFor()
    // Other files that are dropped while one is asked for a link are to be shared.
    await page.keyboard.press('a')
    await page.evaluate(() => {
      const data = new DataTransfer()
      data.items.add(new File(['hello'], 'dropped.txt'))
      document.querySelector('dialog form p')!.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))
    })
    await page.getByText('Share from this device?').waitFor()
    expect(await dialog().count()).toBe(0)
    await page.getByRole('button', { name: 'Choose others' }).click()
    // A large photo of it that lies askew, pasted where one is.
    const held = await page.evaluate(async (png) => {
      const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]))
      const canvas = new OffscreenCanvas(4000, 3000)
      const c = canvas.getContext('2d')!
      c.fillStyle = '#867'
      c.fillRect(0, 0, 4000, 3000)
      c.setTransform(3, 0.5, -0.4, 2.8, 2000, 1500)
      c.rotate(0.75)
      c.drawImage(picture, -300, -300, 600, 600)
      const data = new DataTransfer()
      data.items.add(new File([await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.7 })], 'photo.jpg', { type: 'image/jpeg' }))
      document.body.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: data }))
      return data.files[0]!.size
    }, code(t.link).toString('base64'))
    expect(held).toBeGreaterThan(50_000)
    await dialog().getByText('This node already has this transfer').waitFor()
    // In a field it is no text; with text beside it, it is that which is meant.
    const paste = (on: string, text: string): Promise<boolean> => page.evaluate(([on, png, text]) => {
      const data = new DataTransfer()
      data.items.add(new File([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))], 'code.png', { type: 'image/png' }))
      if (text) data.setData('text/plain', text)
      return document.querySelector(on)!.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: data }))
    }, [on, code(t.link).toString('base64'), text] as const)
    await page.getByRole('button', { name: 'Back' }).click()
    expect(await paste('#add-link', 'some words')).toBe(true)
    expect(await paste('#add-link', '')).toBe(false)
    await dialog().getByText('This node already has this transfer').waitFor()
    await open('/find')
    expect(await paste('input[type=search]', 'some words')).toBe(true)
    expect(await paste('input[type=search]', '')).toBe(false)
    await dialog().getByText('This node already has this transfer').waitFor()
  })

  test('a channel is followed by its code, where one asks for it', async () => {
    const c = await far.api<{ key: string; link: string }>('POST', '/channels', { name: 'Scanned' })
    const p = await onFar(`/find/${c.key}`)
    await p.getByRole('button', { name: 'Link' }).click()
    await p.getByRole('img', { name: /QR code of the channel/ }).waitFor()
    const shot = await p.screenshot()
    await p.context().close()
    await open('/')
    await page.keyboard.press('a')
    await scan(shot)
    await page.getByText('This is a channel link').waitFor()
    expect(await near.api('GET', '/channels')).toEqual([])
    await open('/find')
    await scan(shot)
    await page.waitForURL(`**/find/${c.key}`)
    await page.getByText('followed', { exact: true }).waitFor()
    expect(await near.api('GET', '/channels')).toMatchObject([{ key: c.key, link: c.link, own: false }])
    // The code of a share is no mistake there.
    await open('/find')
    await scan(code('magnet:?xt=urn:btih:' + 'd'.repeat(40) + '&dn=not%20a%20channel'))
    await dialog().getByText('not a channel').waitFor()
  })

  test('a picture that does not help says why, and nothing in it is done', async () => {
    const asked: string[] = []
    page.on('request', (r) => { if (r.method() !== 'GET') asked.push(r.url()) })
    await open('/')
    await page.keyboard.press('a')
    await scan(code())
    await page.getByText('No QR code was found in the picture').waitFor()
    await scan(Buffer.from('GIF89a, but no more'), 'broken.gif')
    await page.getByText('“broken.gif” is not a picture that this browser can open').waitFor()
    await scan(code())
    await page.getByText('No QR code was found in the picture').waitFor()
    for (const evil of ['<script>alert(1)</script><img src=x onerror=alert(1)>', 'javascript:alert(1)', `\u202e${'evil '.repeat(500)}`]) {
      await scan(code(evil))
      await dialog().getByRole('alert').getByText(evil.startsWith('\u202e') ? '\ufffdevil' : evil).waitFor()
      await harmless(page, evil)
    }
    expect(await violations(page)).toEqual([])
    // A web address is shown; the node is not sent there by a code alone.
    const address = `${far.url}/evil.torrent`
    await scan(code(address))
    await page.getByText('The QR code contains this web address').waitFor()
    expect(await page.getByLabel('Link').inputValue()).toBe(address)
    expect(await violations(page)).toEqual([])
    expect(asked).toEqual([])
    await page.keyboard.press('Escape')
    await page.goto(`${near.url}/find`)
    await scan(code(address))
    await page.getByText(`It contains a web address: “${address}”`).waitFor()
    expect(asked).toEqual([])
  })
})
