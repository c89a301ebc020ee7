import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { can, get, message, send } from '../api/client'
import type { Info, NodeLimits, Setting, SignIn } from '../api/types'
import { ago, parseSize, rate } from '../lib/format'
import { fold, shown } from '../lib/text'
import { theme, type Theme } from '../state/prefs'
import { signOut } from '../state/session'
import { toast } from '../state/toasts'
import { Button, Copyable, Dialog, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'

export function Settings(): JSX.Element {
  const [info, setInfo] = useState<Info>()
  useEffect(() => void get<Info>('/node').then(setInfo, () => {}), [])
  return (
    <div class="screen page settings">
      <div class="head"><h1>Settings</h1></div>
      <div class="columns even">
        <LimitsCard />
        <Looks />
      </div>
      <SignIns />
      <All />
      {info && <p class="muted small">shoal {info.version}, started {ago(info.started)}. State in <code class="break">{info.state}</code></p>}
    </div>
  )
}

const themes: [Theme, string][] = [['system', 'As the system'], ['light', 'Light'], ['dark', 'Dark']]

function Looks(): JSX.Element {
  return (
    <section class="card">
      <h2>How this page looks</h2>
      <div class="segments" role="group" aria-label="Colours">
        {themes.map(([k, name]) => <button key={k} type="button" aria-pressed={theme.value === k} onClick={() => { theme.value = k }}>{name}</button>)}
      </div>
      <p class="muted small">Kept in this browser.</p>
    </section>
  )
}

const word = (n: number): string => (n ? rate(n).replace('/s', '') : '')

function LimitsCard(): JSX.Element {
  const [limits, setLimits] = useState<NodeLimits>()
  const [down, setDown] = useState('')
  const [up, setUp] = useState('')
  const [problem, setProblem] = useState('')
  const take = (l: NodeLimits): void => {
    setLimits(l)
    setDown(word(l.down))
    setUp(word(l.up))
  }
  useEffect(() => void get<NodeLimits>('/limits').then(take, (e) => setProblem(message(e))), [])
  const save = async (e: Event): Promise<void> => {
    e.preventDefault()
    const d = down.trim() ? parseSize(down) : 0
    const u = up.trim() ? parseSize(up) : 0
    if (d === undefined || u === undefined) return setProblem('A limit is such as 500 kB or 2 MB; empty is none')
    try {
      take(await send<NodeLimits>('PUT', '/limits', { down: d, up: u }))
      setProblem('')
      toast('Limits saved')
    } catch (err) {
      setProblem(message(err))
    }
  }
  return (
    <section class="card">
      <h2>Limits of the node</h2>
      <form class="stack" onSubmit={(e) => void save(e)}>
        <div class="row">
          <label class="field">Down, a second<input value={down} placeholder="no limit" disabled={!limits} onInput={(e) => setDown(e.currentTarget.value)} /></label>
          <label class="field">Up, a second<input value={up} placeholder="no limit" disabled={!limits} onInput={(e) => setUp(e.currentTarget.value)} /></label>
          <Button type="submit" variant="primary" disabled={!limits}>Save</Button>
        </div>
        {limits?.reason && <p class="note">Now {rate(limits.now.down) || 'no limit'} down and {rate(limits.now.up) || 'no limit'} up: {shown(limits.reason)}</p>}
        {limits && (limits.source === 'flag' || limits.source === 'environment' || limits.source === 'file') && (
          <p class="note">They come from the {limits.source} now. What you save here ends with the node, unless you change it there, too.</p>
        )}
        {problem && <Problem>{problem}</Problem>}
      </form>
    </section>
  )
}

function SignIns(): JSX.Element | null {
  const [all, setAll] = useState<SignIn[]>()
  const [absent, setAbsent] = useState(false)
  const [label, setLabel] = useState('')
  const [token, setToken] = useState<{ label: string; token: string }>()
  const load = (): Promise<void> => get<SignIn[]>('/sessions').then(setAll, () => setAbsent(true))
  useEffect(() => void load(), [])
  const revoke = async (s: SignIn): Promise<void> => {
    try {
      await send('DELETE', `/sessions/${s.id}`)
      toast(`“${shown(s.label)}” may no longer use this node`)
      await load()
    } catch (e) {
      toast(message(e), { bad: true })
    }
  }
  const make = async (e: Event): Promise<void> => {
    e.preventDefault()
    try {
      setToken(await send<{ label: string; token: string }>('POST', '/sessions', { label: label.trim() }))
      setLabel('')
      await load()
    } catch (err) {
      toast(message(err), { bad: true })
    }
  }
  if (absent) return null
  return (
    <section class="card">
      <h2 class="row spread">Who may use this node<Button onClick={() => void signOut()}>Sign out</Button></h2>
      {!all ? <Working>Asking the node …</Working> : (
        <ul class="hits">
          {all.map((s) => (
            <li key={s.id}>
              <div>
                <strong><bdi>{s.kind === 'browser' ? browser(s.label) : shown(s.label)}</bdi></strong>{' '}
                <span class="tag">{s.kind === 'browser' ? 'browser' : 'program'}</span>{s.this && <span class="tag good">this one</span>}
                <p class="muted">Since {ago(s.created)}, last used {ago(s.used)}</p>
              </div>
              {!s.this && <Button onClick={() => void revoke(s)}>Revoke</Button>}
            </li>
          ))}
        </ul>
      )}
      <form class="stack" onSubmit={(e) => void make(e)}>
        <label for="token-label">Token for a program</label>
        <div class="row">
          <input id="token-label" value={label} placeholder="What it is for" maxLength={100} onInput={(e) => setLabel(e.currentTarget.value)} />
          <Button type="submit" disabled={!label.trim()}>Make a token</Button>
        </div>
      </form>
      {token && (
        <Dialog title={`Token for “${shown(token.label)}”`} onClose={() => setToken(undefined)}>
          <div class="stack">
            <p>Copy it now: it is shown this once. The program sends it as <code>Authorization: Bearer …</code></p>
            <Copyable text={token.token} label="Token" />
          </div>
        </Dialog>
      )}
    </section>
  )
}

/** browser makes a User-Agent short. */
export function browser(agent: string): string {
  const name = /(Firefox|Edg|OPR|Chrome|Safari)\//.exec(agent)?.[1]
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1]
  if (!name) return shown(agent)
  return `${{ Edg: 'Edge', OPR: 'Opera' }[name] ?? name}${system ? ' on ' + system.replace('Mac OS X', 'macOS') : ''}`
}

