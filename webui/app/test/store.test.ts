import { expect, test } from 'vitest'
import type { Notice, Transfer } from '../src/api/types'
import { extend } from '../src/screens/speed'
import { channels } from '../src/state/channels'
import { list, network, notice, patch, put, reset, stats, transfer } from '../src/state/store'

const row = (id: string, state = 'seeding'): Transfer => ({ id, name: id, state, down: 0 }) as unknown as Transfer
const shared = (was: string, id: string): Notice => ({ event: 'shared', was, id, transfer: row(id) })

test('the document is patched', () => {
  reset({ transfers: { a: row('a'), b: row('b') }, stats: { down: 1, up: 2 } as never })
  patch({ transfers: { a: { down: 5 } as never, b: null, c: row('c') }, stats: { down: 3 } as never })
  expect(list.value.map((t) => t.id)).toEqual(['a', 'c'])
  expect(transfer('a')).toMatchObject({ name: 'a', down: 5 })
  expect(stats.value).toEqual({ down: 3, up: 2 })
  reset({ transfers: {} })
  expect(list.value).toEqual([])
})

test('channels and the network are parts of the document', () => {
  const channel = (key: string, own: boolean): never => ({ key, name: key, own, error: 'nobody answers' }) as never
  reset({ transfers: {}, channels: { k1: channel('k1', false), k2: channel('k2', true), k3: channel('k3', false) }, network: { verdict: 'unknown', next: 'wait' } as never })
  expect(channels.value?.map((c) => c.key)).toEqual(['k2', 'k1', 'k3'])
  patch({ channels: { k1: { error: null } as never, k3: null }, network: { verdict: 'reachable', next: null } as never })
  expect(channels.value?.map((c) => [c.key, c.error])).toEqual([['k2', 'nobody answers'], ['k1', undefined]])
  expect(network.value).toEqual({ verdict: 'reachable' })
})

test('a share is followed from its provisional ID, whatever comes first', () => {
  reset({ transfers: {} })
  put(row('was', 'hashing'))
  notice(shared('was', 'is'))
  expect(transfer('was')?.id).toBe('is')
  // The answer to the request comes last.
  notice(shared('was2', 'is2'))
  put(row('was2', 'hashing'))
  expect(transfer('was2')?.id).toBe('is2')
  expect(list.value.map((t) => t.id)).toEqual(['is', 'is2'])
  notice({ event: 'removed', id: 'is' })
  expect(transfer('is')).toBeUndefined()
})

test('a history by minutes goes on with the samples of the page', () => {
  const history = { time: [60, 120], down: [1, 2], up: [0, 0] }
  const live = { time: [100, 130, 150, 180, 200], down: [9, 10, 20, 30, 99], up: [0, 0, 3, 0, 0] }
  expect(extend(history, { ...live, time: live.time.map((t) => t - 100) }, 60, 1440)).toBe(history)
  expect(extend(history, live, 60, 1440)).toEqual({ time: [60, 120, 180], down: [1, 2, 20], up: [0, 0, 1] })
  expect(extend(history, { time: [300], down: [8], up: [0] }, 60, 3)).toEqual({ time: [180, 240, 300], down: [0, 0, 8], up: [0, 0, 0] })
})
