// The settings of the node as this page knows them, and restarting the node.
import { effect, signal } from '@preact/signals'
import { get, message, send } from '../api/client'
import type { Info, NodeLimits, Restart, Setting } from '../api/types'
import { link, retry } from '../state/stream'
import { toast } from '../state/toasts'
import { say } from '../words'

export const settings = signal<Setting[] | undefined>(undefined)
export const limits = signal<NodeLimits | undefined>(undefined)
export const restart = signal<Restart | undefined>(undefined)
export const trouble = signal('')

/** restarting is true from the request until the node is there again. */
export const restarting = signal(false)

let newest: Promise<boolean> | undefined

/** load asks the node for everything that the screen shows, and tells whether it is known. An answer that a later one has overtaken is dropped. */
export function load(): Promise<boolean> {
  const mine: Promise<boolean> = Promise.all([get<Setting[]>('/config'), get<NodeLimits>('/limits'), get<Restart>('/restart')]).then((all) => {
    if (newest !== mine) return newest!
    ;[settings.value, limits.value, restart.value] = all
    trouble.value = ''
    return true
  }, (e: unknown) => {
    if (newest !== mine) return newest!
    trouble.value = message(e)
    return false
  })
  return newest = mine
}

/** save changes one setting, and throws what the node says against it. It tells whether the new value is known here. */
export async function save(name: string, text: string): Promise<boolean> {
  await send('PATCH', '/config', { [name]: text })
  const known = await load()
  const s = settings.peek()?.find((x) => x.name === name)
  toast(s?.live ? say('settings.saved') : say('settings.saved.later'))
  return known
}

/** forget resets one setting to what the file says, or to its default. */
export async function forget(name: string, toFile: boolean): Promise<void> {
  await send('DELETE', `/config/${name}`)
  await load()
  toast(say(toFile ? 'settings.forgotten.file' : 'settings.forgotten'))
}

/** again restarts the node and waits until another one answers. */
export async function again(): Promise<void> {
  try {
    const { boot } = await get<Info>('/node')
    await send('POST', '/restart')
    restarting.value = true
    await other(boot)
    await load()
    const failed = restart.peek()?.failed
    if (failed) toast(say('restart.failed.short'), { bad: true })
    else toast(say('restart.done'))
  } catch (e) {
    toast(message(e), { bad: true })
  } finally {
    restarting.value = false
  }
}

/** other waits for a node with another boot. The event stream notices when there is one. */
function other(boot: string): Promise<void> {
  return new Promise((done) => {
    const impatient = setInterval(() => {
      if (link.peek().state === 'lost') retry()
    }, 1000)
    const stop = effect(() => {
      if (link.value.state !== 'live') return
      get<Info>('/node').then((i) => {
        if (i.boot === boot) return
        clearInterval(impatient)
        stop()
        done()
      }, () => {})
    })
  })
}
