// The switch that seals a share.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get } from '../api/client'
import type { Setting } from '../api/types'
import { say } from '../words'
import { Icon } from './icons'

/** useSealed is whether to seal a share: as the setting of the node says, until the user decides. It is undefined until the setting is known. */
export function useSealed(): [boolean | undefined, (on: boolean) => void] {
  const [chosen, choose] = useState<boolean>()
  const [set, setSet] = useState<boolean>()
  useEffect(() => void get<Setting[]>('/config').then((all) => setSet(all.some((s) => s.name === 'sealed' && s.value === 'true')), () => undefined), [])
  return [chosen ?? set, choose]
}

/** Sealed is the switch; on is undefined until the setting is known. */
export function Sealed({ on, set }: { on: boolean | undefined; set: (on: boolean) => void }): JSX.Element {
  return (
    <label class="check"><input type="checkbox" role="switch" checked={!!on} onChange={(e) => set(e.currentTarget.checked)} /><span><Icon name="lock" size={16} /> {say('share.sealed')}<small>{say('share.sealed.note')}</small></span></label>
  )
}
