// Who may use the node: the password, the browsers that are signed in, the tokens of programs.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get, message, send } from '../api/client'
import type { SignIn } from '../api/types'
import { ago } from '../lib/format'
import { shown } from '../lib/text'
import { signOut } from '../state/session'
import { toast } from '../state/toasts'
import { Button, Copyable, Dialog, Problem, Working } from '../ui/basics'
import { say, type Key } from '../words'

export function Access(): JSX.Element {
  const [all, setAll] = useState<SignIn[]>()
  const [absent, setAbsent] = useState(false)
  const load = (): Promise<void> => get<SignIn[]>('/sessions').then(setAll, () => setAbsent(true))
  useEffect(() => void load(), [])
  return (
    <>
      <Password changed={load} />
      {!absent && <Browsers all={all?.filter((s) => s.kind === 'browser')} load={load} />}
      {!absent && <Tokens all={all?.filter((s) => s.kind === 'token')} load={load} />}
    </>
  )
}

/** Password sets the password for sign-in from other machines. */
function Password({ changed }: { changed: () => Promise<void> }): JSX.Element {
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
      toast(say(to ? 'password.set' : 'password.removed'))
      await Promise.all([load(), changed()])
    } catch (e) {
      setProblem(message(e))
    }
  }
  const submit = (e: Event): void => {
    e.preventDefault()
    if (value !== again) setProblem(say('password.differ'))
    else void change(value)
  }
  return (
    <div class="access-part">
      <h3>{say('password.title')}</h3>
      <p class="muted">{say(set === undefined ? 'settings.asking' : set ? 'password.is' : 'password.none')}</p>
      <form class="stack" onSubmit={submit}>
        <div class="row wrap">
          <label class="field">{say(set ? 'password.new' : 'password.title')}<input type="password" autocomplete="new-password" value={value} onInput={(e) => setValue(e.currentTarget.value)} /></label>
          <label class="field">{say('password.repeat')}<input type="password" autocomplete="new-password" value={again} onInput={(e) => setAgain(e.currentTarget.value)} /></label>
          <Button type="submit" disabled={!value || !again}>{say('password.button')}</Button>
        </div>
        <small>{say('password.rule')}</small>
        {problem && <Problem>{problem}</Problem>}
      </form>
      {set && local && <p class="row"><Button variant="quiet" onClick={() => void change('')}>{say('password.remove')}</Button></p>}
    </div>
  )
}

// From another machine the password is the only way to sign in.
const local = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname)

interface Listed {
  all: SignIn[] | undefined
  load: () => Promise<void>
}

async function revoke(s: SignIn, load: () => Promise<void>): Promise<void> {
  try {
    await send('DELETE', `/sessions/${s.id}`)
    toast(say('signins.revoked', { name: shown(s.label) }))
    await load()
  } catch (e) {
    toast(message(e), { bad: true })
  }
}

function Browsers({ all, load }: Listed): JSX.Element {
  const [asking, setAsking] = useState(false)
  const [tokens, setTokens] = useState(false)
  const everywhere = async (): Promise<void> => {
    try {
      await send('DELETE', tokens ? '/sessions?tokens=true' : '/sessions')
      location.assign('/')
    } catch (e) {
      toast(message(e), { bad: true })
    }
  }
  return (
    <div class="access-part">
      <h3 class="row spread wrap">{say('signins.title')}
        <span class="row">
          <Button onClick={() => void signOut()}>{say('signins.out')}</Button>
          <Button onClick={() => setAsking(true)}>{say('signins.everywhere')}</Button>
        </span>
      </h3>
      {!all ? <Working>{say('settings.asking')}</Working> : (
        <ul class="hits">
          {all.map((s) => (
            <li key={s.id}>
              <div>
                <strong><bdi>{browser(s.label)}</bdi></strong> {s.this && <span class="tag good">{say('signins.this')}</span>}
                <p class="muted">{say('signins.times', { created: ago(s.created), used: ago(s.used) })}</p>
              </div>
              {!s.this && <Button label={say('signins.revoke.what', { name: browser(s.label) })} onClick={() => void revoke(s, load)}>{say('signins.revoke')}</Button>}
            </li>
          ))}
        </ul>
      )}
      {asking && (
        <Dialog title={say('signins.everywhere')} onClose={() => setAsking(false)}>
          <div class="stack">
            <p>{say('signins.everywhere.ask')}</p>
            <label class="check"><input type="checkbox" checked={tokens} onChange={(e) => setTokens(e.currentTarget.checked)} />{say('signins.everywhere.tokens')}</label>
            <div class="row"><Button variant="danger" onClick={() => void everywhere()}>{say('signins.everywhere')}</Button><Button onClick={() => setAsking(false)}>{say('settings.cancel')}</Button></div>
          </div>
        </Dialog>
      )}
    </div>
  )
}

