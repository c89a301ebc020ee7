// The upload of this page, which continues while other screens are shown.
// How it is sent is in sending.ts, which is loaded for the first one.
import { signal } from '@preact/signals'
import type { Coming } from '../api/types'
import type { Given } from '../lib/drop'
import { incoming } from './store'

/** Upload is an upload of files from this device to the node. */
export interface Upload {
  name: string
  sent: number
  total: number
  left: number // files
  rate: number // bytes per second
  waits?: string // why nothing is sent now
  error?: string
}

/** chosen are the files to upload to the node. */
export const chosen = signal<Given[]>([])

/** upload is the current upload. */
export const upload = signal<Upload | undefined>(undefined)

/** line is what an upload does now, so that it can be stopped. */
export const line: { request?: XMLHttpRequest | undefined; wake?: () => void; cancelled: boolean } = { cancelled: false }

/** seal is the part of a request that says whether to seal a share; undefined leaves it to the setting of the node. */
export const seal = (on: boolean | undefined): { sealed?: true; plain?: true } => (on === undefined ? {} : on ? { sealed: true } : { plain: true })

/** interrupted are the uploads of the owner that nobody sends now. */
export const interrupted = (): Coming[] => Object.values(incoming.value ?? {}).filter((c) => c.kind === 'upload' && !c.active)

/** stop interrupts the current upload, which can be continued. */
export function stop(): void {
  line.cancelled = true
  line.request?.abort()
  line.wake?.()
  upload.value = undefined
}

if (typeof addEventListener === 'function') {
  addEventListener('beforeunload', (e) => { if (upload.value && !upload.value.error) e.preventDefault() })
  addEventListener('online', () => line.wake?.())
}
