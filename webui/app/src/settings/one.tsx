// One setting: its name in words, its value, where that is from, and the means to change it.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { message } from '../api/client'
import type { Setting } from '../api/types'
import { parseSize } from '../lib/format'
import { shown } from '../lib/text'
import { toast } from '../state/toasts'
import { Button, Problem } from '../ui/basics'
import { useTyped } from '../ui/typed'
import { say, type Key } from '../words'
import { Schedule } from './schedule'
import { forget, save } from './state'

const word = (key: string, otherwise: string): string => {
  const text = say(key as Key)
  return text === key ? otherwise : text
}

/** titleOf and helpOf are a setting in words; a setting that the page does not know has those of the node. */
export const titleOf = (s: { name: string }): string => word(`setting.${s.name}`, s.name)
export const helpOf = (s: Setting): string => word(`setting.${s.name}.help`, s.help.charAt(0).toUpperCase() + s.help.slice(1))

// The limits can be changed until the next start wherever they are from.
const isLimit = (s: Setting): boolean => s.name === 'up' || s.name === 'down'
const fromOutside = (source: string): boolean => source === 'flag' || source === 'environment' || source === 'file'

/** next is what the next start has. */
const next = (s: Setting): { value: string; values?: string[] | null; source: string; where?: string; file?: string } => s.next ?? s

/** separator is that of a list in an environment variable, which the API takes. */
const separator = ';'

/** plain is a value as people read it. */
export function plain(s: Setting, value: string): string {
  if (s.kind === 'switch') return value === 'true' ? say('settings.on') : say('settings.off')
  if (value === '' || (isLimit(s) && value === '0')) return isLimit(s) ? say('settings.nolimit') : say('settings.none')
  return shown(value)
}

export function One({ s }: { s: Setting }): JSX.Element {
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const id = `setting-${s.name}`
  const then = next(s)
  const mine = s.writable || isLimit(s)
  const change = async (text: string): Promise<boolean> => {
    setBusy(true)
    try {
      const known = await save(s.name, text)
      setProblem('')
      return known
    } catch (e) {
      setProblem(message(e))
      return false
    } finally {
      setBusy(false)
    }
  }
  const reset = async (toFile: boolean): Promise<void> => {
    try {
      await forget(s.name, toFile)
      setProblem('')
    } catch (e) {
      toast(message(e), { bad: true })
    }
  }
  const later = !!s.next && s.next.value !== s.value
  return (
    <li class={then.source === 'default' ? '' : 'changed'} data-setting={s.name}>
      <div class="setting-name">
        <strong id={id}>{titleOf(s)}</strong>
        <code class="muted small">{s.name}</code>
        {then.source !== 'default' && <span class="tag good">{say(`settings.source.${then.source}` as Key)}</span>}
        {later && <span class="tag">{say('settings.later')}</span>}
      </div>
      <p class="muted" id={`${id}-help`}>{helpOf(s)}</p>
      {mine ? <Control s={s} value={then.value} values={then.values ?? undefined} busy={busy} id={id} change={change} />
        : <div class="setting-value"><code class="break"><bdi>{plain(s, s.value)}</bdi></code></div>}
      {later && <small class="break">{say('settings.now', { value: plain(s, s.value) })}</small>}
      {!mine && <small class="break">{fixedBy(s)}</small>}
      {isLimit(s) && fromOutside(s.source) && <small class="break">{say('settings.limit.fixed', { where: fixedBy(s) })}</small>}
      {mine && then.source === 'file' && !isLimit(s) && <small class="break">{say('settings.fixed.file', { name: then.where ?? '' })}</small>}
      {then.file !== undefined && <small class="break">{say('settings.above', { name: then.where ?? '', value: plain(s, then.file) })}</small>}
      {mine && then.source === 'saved' && !isLimit(s) && <p><Button variant="quiet" onClick={() => void reset(then.file !== undefined)}>{say(then.file === undefined ? 'settings.reset' : 'settings.reset.file')}</Button></p>}
      {problem && <Problem>{problem}</Problem>}
    </li>
  )
}

