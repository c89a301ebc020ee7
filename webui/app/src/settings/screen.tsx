// The settings screen: every setting of the node in groups, searchable, and the looks of this page.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get } from '../api/client'
import type { Info, Setting } from '../api/types'
import { ago, rate } from '../lib/format'
import { fold, shown } from '../lib/text'
import { Install } from '../screens/install'
import { language, theme, type Theme } from '../state/prefs'
import { link } from '../state/stream'
import { Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { languages, say, speak, told, type Key } from '../words'
import { Access } from './access'
import { Exchange } from './exchange'
import { One, helpOf, titleOf } from './one'
import { RestartButton, Waiting } from './restart'
import { limits, load, settings, trouble } from './state'

const groups = ['downloads', 'speed', 'network', 'seeding', 'folders', 'access', 'expert'] as const

export function Screen(): JSX.Element {
  const [info, setInfo] = useState<Info>()
  const [q, setQ] = useState('')
  const [changed, setChanged] = useState(false)
  const live = link.value.state === 'live'
  useEffect(() => {
    // Also after the node was away: it may have other settings.
    if (!live) return
    void load()
    void get<Info>('/node').then(setInfo, () => {})
  }, [live])
  const words = fold(q).split(/\s+/).filter(Boolean)
  const fits = (s: Setting): boolean =>
    (!changed || s.source !== 'default' || !!s.next) && words.every((w) => fold(`${titleOf(s)} ${s.name} ${helpOf(s)} ${s.value} ${s.next?.value ?? ''}`).includes(w))
  const all = settings.value?.filter(fits)
  const filtered = words.length > 0 || changed
  return (
    <div class="screen page settings">
      <div class="head"><h1>{say('settings.title')}</h1><RestartButton /></div>
      <Waiting />
      <section class="card">
        <div class="row wrap">
          <div class="search">
            <Icon name="find" size={17} />
            <input type="search" value={q} aria-label={say('settings.search')} placeholder={say('settings.search')} onInput={(e) => setQ(e.currentTarget.value)} />
            <kbd aria-hidden="true">/</kbd>
          </div>
          <button type="button" class="chip" aria-pressed={changed} onClick={() => setChanged(!changed)}>{say('settings.changed')}</button>
        </div>
        <nav class="chips settings-nav" aria-label={say('settings.groups')}>
          {groups.map((g) => <button key={g} type="button" class="chip" disabled={filtered && !all?.some((s) => s.group === g)} onClick={() => document.getElementById(`group-${g}`)?.scrollIntoView()}>{say(`settings.group.${g}`)}</button>)}
        </nav>
        <p class="muted small">{say('settings.about')}</p>
        {trouble.value && live && <Problem>{trouble.value}</Problem>}
        {!all && !live && <Problem>{say('node.silent')}</Problem>}
        {!all && live && !trouble.value && <Working>{say('settings.asking')}</Working>}
        {all?.length === 0 && <p class="muted" role="status">{say(q ? 'settings.nomatch' : 'settings.alldefault')}</p>}
      </section>
      {!filtered && <Looks />}
      {!filtered && <Install />}
      {all && groups.map((g) => {
        const those = all.filter((s) => s.group === g)
        if (those.length === 0 && (g !== 'access' || filtered)) return null
        return (
          <section key={g} class="card" id={`group-${g}`} aria-labelledby={`group-${g}-title`}>
            <h2 id={`group-${g}-title`}>{say(`settings.group.${g}`)}</h2>
            {g === 'speed' && <InForce />}
            {g === 'access' && !filtered && <Access />}
            {those.length > 0 && <ul class="settings-list">{those.map((s) => <One key={s.name} s={s} />)}</ul>}
            {g === 'expert' && !filtered && <Exchange />}
          </section>
        )
      })}
      {info && <p class="muted small">{say('settings.node', { version: info.version, time: ago(info.started) })} <code class="break">{info.state}</code></p>}
    </div>
  )
}

/** InForce tells the limits that hold now, where they are not those that are set. */
function InForce(): JSX.Element | null {
  const l = limits.value
  if (!l?.reason) return null
  const one = (n: number): string => rate(n) || say('settings.nolimit')
  return <p class="note">{say('settings.limits.now', { down: one(l.now.down), up: one(l.now.up), reason: shown(told(l.reason, l.reason_text)) })}</p>
}

const themes: Theme[] = ['system', 'light', 'dark']

/** nameOfLanguage is what a language calls itself. */
const nameOfLanguage = (code: string): string => new Intl.DisplayNames(code, { type: 'language' }).of(code) ?? code

function Looks(): JSX.Element {
  return (
    <section class="card">
      <h2>{say('settings.looks')}</h2>
      <div class="segments" role="group" aria-label={say('settings.colours')}>
        {themes.map((k) => <button key={k} type="button" aria-pressed={theme.value === k} onClick={() => { theme.value = k }}>{say(`settings.theme.${k}` as Key)}</button>)}
      </div>
      <label class="field">{say('settings.language')}
        <select value={language.value} onChange={(e) => { language.value = e.currentTarget.value; void speak() }}>
          <option value="system">{say('settings.language.system')}</option>
          {languages.map((code) => <option key={code} value={code} lang={code}>{nameOfLanguage(code)}</option>)}
        </select>
      </label>
      <p class="muted small">{say('settings.looks.about')}</p>
    </section>
  )
}
