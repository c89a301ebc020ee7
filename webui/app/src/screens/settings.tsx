// The settings screen: theme, limits, password, sign-ins, and every setting of the node.
import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { get, message, send } from '../api/client'
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
      <All />
      <SignIns />
      <PasswordCard />
      {info && <p class="muted small">shoal {info.version}, started {ago(info.started)}. State in <code class="break">{info.state}</code></p>}
    </div>
  )
}

const themes: [Theme, string][] = [['system', 'System'], ['light', 'Light'], ['dark', 'Dark']]

function Looks(): JSX.Element {
  return (
    <section class="card">
      <h2>Appearance</h2>
      <div class="segments" role="group" aria-label="Colours">
        {themes.map(([k, name]) => <button key={k} type="button" aria-pressed={theme.value === k} onClick={() => { theme.value = k }}>{name}</button>)}
      </div>
      <p class="muted small">Saved in this browser.</p>
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
    if (d === undefined || u === undefined) return setProblem('Write a limit such as 500 kB or 2 MB, or leave it empty for none')
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
          <label class="field">Download per second<input value={down} placeholder="no limit" disabled={!limits} onInput={(e) => setDown(e.currentTarget.value)} /></label>
          <label class="field">Upload per second<input value={up} placeholder="no limit" disabled={!limits} onInput={(e) => setUp(e.currentTarget.value)} /></label>
          <Button type="submit" variant="primary" disabled={!limits}>Save</Button>
        </div>
        {limits?.reason && <p class="note">Now {rate(limits.now.down) || 'no limit'} down and {rate(limits.now.up) || 'no limit'} up: {shown(limits.reason)}</p>}
        {limits && (limits.source === 'flag' || limits.source === 'environment' || limits.source === 'file') && (
          <p class="note">These limits are set by the {limits.source}. A change that you save here lasts until the node restarts; to keep it, change it there, too.</p>
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
      toast(`“${shown(s.label)}” can no longer use this node`)
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
      <h2 class="row spread">Sign-ins and tokens<Button onClick={() => void signOut()}>Sign out</Button></h2>
      {!all ? <Working>Loading …</Working> : (
        <ul class="hits">
          {all.map((s) => (
            <li key={s.id}>
              <div>
                <strong><bdi>{s.kind === 'browser' ? browser(s.label) : shown(s.label)}</bdi></strong>{' '}
                <span class="tag">{s.kind === 'browser' ? 'browser' : 'program'}</span>{s.this && <span class="tag good">this browser</span>}
                <p class="muted">Created {ago(s.created)}, last used {ago(s.used)}</p>
              </div>
              {!s.this && <Button onClick={() => void revoke(s)}>Revoke</Button>}
            </li>
          ))}
        </ul>
      )}
      <form class="stack" onSubmit={(e) => void make(e)}>
        <label for="token-label">Token for a program</label>
        <div class="row">
          <input id="token-label" value={label} placeholder="Purpose" maxLength={100} onInput={(e) => setLabel(e.currentTarget.value)} />
          <Button type="submit" disabled={!label.trim()}>Create a token</Button>
        </div>
      </form>
      {token && (
        <Dialog title={`Token for “${shown(token.label)}”`} onClose={() => setToken(undefined)}>
          <div class="stack">
            <p>Copy it now: it is shown only once. The program sends it as <code>Authorization: Bearer …</code></p>
            <Copyable text={token.token} label="Token" />
          </div>
        </Dialog>
      )}
    </section>
  )
}

/** PasswordCard sets the password for sign-in from other machines. */
function PasswordCard(): JSX.Element {
  const [set, setSet] = useState<boolean>()
  const [value, setValue] = useState('')
  const [again, setAgain] = useState('')
  const [problem, setProblem] = useState('')
  const load = (): Promise<void> => get<{ set: boolean }>('/password').then((p) => setSet(p.set), (e) => setProblem(message(e)))
  useEffect(() => void load(), [])
  const change = async (to: string): Promise<void> => {
    setProblem('')
    try {
      await send('PUT', '/password', { password: to })
      setValue('')
      setAgain('')
      toast(to ? 'Password set' : 'Password removed')
      await load()
    } catch (e) {
      setProblem(message(e))
    }
  }
  const submit = (e: Event): void => {
    e.preventDefault()
    if (value !== again) setProblem('The passwords are not the same')
    else void change(value)
  }
  return (
    <section class="card">
      <h2>Password</h2>
      <p class="muted">
        {set === undefined ? 'Asking the node …'
          : set ? 'A password is set: anyone who knows it can sign in. Changing it does not sign anyone out.'
          : 'No password is set: sign in with the link that “shoal open” prints. To open the page from other machines, set a password.'}
      </p>
      <form class="stack" onSubmit={submit}>
        <div class="row">
          <label class="field">{set ? 'New password' : 'Password'}<input type="password" autocomplete="new-password" value={value} onInput={(e) => setValue(e.currentTarget.value)} /></label>
          <label class="field">Repeat the password<input type="password" autocomplete="new-password" value={again} onInput={(e) => setAgain(e.currentTarget.value)} /></label>
          <Button type="submit" disabled={!value || !again}>Set</Button>
        </div>
        <small>At least 10 characters.</small>
        {problem && <Problem>{problem}</Problem>}
      </form>
      {set && local && <p class="row"><Button variant="quiet" onClick={() => void change('')}>Remove the password</Button></p>}
    </section>
  )
}

// From another machine the password is the only way to sign in.
const local = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname)

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
      <p class="muted">Changes made here are saved. A flag, an environment variable or the configuration file overrides them; change such a setting there.</p>
      <div class="row wrap settings-search">
        <div class="search">
          <Icon name="find" size={17} />
          <input type="search" value={q} aria-label="Search the settings" placeholder="Search the settings" onInput={(e) => setQ(e.currentTarget.value)} />
          <kbd aria-hidden="true">/</kbd>
        </div>
        <button type="button" class="chip" aria-pressed={changed} onClick={() => setChanged(!changed)}>Changed only</button>
      </div>
      {problem && <Problem>{problem}</Problem>}
      {!shownOnes ? !problem && <Working>Asking the node …</Working>
        : shownOnes.length === 0 ? <p class="muted" role="status">{q ? 'No setting matches.' : 'All settings have their default values.'}</p>
        : (
          <>
            <Some title="Can be changed here; changes take effect at once" settings={shownOnes.filter((s) => s.writable)} reload={load} />
            <Some title="Cannot be changed here" settings={shownOnes.filter((s) => !s.writable)} reload={load} />
          </>
        )}
    </section>
  )
}