interface ControlProps {
  s: Setting
  value: string
  values: string[] | undefined
  busy: boolean
  id: string
  change: (text: string) => Promise<boolean>
}

function Control(p: ControlProps): JSX.Element {
  const { s, value, id, busy, change } = p
  const named = { 'aria-labelledby': id, 'aria-describedby': `${id}-help` }
  if (s.kind === 'switch') return <Switch {...p} />
  if (s.kind === 'choice') {
    return (
      <select value={value} disabled={busy} {...named} onChange={(e) => void change(e.currentTarget.value)}>
        {(s.choices ?? []).map((c) => <option key={c} value={c}>{word(`settings.choice.${c}`, c)}</option>)}
      </select>
    )
  }
  if (s.kind === 'schedule') return <Schedule lines={p.values ?? []} busy={busy} save={(lines) => change(lines.join(separator))} />
  return <Text {...p} />
}

/** Switch shows what it was turned to while the node is asked. */
function Switch({ s, value, id, change }: ControlProps): JSX.Element {
  const [wish, setWish] = useState<string>()
  const now = wish ?? value
  return (
    <label class="check switch">
      <input
        type="checkbox" role="switch" checked={now === 'true'} aria-labelledby={id} aria-describedby={`${id}-help`}
        onChange={(e) => {
          const to = String(e.currentTarget.checked)
          setWish(to)
          void change(to).then(() => setWish(undefined))
        }}
      />
      <span aria-hidden="true">{plain(s, now)}</span>
    </label>
  )
}

/** Text is a value that is typed, one line for each element of a list. */
function Text({ s, value, values, busy, id, change }: ControlProps): JSX.Element {
  const text = s.list ? (values ?? []).join('\n') : isLimit(s) && value === '0' ? '' : value
  const { ref, text: typed, set: setTyped, cancel, sent } = useTyped<HTMLInputElement & HTMLTextAreaElement>(text)
  const props = {
    ref, value: typed, spellcheck: false, 'aria-labelledby': id, 'aria-describedby': `${id}-help`,
    onInput: (e: { currentTarget: { value: string } }) => setTyped(e.currentTarget.value),
  }
  const submit = (): void => {
    if (s.list) return sent(change(typed.split('\n').map((w) => w.trim()).filter(Boolean).join(separator)))
    let out = typed.trim()
    if (s.kind === 'rate' || s.kind === 'size') {
      // People may write 1,5 MB.
      const n = parseSize(out || '0')
      if (n !== undefined && out.includes(',')) out = String(n)
      else if (!out) out = '0'
    }
    sent(change(out))
  }
  return (
    <form class="setting-form" onSubmit={(e) => { e.preventDefault(); submit() }}>
      {s.list ? <textarea rows={Math.max(2, typed.split('\n').length)} placeholder={say('settings.perline')} {...props} />
        : <input inputMode={s.kind === 'number' ? 'numeric' : undefined} placeholder={isLimit(s) ? say('settings.nolimit') : undefined} {...props} />}
      {typed !== text && (
        <div class="row">
          <Button type="submit" variant="primary" disabled={busy}>{say('settings.save')}</Button>
          <Button onClick={cancel}>{say('settings.cancel')}</Button>
        </div>
      )}
    </form>
  )
}

/** fixedBy says why a setting cannot be changed here, and where it can. */
export function fixedBy(s: Setting): string {
  const source = fromOutside(s.source) ? s.source : (s.next?.source ?? s.source)
  const where = s.where ?? s.next?.where ?? ''
  switch (source) {
    case 'flag':
      return say('settings.fixed.flag', { flag: `--${s.name}` })
    case 'environment':
      return say('settings.fixed.environment', { name: where })
    case 'file':
      return say('settings.fixed.file', { name: where })
  }
  return s.name === 'state' || s.name === 'config' ? say('settings.fixed.start', { flag: `--${s.name}` }) : say('settings.fixed.guarded', { flag: `--${s.name}` })
}