const scopes = ['read', 'add', 'everything'] as const

function Tokens({ all, load }: Listed): JSX.Element {
  const [label, setLabel] = useState('')
  const [scope, setScope] = useState<(typeof scopes)[number]>('read')
  const [token, setToken] = useState<{ label: string; token: string }>()
  const make = async (e: Event): Promise<void> => {
    e.preventDefault()
    try {
      setToken(await send<{ label: string; token: string }>('POST', '/sessions', { label: label.trim(), scope }))
      setLabel('')
      await load()
    } catch (err) {
      toast(message(err), { bad: true })
    }
  }
  return (
    <div class="access-part">
      <h3>{say('tokens.title')}</h3>
      <p class="muted">{say('tokens.about')}</p>
      {all && all.length > 0 && (
        <ul class="hits">
          {all.map((s) => (
            <li key={s.id}>
              <div>
                <strong><bdi>{shown(s.label)}</bdi></strong> <span class="tag">{say(`tokens.scope.${s.scope ?? 'everything'}` as Key)}</span>
                <p class="muted">{say('signins.times', { created: ago(s.created), used: ago(s.used) })}</p>
              </div>
              <Button label={say('signins.revoke.what', { name: shown(s.label) })} onClick={() => void revoke(s, load)}>{say('signins.revoke')}</Button>
            </li>
          ))}
        </ul>
      )}
      <form class="stack" onSubmit={(e) => void make(e)}>
        <div class="row wrap">
          <label class="field">{say('tokens.label')}<input value={label} placeholder={say('tokens.purpose')} maxLength={100} onInput={(e) => setLabel(e.currentTarget.value)} /></label>
          <label class="field">{say('tokens.may')}
            <select value={scope} onChange={(e) => setScope(e.currentTarget.value as typeof scope)}>
              {scopes.map((s) => <option key={s} value={s}>{say(`tokens.scope.${s}` as Key)}</option>)}
            </select>
          </label>
          <Button type="submit" disabled={!label.trim()}>{say('tokens.create')}</Button>
        </div>
        <small>{say(`tokens.scope.${scope}.help` as Key)}</small>
      </form>
      {token && (
        <Dialog title={say('tokens.made', { name: shown(token.label) })} onClose={() => setToken(undefined)}>
          <div class="stack">
            <p>{say('tokens.once')} <code>Authorization: Bearer …</code></p>
            <Copyable text={token.token} label={say('tokens.token')} />
          </div>
        </Dialog>
      )}
    </div>
  )
}

/** browser makes a User-Agent short. */
export function browser(agent: string): string {
  const name = /(Firefox|Edg|OPR|Chrome|Safari)\//.exec(agent)?.[1]
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1]
  if (!name) return shown(agent)
  const full = { Edg: 'Edge', OPR: 'Opera' }[name] ?? name
  return system ? say('signins.browser', { name: full, system: system.replace('Mac OS X', 'macOS') }) : full
}