function Some({ title, settings, reload }: { title: string; settings: Setting[]; reload: () => Promise<void> }): JSX.Element | null {
  if (settings.length === 0) return null
  return (
    <>
      <h3 class="settings-title">{title}</h3>
      <ul class="settings-list">{settings.map((s) => <One key={s.name} s={s} reload={reload} />)}</ul>
    </>
  )
}

/** One is a setting with the source of its value and the means to change it. */
function One({ s, reload }: { s: Setting; reload: () => Promise<void> }): JSX.Element {
  const [value, setValue] = useState<string>()
  const [problem, setProblem] = useState('')
  const isSwitch = s.default === 'true' || s.default === 'false'
  const save = async (v: string): Promise<void> => {
    try {
      // A list is written as in an environment variable.
      await send('PATCH', '/config', { [s.name]: s.values ? v.split('\n').map((w) => w.trim()).filter(Boolean).join(';') : v })
      setValue(undefined)
      setProblem('')
      toast('Saved')
      await reload()
    } catch (err) {
      setProblem(message(err))
    }
  }
  const forget = async (): Promise<void> => {
    try {
      await send('DELETE', `/config/${s.name}`)
      toast('Reset to the default')
      await reload()
    } catch (err) {
      toast(message(err), { bad: true })
    }
  }
  const id = `setting-${s.name}`
  return (
    <li class={s.source === 'default' ? '' : 'changed'}>
      <div class="setting-name">
        <strong id={id}>{s.name}</strong>
        {s.source !== 'default' && <span class="tag good">{sources[s.source] ?? s.source}</span>}
      </div>
      <p class="muted">{s.help.charAt(0).toUpperCase() + s.help.slice(1)}</p>
      {value !== undefined ? (
        <form class="stack" onSubmit={(e) => { e.preventDefault(); void save(value) }}>
          {s.values ? <textarea rows={Math.max(2, value.split('\n').length)} value={value} aria-labelledby={id} placeholder="One per line; empty for none" spellcheck={false} onInput={(e) => setValue(e.currentTarget.value)} />
            : <input value={value} aria-labelledby={id} spellcheck={false} onInput={(e) => setValue(e.currentTarget.value)} />}
          <div class="row"><Button type="submit" variant="primary">Save</Button><Button onClick={() => { setValue(undefined); setProblem('') }}>Cancel</Button></div>
        </form>
      ) : (
        <div class="setting-value">
          <code class="break"><bdi>{shown(isSwitch ? (s.value === 'true' ? 'on' : 'off') : s.value) || (s.values ? 'none' : 'not set')}</bdi></code>
          {s.writable && (isSwitch
            ? <Button onClick={() => void save(s.value === 'true' ? 'false' : 'true')}>{s.value === 'true' ? 'Turn off' : 'Turn on'}</Button>
            : <Button onClick={() => setValue(s.values ? s.values.join('\n') : s.value)}>Change</Button>)}
          {s.writable && s.source === 'saved' && <Button variant="quiet" onClick={() => void forget()}>Reset to the default</Button>}
          {!s.writable && <small class="break">{fixedBy(s)}</small>}
        </div>
      )}
      {problem && <Problem>{problem}</Problem>}
    </li>
  )
}

/** fixedBy says why a setting cannot be changed here, and where it can. */
export function fixedBy(s: Setting): string {
  const flag = `--${s.name}`
  switch (s.source) {
    case 'flag':
      return `Set by the flag ${flag}`
    case 'environment':
      return `Set by the environment variable ${s.where ?? ''}`
    case 'file':
      return `Set by the file ${s.where ?? ''}`
    default:
      return s.name === 'state' || s.name === 'config' ? `Set when the node starts, with ${flag} or an environment variable` : `Set when the node starts, with ${flag}, an environment variable or the configuration file`
  }
}
