// What is added by a file or by the picture of a code, in a real browser:
//
//	browser --- near --- far
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { clean, content, launch, missing, Node, publish, visit, watched } from './lab'

const lacks = missing()

describe.skipIf(lacks)('adding', { timeout: 60_000 }, () => {
  let browser: Browser, near: Node, far: Node, context: BrowserContext, page: Page
  let complaints: string[] = []

  const open = async (path: string): Promise<void> => {
    await page.goto(near.url + path)
    await page.locator('main h1').first().waitFor()
  }
  const choose = async (button: string, name: string, mimeType: string, buffer: Buffer): Promise<void> => {
    const asked = page.waitForEvent('filechooser')
    await page.getByText(button).click()
    await (await asked).setFiles({ name, mimeType, buffer })
  }

  beforeAll(async () => {
    ;[browser, near, far] = await Promise.all([launch(), new Node('near').start(), new Node('far').start()])
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await Promise.all([near?.stop(), far?.stop()])
    clean()
  })
  beforeEach(async () => {
    context = await visit(browser, near, { permissions: ['clipboard-read', 'clipboard-write'] })
    page = await context.newPage()
    complaints = watched(page)
  })
  afterEach(async () => {
    await context.close()
    expect(complaints).toEqual([])
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
    await page.getByRole('button', { name: 'Fetch', exact: true }).click()
    await page.getByRole('heading', { name: 'chosen.bin' }).waitFor()
    const { listen } = await far.api<{ listen: string[] }>('GET', '/node')
    await near.api('POST', `/transfers/${t.id}/peers`, { addresses: listen })
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    expect(readFileSync(join(near.downloads, 'chosen.bin')).equals(readFileSync(t.path))).toBe(true)
  })
})