const sources: Record<string, string> = { flag: 'flag', environment: 'environment', file: 'file', saved: 'saved', default: '' }

function All(): JSX.Element {
  const [all, setAll] = useState<Setting[]>()
  const [q, setQ] = useState('')
  const [changed, setChanged] = useState(false)
  const [problem, setProblem] = useState('')
  const load = (): Promise<void> => get<Setting[]>('/config').then(setAll, (e) => setProblem(message(e)))
  useEffect(() => void load(), [])
  const shownOnes = useMemo(() => {
    const words = fold(q).split(/\s+/).filter(Boolean)
    return all?.filter((s) => (!changed || s.source !== 'default') && words.every((w) => fold(`${s.name} ${s.help} ${s.value}`).includes(w)))
  }, [all, q, changed])
  return (
    <section class="card">
      <h2>All settings</h2>
      <p class="muted">Flags are stronger than the environment, that than the configuration file, that than what was saved here.</p>
      <div class="row wrap">
        <div class="search">
          <Icon name="find" size={17} />
          <input type="search" value={q} aria-label="Search the settings" placeholder="Search the settings" onInput={(e) => setQ(e.currentTarget.value)} />
          <kbd aria-hidden="true">/</kbd>
        </div>
        <button type="button" class="chip" aria-pressed={changed} onClick={() => setChanged(!changed)}>Changed only</button>
      </div>
      {problem && <Problem>{problem}</Problem>}
      {!shownOnes ? !problem && <Working>Asking the node …</Working>
        : shownOnes.length === 0 ? <p class="muted" role="status">{q ? 'No setting has these words.' : 'All settings have their defaults.'}</p>
        : <ul class="settings-list">{shownOnes.map((s) => <One key={s.name} s={s} reload={load} />)}</ul>}
    </section>
  )
}

function One({ s, reload }: { s: Setting; reload: () => Promise<void> }): JSX.Element {
  const [value, setValue] = useState<string>()
  const save = async (e: Event): Promise<void> => {
    e.preventDefault()
    try {
      await send('PATCH', '/config', { [s.name]: value })
      setValue(undefined)
      toast(s.live ? 'Saved' : 'Saved. It takes effect when the node starts again')
      await reload()
    } catch (err) {
      toast(message(err), { bad: true })
    }
  }
  return (
    <li class={s.source === 'default' ? '' : 'changed'}>
      <div class="setting-name"><strong>{s.name}</strong>{s.source !== 'default' && <span class="tag good" title={s.where}>{sources[s.source] ?? s.source}</span>}{!s.live && <span class="tag">needs a restart</span>}</div>
      <p class="muted">{s.help.charAt(0).toUpperCase() + s.help.slice(1)}</p>
      {value === undefined ? (
        <p class="setting-value">
          <code class="break"><bdi>{shown(s.value) || (s.values ? 'none' : 'not set')}</bdi></code>
          {s.where && <small class="muted break">{s.where}</small>}
          {can('PATCH /config') && s.source !== 'flag' && s.source !== 'environment' && <Button variant="quiet" onClick={() => setValue(s.value)}>Change</Button>}
        </p>
      ) : (
        <form class="row" onSubmit={(e) => void save(e)}>
          <input value={value} aria-label={s.name} spellcheck={false} onInput={(e) => setValue(e.currentTarget.value)} />
          <Button type="submit" variant="primary">Save</Button>
          <Button onClick={() => setValue(undefined)}>Leave it</Button>
        </form>
      )}
    </li>
  )
}
