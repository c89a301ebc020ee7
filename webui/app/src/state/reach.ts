// Whether strangers can reach the node, as far as the page knows now.
import { computed } from '@preact/signals'
import type { Proof } from '../api/types'
import { network } from './store'
import { link } from './stream'

/** reach is whether strangers can reach the node. */
export const reach = computed<Proof>(() => (link.value.state === 'live' ? network.value?.verdict ?? 'unknown' : 'unknown'))
