// Uploading files of this device to the node, which then shares them.
import { signal } from '@preact/signals'
import { base, message, send } from '../api/client'
import type { Problem, Transfer, Uploaded } from '../api/types'
import { folderOf, place, type Given } from '../lib/drop'
import { put } from './store'

/** Upload is an upload of files from this device to the node. */
export interface Upload {
  name: string
  sent: number
  total: number
  now: string // the current file
  left: number // files
  error?: string
}

/** chosen are the files to upload to the node. */
export const chosen = signal<Given[]>([])

/** upload is the current upload; it continues while other screens are shown. */
export const upload = signal<Upload | undefined>(undefined)

let request: XMLHttpRequest | undefined
let cancelled = false

/** one uploads a file. It uses XMLHttpRequest because fetch reports no progress. */
function one(f: Given, query: string, name: string, progress: (sent: number) => void): Promise<Uploaded> {
  return new Promise((done, failed) => {
    const r = new XMLHttpRequest()
    request = r
    r.open('POST', `${base}/uploads/${encodeURIComponent(name)}${query}`)
    r.setRequestHeader('Content-Type', 'application/octet-stream')
    r.upload.onprogress = (e) => progress(e.loaded)
    r.onerror = () => failed(new Error('The node does not answer. Is it running?'))
    r.onabort = () => failed(new Error('Stopped'))
    r.onload = () => {
      try {
        const body = JSON.parse(r.responseText) as Uploaded & Partial<Problem>
        if (r.status === 200) done(body)
        else failed(new Error(body.detail ?? `The node answered ${r.status}`))
      } catch {
        failed(new Error(`The node answered ${r.status}`))
      }
    }
    r.send(f.file)
  })
}

/** seal is the part of a request that says whether to seal a share; undefined leaves it to the setting of the node. */
export const seal = (on: boolean | undefined): { sealed?: true; plain?: true } => (on === undefined ? {} : on ? { sealed: true } : { plain: true })

/** give uploads files to the node and shares them; it returns the transfer. */
export async function give(files: readonly Given[], name: string, sealed: boolean | undefined): Promise<Transfer | undefined> {
  const total = files.reduce((n, f) => n + f.file.size, 0)
  const inside = folderOf(files) !== undefined
  let before = 0
  let root = ''
  let own = '' // the folder name that the node chose
  cancelled = false
  upload.value = { name, sent: 0, total, now: '', left: files.length }
  try {
    for (const [i, f] of files.entries()) {
      if (cancelled) throw new Error('Stopped')
      const at = place(f.path, inside)
      const folder = files.length === 1 && !inside ? '' : [own || name, at.folder].filter(Boolean).join('/')
      const query = folder ? `?folder=${encodeURIComponent(folder)}${own ? '&join=true' : ''}` : ''
      upload.value = { ...upload.value!, now: at.name, left: files.length - i }
      const u = await one(f, query, at.name, (sent) => {
        if (upload.value) upload.value = { ...upload.value, sent: before + Math.min(sent, f.file.size) }
      })
      own = u.folder ?? ''
      root = u.root
      before += f.file.size
    }
    const t = await send<Transfer>('POST', '/shares', { path: root, ...seal(sealed) })
    put(t)
    upload.value = undefined
    chosen.value = []
    return t
  } catch (e) {
    if (cancelled) upload.value = undefined
    else upload.value = { ...upload.value!, error: message(e) }
    return undefined
  } finally {
    request = undefined
  }
}

/** stop cancels the current upload. */
export function stop(): void {
  cancelled = true
  request?.abort()
  upload.value = undefined
}

if (typeof addEventListener === 'function') {
  addEventListener('beforeunload', (e) => { if (upload.value && !upload.value.error) e.preventDefault() })
}
