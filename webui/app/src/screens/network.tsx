import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { can, get, message, operations, send } from '../api/client'
import type { Health, Info, Network as Report, Proof } from '../api/types'
import { ago, bytes, plural } from '../lib/format'
import { shown } from '../lib/text'
import { copy } from '../state/actions'
import { look, network, reach } from '../state/reach'
import { samples, stats } from '../state/store'
import { link } from '../state/stream'
import { toast } from '../state/toasts'
import { Button, Pair, Problem, Working } from '../ui/basics'
import { Speed } from './speed'

const answers: Record<Proof, string> = {
  reachable: 'Strangers can reach you',
  unreachable: 'Strangers cannot reach you',
  unknown: 'It is not proven yet whether strangers can reach you',
}

export function Network(): JSX.Element {
  const [info, setInfo] = useState<Info>()
  const [health, setHealth] = useState<Health>()
  const [problem, setProblem] = useState('')
  const [testing, setTesting] = useState(false)
  const live = link.value.state === 'live'
  const n = network.value
  useEffect(() => {
    if (!live) return
    const load = (): void => {
      get<Info>('/node').then((i) => { setInfo(i); setProblem('') }, (e) => setProblem(message(e)))
      // A node that is not well says so with another status.
      fetch('/api/v1/health').then((r) => r.json()).then((h: Health) => setHealth(h), () => setHealth(undefined))
    }
    load()
    const timer = setInterval(load, 15_000)
    return () => clearInterval(timer)
  }, [live])
  const test = async (): Promise<void> => {
    setTesting(true)
    try {
      await send('POST', '/network/test')
      await look()
    } catch (e) {
      toast(`The test did not work: ${message(e)}`, { bad: true })
    } finally {
      setTesting(false)
    }
  }
  if (!info) return <div class="screen page"><div class="head"><h1>Network</h1></div>{problem ? <Problem>{problem}</Problem> : <Working>Asking the node …</Working>}</div>
  const r = reach.value
  const diagnosis = JSON.stringify({ shoal: info.version, listen: info.listen, addresses: info.addresses, ...(n ?? {}), problems: health?.problems ?? [] }, null, 2)
  return (
    <div class="screen page">
      <div class="head">
        <h1>Network</h1>
        <div class="actions">
          {can('POST /network/test') && <Button onClick={() => void test()} disabled={testing}>{testing ? 'Testing …' : 'Test again'}</Button>}
          <Button icon="copy" onClick={() => void copy(diagnosis, 'Diagnosis copied')}>Copy diagnosis</Button>
        </div>
      </div>
      <section class={`card answer ${r}`}>
        <span class={`dot ${r}`} />
        <div>
          <h2>{n?.answer ?? answers[r]}</h2>
          <p>{n?.next ?? guess(info)}</p>
        </div>
      </section>
      {health && health.problems.length > 0 && (
        <section class="card">
          <h2>What is wrong</h2>
          <ul class="facts">{health.problems.map((p) => <li key={p}><span class="dot unreachable" /><span>{shown(p.charAt(0).toUpperCase() + p.slice(1))}</span></li>)}</ul>
        </section>
      )}
      {n ? <Addresses n={n} /> : operations.value && <Plain info={info} />}
      <section class="card">
        <h2>Speed</h2>
        <Speed live={samples} />
        {stats.value && (
          <dl class="pairs">
            <Pair name="Connections">{plural(stats.value.connections, 'peer')}{stats.value.refused > 0 && `, ${stats.value.refused.toLocaleString('en')} turned away`}</Pair>
            <Pair name="Since the start">{bytes(stats.value.downloaded)} came in, {bytes(stats.value.uploaded)} went out</Pair>
          </dl>
        )}
      </section>
    </div>
  )
}

const guess = (i: Info): string =>
  i.addresses.length === 0 ? 'This machine has no IPv6 address that others could use. Ask whoever runs your network for IPv6.'
    : 'It is proven as soon as a stranger calls this node. Share something and have a friend fetch it.'

function Plain({ info }: { info: Info }): JSX.Element {
  return (
    <section class="card">
      <h2>Addresses</h2>
      <dl class="pairs">
        <Pair name="In links">{info.addresses.length ? info.addresses.map((a) => <code key={a} class="block">{a}</code>) : 'None'}</Pair>
        <Pair name="Listens at">{info.listen.map((a) => <code key={a} class="block">{a}</code>)}</Pair>
      </dl>
    </section>
  )
}

const proofs: Record<Proof, string> = { reachable: 'Reachable', unreachable: 'Not reachable', unknown: 'Not known' }

function Addresses({ n }: { n: Report }): JSX.Element {
  return (
    <>
      <section class="card">
        <h2>Addresses</h2>
        {n.addresses.length === 0 ? <p class="muted">This machine has no address that others could reach.</p> : (
          <div class="table-box" tabIndex={0} role="region" aria-label="Addresses">
            <table>
              <thead><tr><th scope="col">Address</th><th scope="col">TCP</th><th scope="col">UDP</th><th scope="col">How that is known</th></tr></thead>
              <tbody>
                {n.addresses.map((a) => (
                  <tr key={`${a.address} ${a.port}`}>
                    <th scope="row"><code>[{a.address}]:{a.port}</code><span class="tags"><span class="tag">{a.scope}</span><span class="tag">{a.kind}</span></span></th>
                    <td><span class={`dot ${a.tcp}`} /> {proofs[a.tcp]}</td>
                    <td><span class={`dot ${a.udp}`} /> {proofs[a.udp]}</td>
                    <td>{a.evidence ? shown(a.evidence) : '–'}{a.time && <small>{ago(a.time)}</small>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <section class="card">
        <h2>Holes in the router’s firewall</h2>
        {n.pinholes.length === 0 ? <p class="muted">None are open. Either none are needed, or no router answered that opens them.</p> : (
          <ul class="facts">
            {n.pinholes.map((p, i) => (
              <li key={i}>
                <span class={`dot ${p.error ? 'unreachable' : 'reachable'}`} />
                <span>{p.protocol.toUpperCase()} <code>[{p.address}]:{p.port}</code> by {p.method}{p.until && `, until ${new Date(p.until).toLocaleTimeString()}`}{p.error && `: ${shown(p.error)}`}</span>
              </li>
            ))}
          </ul>
        )}
      </section>
      {n.dht && (
        <section class="card">
          <h2>DHT</h2>
          <p>{n.dht.problem ? shown(n.dht.problem) : `${plural(n.dht.nodes, 'node')} known, ${n.dht.answering.toLocaleString('en')} of them answer.`}</p>
        </section>
      )}
    </>
  )
}
