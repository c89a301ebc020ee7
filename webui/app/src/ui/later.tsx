// Screens whose code is loaded when they are first shown.
import type { ComponentType, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { place } from '../state/tab'
import { say } from '../words'
import { Button, Problem, Working } from './basics'

/** later is a component of a module that is loaded on first use. The node may be away then, or have another version: the reader can try again. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): (props: P) => JSX.Element {
  let loaded: ComponentType<P> | undefined
  return function Later(props: P): JSX.Element {
    const [, again] = useState(0)
    const [failed, setFailed] = useState(false)
    const fetch = (): void => {
      setFailed(false)
      load().then((c) => { loaded = c; again((n) => n + 1) }, () => setFailed(true))
    }
    useEffect(() => { if (!loaded) fetch() }, [])
    if (loaded) {
      const Loaded = loaded
      return <Loaded {...props} />
    }
    return (
      <div class="screen page">
        {failed ? <><div class="head"><h1>{place.value || 'shoal'}</h1></div><Problem>{say('node.silent')}</Problem><div class="row"><Button onClick={fetch}>{say('shell.retry.now')}</Button></div></> : <Working>{say('asking')}</Working>}
      </div>
    )
  }
}
