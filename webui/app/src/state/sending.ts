// Sends files of this device to the node by the tus protocol.
// What breaks off goes on where it was; after the page was closed, once the same files are
// given again.
import { base, Failure, get, message, send } from '../api/client'
import type { Coming, ComingFile, Transfer } from '../api/types'
import { wait } from '../lib/backoff'
import { folderOf, place, type Given } from '../lib/drop'
import { say } from '../words'
import { put } from './store'
import { chosen, interrupted, line, seal, upload } from './uploads'

const offsetType = 'application/offset+octet-stream'

/** tus sends a request of the tus protocol. It uses XMLHttpRequest because fetch reports no progress. */
function tus(method: string, path: string, headers: Record<string, string>, body?: Blob, progress?: (sent: number) => void): Promise<XMLHttpRequest> {
  return new Promise((done, failed) => {
    const r = new XMLHttpRequest()
    line.request = r
    r.open(method, path)
    r.setRequestHeader('Tus-Resumable', '1.0.0')
    for (const [k, v] of Object.entries(headers)) r.setRequestHeader(k, v)
    if (progress) r.upload.onprogress = (e) => progress(e.loaded)
    r.onerror = () => failed(new Failure(say('uploads.silent'), 0, 'no-node'))
    r.onabort = () => failed(new Error(say('uploads.stopped')))
    r.onload = () => (r.status < 300 ? done(r) : failed(new Failure(r.responseText.trim() || say('uploads.status', { status: r.status }), r.status, 'failed')))
    r.send(body ?? null)
  })
}

const encoded = (s: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(s)))

const filesOf = (id: string): string => `/incoming/${id}/files`

/** silent reports whether the node did not answer. What was asked may have been done. */
const silent = (e: unknown): boolean => e instanceof Failure && e.status === 0

/** passes reports whether sending more of a file again may help. */
const passes = (e: unknown): boolean => silent(e) || e instanceof Failure && (e.status === 409 || e.status === 423 || (e.status >= 500 && e.status !== 507))

/** lasting does step until it is done or trying again cannot help. step tells when it gets on. */
async function lasting<T>(step: (getsOn: () => void) => Promise<T>, again = silent): Promise<T> {
  for (let tries = 0; ; tries++) {
    if (line.cancelled) throw new Error(say('uploads.stopped'))
    try {
      return await step(() => { tries = 0 })
    } catch (e) {
      if (line.cancelled || !again(e)) throw e
      upload.value = { ...upload.value!, rate: 0, waits: message(e) }
      await new Promise<void>((done) => { line.wake = done; setTimeout(done, wait(tries, Math.random())) })
      if (upload.value) delete upload.value.waits
    }
  }
}

/** newKey names what is begun once, however often the node is asked for it. */
const newKey = (): string => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))

/** one sends a file, or the rest of it, until the node has all of it. */
function one(id: string, f: Given, path: string, known: ComingFile | undefined, progress: (sent: number) => void): Promise<void> {
  let at = known && `${base}${filesOf(id)}/${known.id}`
  const meta = `filename ${encoded(f.file.name)},relativePath ${encoded(path)},modified ${encoded(String(f.file.lastModified))},key ${encoded(newKey())}`
  return lasting(async (getsOn) => {
    let from = 0
    if (at) from = Number((await tus('HEAD', at, {})).getResponseHeader('Upload-Offset'))
    else at = (await tus('POST', base + filesOf(id), { 'Upload-Length': String(f.file.size), 'Upload-Metadata': meta })).getResponseHeader('Location') ?? ''
    progress(from)
    if (from < f.file.size) {
      await tus('PATCH', at, { 'Upload-Offset': String(from), 'Content-Type': offsetType }, f.file.slice(from), (n) => { if (n > 0) getsOn(); progress(from + n) })
    }
    progress(f.file.size)
  }, passes)
}

/** same finds the file that the node has of one that is given again: by its name, size and time. */
export const same = (known: readonly ComingFile[], path: string, f: Pick<File, 'size' | 'lastModified'>): ComingFile | undefined =>
  known.find((k) => k.path === path && k.size === f.size && (!k.modified || Date.parse(k.modified) === f.lastModified))

interface Part { given: Given; path: string }

/** parts are the files with their paths in the upload. */
function parts(files: readonly Given[]): Part[] {
  const inside = folderOf(files) !== undefined
  return files.map((given) => {
    const at = place(given.path, inside)
    return { given, path: [at.folder, at.name].filter(Boolean).join('/') }
  })
}

/** earlier finds an interrupted upload of these files: all that the node has of it is among them. */
async function earlier(all: readonly Part[], bytes: number): Promise<{ coming: Coming; known: ComingFile[] } | undefined> {
  for (const coming of interrupted()) {
    if (coming.files !== all.length || (coming.bytes ?? 0) !== bytes) continue
    const known = await get<ComingFile[]>(filesOf(coming.id))
    if (known.length > 0 && known.every((k) => all.some((p) => same([k], p.path, p.given.file)))) return { coming, known }
  }
  return undefined
}

/** give uploads files to the node and shares them; it returns the transfer. */
export async function give(files: readonly Given[], name: string, sealed: boolean | undefined): Promise<Transfer | undefined> {
  const all = parts(files)
  const total = files.reduce((n, f) => n + f.file.size, 0)
  const tree = files.length > 1 || folderOf(files) !== undefined
  line.cancelled = false
  upload.value = { name, sent: 0, total, left: files.length, rate: 0 }
  let before = 0
  let last = { at: performance.now(), sent: -1 }
  const progress = (sent: number): void => {
    const now = performance.now()
    const u = upload.value
    if (!u) return
    const whole = before + sent
    let { rate } = u
    if (last.sent < 0 || whole < last.sent) last = { at: now, sent: whole }
    else if (now - last.at >= 500) {
      rate = rate * 0.6 + (whole - last.sent) / (now - last.at) * 1000 * 0.4
      last = { at: now, sent: whole }
    }
    upload.value = { ...u, sent: whole, rate }
  }
  try {
    const found = await lasting(() => earlier(all, total))
    const known = found?.known ?? []
    const begin = { name: tree ? name : all[0]!.path, tree, files: all.length, bytes: total, key: newKey() }
    const { id } = found?.coming ?? await lasting(() => send<Coming>('POST', '/incoming', begin))
    for (const [i, p] of all.entries()) {
      if (line.cancelled) throw new Error(say('uploads.stopped'))
      upload.value = { ...upload.value!, left: all.length - i }
      const has = same(known, p.path, p.given.file)
      if (!has?.number) await one(id, p.given, p.path, has, progress)
      before += p.given.file.size
      progress(0)
    }
    const root = (await lasting(() => get<Coming[]>('/incoming'))).find((c) => c.id === id)?.root
    const t = await lasting(() => send<Transfer>('POST', '/shares', { path: root, ...seal(sealed) }))
    await lasting(() => send('DELETE', `/incoming/${id}?keep=true`)).catch((e: unknown) => {
      if (!(e instanceof Failure && e.status === 404)) throw e // it is gone: an answer was lost
    })
    put(t)
    upload.value = undefined
    chosen.value = []
    return t
  } catch (e) {
    if (line.cancelled) upload.value = undefined
    else upload.value = { ...upload.value!, rate: 0, error: message(e) }
    return undefined
  } finally {
    line.request = undefined
  }
}
