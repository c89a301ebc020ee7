// Sealed shares on the page: sharing one, a node that only seeds one, and giving it the
// key. SHOTS=DIR takes a picture of each screen, light, dark and as on a phone.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import type { Transfer } from '../src/api/types'
import { folder, harmless, looked, missing, Node, seeded, stage, until, type Stage } from './lab'

const why = missing()
const key = /[?&]x\.k=[0-9a-f]{64}$/

describe.skipIf(why)('sealed shares', { timeout: 240_000 }, () => {
  let { near, far, page, open } = {} as Stage
  stage((s) => { ({ near, far, page, open } = s) }, async () => [await new Node('near').start(), await new Node('far').start()])

  const letters = (name: string): string => {
    const dir = folder('content', name)
    for (const f of ['first letter.txt', 'second letter.txt']) writeFileSync(join(dir, f), randomBytes(150_000))
    return dir
  }
  const sealed = async (n: Node, path: string): Promise<Transfer> => {
    await n.api('POST', '/shares', { path, sealed: true })
    return seeded(n, path)
  }
  /** told is what the lock of the page says. */
  const told = (p: Page) => p.locator('.sealed')

  const see = (name: string): Promise<void> => looked(page, `sealed ${name}`, (where) => harmless(page, where))

  test('a folder is shared sealed, and both links are offered', async () => {
    const dir = letters('Letters')
    await open('/share')
    await page.getByLabel('Path on the machine').fill(dir)
    expect(await page.getByRole('switch', { name: /Sealed/ }).isChecked()).toBe(false)
    await page.getByRole('switch', { name: /Sealed/ }).check()
    await page.getByText('Only people with the full link can read it').waitFor()
    await see('form')
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    await told(page).getByText('Sealed: only people with the full link can read it').waitFor()
    const t = await seeded(near, dir)
    expect(t.seal).toBe('open')
    expect(t.link).toMatch(key)
    await page.getByRole('img', { name: 'QR code of the link with the key' }).waitFor()
    await see('links')
    const clipboard = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText())
    await page.getByRole('button', { name: 'Copy link with the key' }).click()
    await until('the link to be copied', async () => await clipboard() === t.link)
    await page.getByRole('button', { name: 'Copy link without the key' }).click()
    await until('the blind link to be copied', async () => await clipboard() === t.link.replace(key, ''))
    await page.getByText('Only a sealed channel can list it').waitFor()

    await open('/')
    await page.getByRole('img', { name: 'Sealed: only people with the full link can read it' }).waitFor()
    await page.getByRole('link', { name: 'Letters' }).click()
    await told(page).getByText('Sealed: only people with the full link can read it').waitFor()
    await see('details')
    await page.getByRole('tab', { name: 'Files' }).click()
    await page.getByText('first letter.txt').waitFor()
  })

  test('the setting is the default of the switch, and the switch decides', async () => {
    await near.api('PATCH', '/config', { sealed: 'true' })
    const [one, two] = [letters('One'), letters('Two')]
    await open('/share')
    await page.getByLabel('Path on the machine').fill(one)
    await until('the switch to be on', () => page.getByRole('switch', { name: /Sealed/ }).isChecked())
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    expect((await seeded(near, one)).seal).toBe('open')
    await open('/share')
    await page.getByLabel('Path on the machine').fill(two)
    await until('the switch to be on', () => page.getByRole('switch', { name: /Sealed/ }).isChecked())
    await page.getByRole('switch', { name: /Sealed/ }).uncheck()
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    expect((await seeded(near, two)).seal).toBeUndefined()
    await near.api('DELETE', '/config/sealed')
  })

  test('files of this device are sealed', async () => {
    await open('/share')
    const f = join(folder('content'), 'note.txt')
    writeFileSync(f, 'a short note')
    await page.locator('.device input[type=file]').first().setInputFiles([f])
    await page.getByRole('switch', { name: /Sealed/ }).check()
    await page.getByRole('button', { name: 'Copy and share' }).click()
    await told(page).getByText('Sealed: only people with the full link').waitFor()
  })

  test('who adds the full link reads and saves the files', async () => {
    const dir = letters('Postcards')
    const t = await sealed(far, dir)
    await open('/')
    await page.keyboard.press('a')
    await page.getByLabel('Link').fill(t.link)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('The share is sealed, and the link has the key to it.').waitFor()
    await see('add')
    await page.getByRole('button', { name: 'Download', exact: true }).click()
    await page.getByRole('heading', { name: 'Postcards' }).waitFor()
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 30_000 })
    await told(page).getByText('Sealed: only people with the full link can read it').waitFor()
    await page.getByRole('tab', { name: 'Files' }).click()
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download first letter.txt' }).click()])
    expect(readFileSync((await saved.path())!).equals(readFileSync(join(dir, 'first letter.txt')))).toBe(true)
    const [zip] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download everything as one .zip' }).click()])
    expect(readFileSync((await zip.path())!).includes(readFileSync(join(dir, 'second letter.txt')))).toBe(true)
    expect(readFileSync(join(near.downloads, 'Postcards', 'first letter.txt')).equals(readFileSync(join(dir, 'first letter.txt')))).toBe(true)
  })

  test('the full link is added to what the node seeds without the key', async () => {
    const t = await sealed(far, letters('Recipes'))
    await near.api('POST', '/transfers', { link: t.link.replace(key, '') })
    await until('the blob', async () => (await near.api<Transfer[]>('GET', '/transfers')).find((o) => o.id === t.id && o.state === 'seeding'))
    await open('/')
    await page.keyboard.press('a')
    await page.getByLabel('Link').fill(t.link)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Open with this link?' }).getByText('Nothing is downloaded again').waitFor()
    await see('open')
    await page.getByRole('dialog').getByRole('button', { name: 'Open', exact: true }).click()
    await page.getByRole('heading', { name: 'Recipes' }).waitFor()
  })

  test('no key gets into the address of the page', async () => {
    const secret = 'b1'.repeat(32)
    const link = `magnet:?xt=urn:btih:${'1'.repeat(40)}&x.k=${secret}`
    const channel = `magnet:?xs=urn:btpk:${'ab'.repeat(32)}&x.k=${secret}`
    const asked: string[] = []
    page.on('request', (r) => asked.push(r.url()))
    const kept = async (): Promise<void> => {
      expect(page.url()).not.toContain(secret.slice(0, 16))
      expect(asked.filter((u) => u.includes(secret.slice(0, 16)))).toEqual([])
    }
    await open('/')
    await page.keyboard.press('a')
    await page.getByLabel('Link').fill(channel)
    await page.keyboard.press('Enter')
    await page.getByText('This is a channel link.').waitFor()
    await kept()
    const box = page.getByRole('searchbox', { name: 'Search' })
    expect(await box.inputValue()).toBe(channel)
    await box.fill(link)
    await page.getByText('This is a link.').waitFor()
    await kept()
    await box.fill(link.slice(3))
    await page.getByText('This link is damaged').waitFor()
    await box.fill('words')
    await until('the words', () => new URL(page.url()).searchParams.get('q') === 'words')
    await kept()
    await page.getByRole('link', { name: 'Transfers' }).first().click()
    await page.goBack()
    expect(await box.inputValue()).toBe('words')
    await kept()
  })

  test('a node without the key says what it cannot read', async () => {
    const t = await sealed(far, letters('Diaries'))
    await near.api('POST', '/transfers', { link: t.link.replace(key, '') })
    const here = await until('the blob', async () => (await near.api<Transfer[]>('GET', '/transfers')).find((o) => o.id === t.id && o.state === 'seeding'))
    expect(here.seal).toBe('blind')
    await open('/')
    const says = /^Sealed, [0-9.]+ kB: this node cannot read it$/
    await page.getByRole('img', { name: says }).waitFor()
    await page.getByRole('link', { name: /^Sealed, [0-9.]+ kB$/ }).waitFor()
    await see('list')
    await page.getByRole('link', { name: /^Sealed, [0-9.]+ kB$/ }).click()
    await told(page).getByText(says).waitFor()
    await see('blind')
    await page.getByRole('tab', { name: 'Files' }).click()
    await page.getByRole('heading', { name: says }).waitFor()
    await see('blind-files')
    expect(await page.getByText('Diaries').count()).toBe(0)
    expect(readFileSync(here.path).includes('letter.txt')).toBe(false)

    // The full link is given later: wrong ones are told apart, and nobody is asked again.
    await far.api('POST', `/transfers/${t.id}/pause`)
    await page.getByRole('button', { name: 'Open with the full link' }).click()
    const link = page.getByLabel('Full link', { exact: true })
    for (const [text, says] of [
      ['hello', 'This is not one link'], [t.link.replace(/btih:.{8}/, 'btih:00000000'), 'This link names another share'],
      [t.link.replace(key, ''), 'This link has no key'], [t.link.slice(0, -8) + '00000000', 'does not belong to'],
    ] as const) {
      await link.fill(text)
      await link.press('Enter')
      await page.getByRole('alert').getByText(says).waitFor()
      expect(await page.getByRole('alert').innerText()).not.toContain(t.link.slice(-64, -40))
    }
    await see('unseal')
    await link.fill(t.link)
    await page.getByRole('dialog').getByRole('button', { name: 'Open', exact: true }).click()
    await page.getByRole('heading', { name: 'Diaries' }).waitFor()
    await told(page).getByText('Sealed: only people with the full link can read it').waitFor()
    await until('the files', async () => (await near.api<Transfer>('GET', `/transfers/${t.id}`)).state === 'seeding')
    for (const f of ['first letter.txt', 'second letter.txt']) {
      expect(readFileSync(join(near.downloads, 'Diaries', f)).equals(readFileSync(join(t.path, f)))).toBe(true)
    }
  })
})
