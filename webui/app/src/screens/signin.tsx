// The sign-in screen.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Failure, message } from '../api/client'
import { signIn, spent } from '../state/session'
import { Button, Copyable, Problem } from '../ui/basics'
import { Mark } from '../ui/icons'

export function SignIn(): JSX.Element {
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault()
    if (!password) return
    setBusy(true)
    setProblem('')
    try {
      await signIn({ password })
    } catch (err) {
      setProblem(err instanceof Failure && err.status === 401
        ? 'Sign-in failed: the password is wrong, or no password is set on this node.' : message(err))
    } finally {
      setBusy(false)
    }
  }
  return (
    <main class="signin">
      <div class="signin-card">
        <div class="brand"><Mark size={40} /><span>shoal</span></div>
        <h1>Sign in to this node</h1>
        {spent.value && <Problem>This link was already used, or has expired (after two minutes).</Problem>}
        <p>On the machine where the node runs, open a terminal and run:</p>
        <Copyable text="shoal open" label="Command" />
        <p class="muted">It opens this page and signs you in. The link it prints works once and expires after two minutes.</p>
        <hr />
        <form onSubmit={(e) => void submit(e)}>
          <label for="password">Or with the node’s password, if one is set</label>
          <div class="row">
            <input
              id="password" type="password" autocomplete="current-password" value={password}
              onInput={(e) => setPassword(e.currentTarget.value)}
            />
            <Button type="submit" variant="primary" disabled={busy || !password}>Sign in</Button>
          </div>
          {problem && <Problem>{problem}</Problem>}
        </form>
      </div>
    </main>
  )
}
